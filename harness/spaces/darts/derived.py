"""The network of derived cells, as it is trained to judge them (Liu et al. 2019, section 3.2; `NetworkCIFAR`).

As the one-shot network in stem, widths and places of the reductions, but every inner node is the sum of its two
operations alone, batch norms have scales and shifts, and no batch norm follows a pooling. In train mode an auxiliary
head reads the cell at two thirds, and drop-path drops operations' outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from harness.core.errors import HarnessError
from harness.spaces.base import Architecture
from harness.spaces.blocks.derived import Derived
from harness.spaces.darts.genotype import INPUTS, NODES, Cell, parse
from harness.spaces.darts.operations import NoiseOperation, build_operation, build_preprocessing
from harness.spaces.darts.supernet import STEM, Draw

AUXILIARY_SIDE = 8
"""Height and width of what the auxiliary head reads: a quarter of an image's."""


class DerivedCell(nn.Module):
    """Two inputs, each through its preprocessing, eight operations, four inner nodes side by side in the output.

    inputs: channels of the two inputs. halves: the first input is twice as high and wide as the second.
    """

    def __init__(self, cell: Cell, inputs: Sequence[int], channels: int, *, reduction: bool, halves: bool) -> None:
        super().__init__()
        self.sources = [source for _, source in cell]
        self.preprocess0 = build_preprocessing(inputs[0], channels, halves=halves, affine=True)
        self.preprocess1 = build_preprocessing(inputs[1], channels, halves=False, affine=True)
        self.operations = nn.ModuleList(
            build_operation(name, channels, 2 if reduction and source < INPUTS else 1, affine=True)
            for name, source in cell
        )

    def forward(self, before: Tensor, last: Tensor, dropped: Callable[[Tensor], Tensor], draw: Draw) -> Tensor:
        """dropped: drop-path."""
        nodes, terms = [self.preprocess0(before), self.preprocess1(last)], []
        for source, module in zip(self.sources, self.operations, strict=True):
            y = module(nodes[source], draw) if isinstance(module, NoiseOperation) else module(nodes[source])
            terms.append(y if isinstance(module, nn.Identity) else dropped(y))
            if len(terms) % 2 == 0:
                nodes.append(terms[-2] + terms[-1])
        return torch.cat(nodes[INPUTS:], dim=1)


class AuxiliaryHead(nn.Sequential):
    """A classifier of what a cell puts out, [batch, channels, 8, 8]."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.AvgPool2d(5, stride=3, count_include_pad=False),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(768, classes),
        )


class DerivedNetwork(Derived):
    """Stem, `cells` cells of which those at one and two thirds are reductions with doubled channels, classifier.

    Published sizes: channels 36, cells 20. shape: (channels, height, width) of an image. The cells are those of the
    architecture's key, so that cells that are numbered otherwise are one network.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        channels: int,
        cells: int,
        classes: int,
        shape: tuple[int, int, int],
        auxiliary: bool,
    ) -> None:
        super().__init__()
        kinds = parse(architecture.key).cells
        reductions = {cells // 3, 2 * cells // 3}
        self.judged = 2 * cells // 3
        self.stem = nn.Sequential(
            nn.Conv2d(shape[0], STEM * channels, 3, padding=1, bias=False), nn.BatchNorm2d(STEM * channels)
        )
        inputs, width = (STEM * channels,) * 2, channels
        layers: list[nn.Module] = []
        for index in range(cells):
            reduction = index in reductions
            width = 2 * width if reduction else width
            halves = index - 1 in reductions
            layers.append(DerivedCell(kinds[reduction], inputs, width, reduction=reduction, halves=halves))
            inputs = inputs[1], NODES * width
        self.cells = nn.ModuleList(layers)
        self.classifier = nn.Linear(NODES * width, classes)
        self.auxiliary = self._head(NODES * 4 * channels, classes, shape) if auxiliary else None

    @staticmethod
    def _head(channels: int, classes: int, shape: tuple[int, int, int]) -> AuxiliaryHead:
        if shape[1:] != (4 * AUXILIARY_SIDE,) * 2:
            side = 4 * AUXILIARY_SIDE
            raise HarnessError(
                f"the auxiliary head is made for images of {side} x {side} pixels, not {shape[1]} x {shape[2]}: "
                "set recipe.auxiliary=0"
            )
        return AuxiliaryHead(channels, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        before = last = self.stem(x)
        extra: Tensor | None = None
        for index, cell in enumerate(self.cells):
            before, last = last, cell(before, last, self.dropped, lambda make: self.draw("noise", make))
            if index == self.judged and self.auxiliary is not None and self.training:
                extra = self.auxiliary(last)
        logits: Tensor = self.classifier(last.mean((2, 3)))
        return logits, extra
