"""The one-shot network of NAS-Bench-201 (Dong & Yang 2020, section 2.1, with mixed edges as in DARTS)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from harness.spaces.blocks.mix import Mix
from harness.spaces.blocks.supernet import MixedOperation, ReluConvBn, Supernet
from harness.spaces.nasbench201.cell import EDGES

Around = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""Calls a mixed operation on an input and its weights, with what is around it."""


def pass_first(x: Tensor, _: Tensor) -> Tensor:
    """The first of two tensors: the input of a cell, in place of that of an edge."""
    return x


class NASBench201MixedEdge(MixedOperation):
    """The weighted sum of the five operations of an edge; `none` contributes zero whatever its weight.

    Batch norm inside the operations has no affine part, as published for the search.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.nor_conv_1x1 = ReluConvBn(channels, channels, 1, affine=False)
        self.nor_conv_3x3 = ReluConvBn(channels, channels, 3, affine=False)
        self.avg_pool_3x3 = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    def options(self) -> Sequence[Callable[[Tensor], Tensor]]:
        return torch.zeros_like, nn.Identity(), self.nor_conv_1x1, self.nor_conv_3x3, self.avg_pool_3x3

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """x: [batch, channels, height, width]; weights: [5], in the space's operation order."""
        if self.evaluates != "all":
            return self.drawn(x, weights)
        _, skip, conv1, conv3, pool = weights.unbind()
        y: Tensor = skip * x + conv1 * self.nor_conv_1x1(x) + conv3 * self.nor_conv_3x3(x)
        y = y + pool * self.avg_pool_3x3(x)
        return y


class NASBench201MixedCell(nn.Module):
    """Four nodes, six mixed edges; a node is the sum of its incoming edges."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict({f"{target}<-{source}": NASBench201MixedEdge(channels) for source, target in EDGES})

    def forward(self, x: Tensor, mix: Tensor, around: Around) -> Tensor:
        nodes = [x]
        for target in (1, 2, 3):
            incoming = [
                around(self.edges[f"{target}<-{source}"], nodes[source], mix[row])
                for row, (source, into) in enumerate(EDGES)
                if into == target
            ]
            nodes.append(sum(incoming[1:], incoming[0]))
        return nodes[3]


class ResidualReduction(nn.Module):
    """Stride-2 basic residual block between stages."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.conv_a = ReluConvBn(cin, cout, 3, stride=2)
        self.conv_b = ReluConvBn(cout, cout, 3)
        self.downsample = nn.Sequential(nn.AvgPool2d(2, stride=2), nn.Conv2d(cin, cout, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.downsample(x) + self.conv_b(self.conv_a(x))
        return y


class NASBench201Supernet(Supernet):
    """Stem, three stages of `cells` mixed cells with C, 2C, 4C channels, residual reductions between, classifier.

    Published sizes: channels 16, cells 5.
    """

    one_input = True
    published_names = (
        (r"\.nor_conv_1x1\.", ".2.op."),
        (r"\.nor_conv_3x3\.", ".3.op."),
        (r"\.(conv_[ab])\.", r".\1.op."),
        (r"^last\.", "lastact."),
    )

    def __init__(self, *, channels: int, cells: int, classes: int, image_channels: int, **around: Any) -> None:
        super().__init__(**around)
        self.mixed_cells = 3 * cells
        self.stem = nn.Sequential(
            nn.Conv2d(image_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        layers: list[nn.Module] = []
        for stage in range(3):
            width = channels * 2**stage
            if stage:
                layers.append(ResidualReduction(width // 2, width))
            layers.extend(NASBench201MixedCell(width // self.partial_channels) for _ in range(cells))
        self.cells = nn.ModuleList(layers)
        self.last = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor, mix: Mix) -> Tensor:
        weights = iter(self.of_cells(mix[0]))
        x = self.stem(x)
        for layer in self.cells:
            around = partial(self.around, skip=partial(pass_first, x)) if self.auxiliary_of_cell else self.around
            x = layer(x, next(weights), around) if isinstance(layer, NASBench201MixedCell) else layer(x)
        logits: Tensor = self.classifier(self.last(x).mean((2, 3)))
        return logits
