"""The one-shot network of DARTS' spaces (Liu et al. 2019, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.core.streams import Make
from harness.spaces.blocks.mix import Mix
from harness.spaces.blocks.supernet import MixedOperation, Supernet
from harness.spaces.darts.genotype import EDGES, INPUTS, NODES
from harness.spaces.darts.operations import (
    FactorizedReduction,
    NoiseOperation,
    Zero,
    build_mixed_operation,
    build_preprocessing,
)
from harness.spaces.darts.records import Options

STEM = 3
"""Channels of the stem, in those of the first cell."""

Draw = Callable[[Make], Tensor]
Mixed = Callable[[Tensor, Tensor], Tensor]
"""A mixed operation, of an input and its weights."""
Around = Callable[[int, Mixed, Tensor, Tensor], Tensor]
"""Calls that of an edge, given by its number, with what is around it."""


class DARTSMixedEdge(MixedOperation):
    """The weighted sum of the operations of an edge, child modules in the order of its options, their `names`."""

    draw: Draw

    def __init__(self, names: Sequence[str], channels: int, stride: int) -> None:
        super().__init__()
        self.names, self.stride = tuple(names), stride
        for place, name in enumerate(names):
            self.add_module(str(place), build_mixed_operation(name, channels, stride))

    def options(self) -> Sequence[Callable[[Tensor], Tensor]]:
        return [partial(o, draw=self.draw) if isinstance(o, NoiseOperation) else o for o in self.children()]

    def nothing(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])

    def forward(self, x: Tensor, weights: Tensor, draw: Draw) -> Tensor:
        """x: [batch, channels, height, width]; weights: [operations]; draw: of the network."""
        if self.evaluates != "all":
            self.draw = draw
            return self.drawn(x, weights)
        terms = [
            w * (operation(x, draw) if isinstance(operation, NoiseOperation) else operation(x))
            for w, operation in zip(weights.unbind(), self.children(), strict=True)
            if not isinstance(operation, Zero)
        ]
        y: Tensor = sum(terms[1:], terms[0])
        return y


class DARTSMixedCell(nn.Module):
    """Two inputs, each through its preprocessing, 14 mixed edges and four inner nodes, side by side in the output.

    inputs: channels of the two inputs. halves: the first input is twice as high and wide as the second.
    """

    def __init__(
        self, options: Options, inputs: Sequence[int], channels: int, *, reduction: bool, halves: bool, parts: int
    ) -> None:
        super().__init__()
        self.reduction = reduction
        self.preprocess0 = build_preprocessing(inputs[0], channels, halves=halves, affine=False)
        self.preprocess1 = build_preprocessing(inputs[1], channels, halves=False, affine=False)
        self.edges = nn.ModuleList(
            DARTSMixedEdge(names, channels // parts, 2 if reduction and source < INPUTS else 1)
            for names, (source, _) in zip(options, EDGES, strict=True)
        )

    def mixed_edges(self) -> list[DARTSMixedEdge]:
        return list(self.edges)  # type: ignore[arg-type]

    def forward(self, before: Tensor, last: Tensor, rows: Tensor, around: Around, draw: Draw) -> Tensor:
        """rows: [14, operations]."""
        nodes = [self.preprocess0(before), self.preprocess1(last)]
        for node in range(INPUTS, INPUTS + NODES):
            into = [
                around(place, partial(edge, draw=draw), nodes[source], rows[place])
                for place, (edge, (source, target)) in enumerate(zip(self.edges, EDGES, strict=True))
                if target == node
            ]
            nodes.append(sum(into[1:], into[0]))
        return torch.cat(nodes[INPUTS:], dim=1)


class DARTSSupernet(Supernet):
    """Stem, `cells` cells of which those at one and two thirds are reductions with doubled channels, classifier.

    Published sizes: channels 16, cells 8. options: the operations of each edge of a normal and of a reduction cell.
    """

    published_names = (
        (r"\.edges\.(\d+)\.(\d+)\.([01234567])\.", r"._ops.\1._ops.\2.op.\3."),
        (r"\.edges\.(\d+)\.", r"._ops.\1._ops."),
        (r"\.op\.1\.(running|num)", r".1.\1"),  # batch norm after a pooling
        (r"\.along_row\.", r".1."),
        (r"\.along_column\.", r".2."),
        (r"\.norm\.", r".3."),
        (r"\.preprocess([01])\.([12])\.", r".preprocess\1.op.\2."),
        (r"^auxiliaries\.(\d+)\.(\d+)\.", r"cells.\1._ops.\2.auxiliary_op."),
    )

    def __init__(
        self,
        *,
        channels: int,
        cells: int,
        classes: int,
        image_channels: int,
        options: Sequence[Options],
        **around: Any,
    ) -> None:
        super().__init__(**around)
        self.mixed_cells = cells
        self.reductions = {cells // 3, 2 * cells // 3}
        self.stem = nn.Sequential(
            nn.Conv2d(image_channels, STEM * channels, 3, padding=1, bias=False), nn.BatchNorm2d(STEM * channels)
        )
        inputs, width = (STEM * channels,) * 2, channels
        layers: list[nn.Module] = []
        for index in range(cells):
            reduction = index in self.reductions
            width = 2 * width if reduction else width
            layers.append(
                DARTSMixedCell(
                    options[reduction],
                    inputs,
                    width,
                    reduction=reduction,
                    halves=index - 1 in self.reductions,
                    parts=self.partial_channels,
                )
            )
            inputs = inputs[1], NODES * width
        self.cells = nn.ModuleList(layers)
        self.classifier = nn.Linear(NODES * width, classes)
        # after the others, whose initial weights stay those of a network without
        self.auxiliaries = nn.ModuleDict(dict(self._auxiliary_skips(channels)) if self.auxiliary else {})

    def _auxiliary_skips(self, width: int) -> Iterator[tuple[str, nn.Module]]:
        """Those of the edges of stride 2, by cell and edge."""
        for index in sorted(self.reductions):
            width *= 2
            shrinking = [edge for edge, (source, _) in enumerate(EDGES) if source < INPUTS]
            skips = {str(edge): FactorizedReduction(width, width, affine=False) for edge in shrinking}
            yield str(index), nn.ModuleDict(skips)

    def mixed(self) -> list[DARTSMixedCell]:
        """The cells."""
        return list(self.cells)  # type: ignore[arg-type]

    def cells_of(self, tensor: int) -> int:
        return len(self.reductions) if tensor else self.mixed_cells - len(self.reductions)

    def candidates(self) -> list[list[nn.Parameter]]:
        """As for every network, without skip connections, which have weights where they shrink."""
        operations = (o for m in self.modules() if isinstance(m, DARTSMixedEdge) for o in m.children())
        weights = (list(o.parameters()) for o in operations if not isinstance(o, FactorizedReduction))
        return [w for w in weights if w]

    def forward(self, x: Tensor, mix: Mix) -> Tensor:
        before = last = self.stem(x)
        rows = [iter(self.of_cells(tensor)) for tensor in mix]
        for index, cell in enumerate(self.cells):
            weights, around = next(rows[index in self.reductions]), partial(self.around_edge, index)
            before, last = last, cell(before, last, weights, around, lambda make: self.draw("noise", make))
        logits: Tensor = self.classifier(last.mean((2, 3)))
        return logits

    def auxiliary_of(self, cell: int, edge: int) -> Callable[[Tensor], Tensor]:
        """The auxiliary skip of an edge, by the numbers of its cell and its own."""
        own: Any = self.auxiliaries
        shrinks = self.auxiliary_skip and cell in self.reductions and EDGES[edge][0] < INPUTS
        return own[str(cell)][str(edge)] if shrinks else nn.Identity()

    def around_edge(self, cell: int, edge: int, mixed: Mixed, x: Tensor, weights: Tensor) -> Tensor:
        """`around` an edge of a cell, by their numbers."""
        if cell not in self.reductions or EDGES[edge][0] >= INPUTS:
            return self.around(mixed, x, weights)
        return self.around(
            mixed, x, weights, beside=partial(F.max_pool2d, kernel_size=2), skip=self.auxiliary_of(cell, edge)
        )
