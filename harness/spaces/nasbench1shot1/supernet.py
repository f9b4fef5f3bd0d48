"""The one-shot network of NAS-Bench-1Shot1 (Zela et al. 2020), for the spaces s1, s2 and s3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from harness.spaces.blocks.mix import Mix
from harness.spaces.blocks.supernet import ConvBnRelu, MixedOperation, Supernet
from harness.spaces.nasbench201.supernet import Around


class ChoiceBlock(MixedOperation):
    """The weighted sum of the three operations of a node, in the space's operation order."""

    def __init__(self, channels: int, *, momentum: float) -> None:
        super().__init__()
        self.maxpool3x3 = nn.MaxPool2d(3, stride=1, padding=1)
        self.conv3x3 = ConvBnRelu(channels, channels, 3, momentum=momentum)
        self.conv1x1 = ConvBnRelu(channels, channels, 1, momentum=momentum)

    def options(self) -> Sequence[Callable[[Tensor], Tensor]]:
        return self.maxpool3x3, self.conv3x3, self.conv1x1

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """x: [batch, channels, height, width]; weights: [3]."""
        if self.evaluates != "all":
            return self.drawn(x, weights)
        pool, conv3, conv1 = weights.unbind()
        y: Tensor = pool * self.maxpool3x3(x) + conv3 * self.conv3x3(x) + conv1 * self.conv1x1(x)
        return y


class ChoiceCell(nn.Module):
    """Nodes 1..k, each with its own projection of the cell's input, and the input's projection to the output.

    choice_nodes: nodes whose parents are chosen (weighted sum); the others take the plain sum of all candidates.
    """

    def __init__(
        self, cin: int, channels: int, nodes: int, choice_nodes: Sequence[int], *, momentum: float, parts: int
    ) -> None:
        super().__init__()
        self.choice_nodes = tuple(choice_nodes)
        self.nodes = nn.ModuleList(ChoiceBlock(channels // parts, momentum=momentum) for _ in range(nodes))
        widths = [channels] * nodes + [channels * nodes]
        self.projections = nn.ModuleList(ConvBnRelu(cin, width, 1, momentum=momentum) for width in widths)

    def forward(
        self, x: Tensor, operations: Tensor, output: Tensor, parents: dict[int, Tensor], around: Around
    ) -> Tensor:
        """operations: [k, 3]; output: [k + 1]; parents: the weights [n] of each node n that has a choice."""
        states: list[Tensor] = []
        for node, block in enumerate(self.nodes, start=1):
            candidates = [self.projections[node - 1](x), *states]
            if node in parents:
                candidates = [w * c for w, c in zip(parents[node].unbind(), candidates, strict=True)]
            states.append(around(block, sum(candidates[1:], candidates[0]), operations[node - 1]))
        kept = torch.cat([w * s for w, s in zip(output[1:].unbind(), states, strict=True)], dim=1)
        y: Tensor = output[0] * self.projections[-1](x) + kept
        return y


class NASBench1Shot1Supernet(Supernet):
    """Stem, `cells` cells in three stages with pooling and doubled channels between, 1x1 convolution, classifier.

    Published sizes: channels 16, cells 9. choice_nodes: as the space gives them, the output (k + 1) last.
    bn_momentum and pool_padding are what the presets `official` and `fixed` differ in.
    """

    published_names = (
        (r"^stem\.", "stem.op."),
        (r"\.nodes\.(\d+)\.conv3x3\.", r"._choice_blocks.\1.mixed_op._ops.1.op.op."),
        (r"\.nodes\.(\d+)\.conv1x1\.", r"._choice_blocks.\1.mixed_op._ops.2.op.op."),
        (r"\.projections\.(\d+)\.", r"._input_projections.\1.op."),
        (r"^last\.", "postprocess.op."),
    )

    def __init__(
        self,
        *,
        channels: int,
        cells: int,
        classes: int,
        image_channels: int,
        choice_nodes: Sequence[int],
        bn_momentum: float,
        pool_padding: int,
        **around: Any,
    ) -> None:
        super().__init__(**around)
        self.mixed_cells, parts = cells, self.partial_channels
        *self.inner_nodes, output = choice_nodes
        nodes = output - 1
        self.stem = ConvBnRelu(image_channels, channels, 3, momentum=bn_momentum)
        self.pool = nn.MaxPool2d(2, stride=2, padding=pool_padding)
        self.reductions = {cells // 3, 2 * cells // 3}
        width, cin = channels, channels
        layers = []
        for index in range(cells):
            if index in self.reductions:
                width *= 2
            layers.append(ChoiceCell(cin, width, nodes, self.inner_nodes, momentum=bn_momentum, parts=parts))
            cin = width * nodes
        self.cells = nn.ModuleList(layers)
        self.last = nn.Sequential(nn.ReLU(), nn.Conv2d(cin, width, 1, bias=False), nn.BatchNorm2d(width, affine=False))
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor, mix: Mix) -> Tensor:
        x = self.stem(x)
        of_cells = zip(self.cells, *map(self.of_cells, mix), strict=True)
        for index, (cell, operations, output, *rows) in enumerate(of_cells):
            parents = {node: row[0] for node, row in zip(self.inner_nodes, rows, strict=True)}
            if index in self.reductions:
                x = self.pool(x)
            x = cell(x, operations, output[0], parents, self.around)
        logits: Tensor = self.classifier(self.last(x).mean((2, 3)))
        return logits
