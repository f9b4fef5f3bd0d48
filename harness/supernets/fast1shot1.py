"""The one-shot network of NAS-Bench-1Shot1, computed fast: the same function of the same weights as the readable one.

All projections of a cell's input are one convolution, one batch norm and one ReLU. Mixing weights cannot be folded into
batch norm here, because ReLU follows it: at a weight of zero the gradient would be lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.supernets.base import Mix
from harness.supernets.fused import BatchNorms, Together, channels_last
from harness.supernets.nasbench1shot1 import ChoiceCell, NASBench1Shot1Supernet

Run = Callable[[Together, Tensor], Tensor]
"""Convolutions and batch norms of an input."""


class FastBlock:
    """The operations of a node."""

    def __init__(self, block: Any) -> None:
        self.conv3, self.conv1, self.pool = Together([block.conv3x3]), Together([block.conv1x1]), block.maxpool3x3

    def mixed(self, run: Run) -> Callable[[Tensor, Tensor], Tensor]:
        """Their weighted sum, of an input and the weights [3]."""

        def block(x: Tensor, weights: Tensor) -> Tensor:
            pool, conv3, conv1 = weights.unbind()
            y = torch.addcmul(pool * self.pool(x), F.relu(run(self.conv3, x), inplace=True), conv3)
            return torch.addcmul(y, F.relu(run(self.conv1, x), inplace=True), conv1)

        return block


class FastCell:
    """The layers of a cell, by the input that they read."""

    def __init__(self, cell: ChoiceCell) -> None:
        self.projections = Together(cell.projections)  # type: ignore[arg-type]
        self.blocks = [FastBlock(block) for block in cell.nodes]

    def members(self) -> list[Together]:
        return [self.projections, *(layers for b in self.blocks for layers in (b.conv3, b.conv1))]


class FastNASBench1Shot1Supernet(NASBench1Shot1Supernet):
    """See the module."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.fast = [FastCell(cell) for cell in self.cells]  # type: ignore[arg-type]

    def forward(self, x: Tensor, mix: Mix) -> Tensor:
        norms = BatchNorms()
        x = channels_last(self.stem(channels_last(x)))
        x = self._through(x, mix, lambda layers, y: norms(layers.norms, layers.convolve(y), *layers.affine()))
        norms.store()
        logits: Tensor = self.classifier(self.last(x).mean((2, 3)))
        return logits

    def frozen(self, x: Tensor) -> Callable[[Mix], Tensor]:
        """Batch norm is folded into the convolutions, and what does not depend on the mix is computed here."""
        folded = {layers: layers.folded() for cell in self.fast for layers in cell.members()}
        last = Together([self.last]).folded()
        with torch.no_grad():
            x = channels_last(F.relu(Together([self.stem]).folded()(channels_last(x))))

        def logits(mix: Mix) -> Tensor:
            y = self._through(x, mix, lambda layers, z: folded[layers](z))
            found: Tensor = self.classifier(last(F.relu(y)).mean((2, 3)))
            return found

        return logits

    def _through(self, x: Tensor, mix: Mix, run: Run) -> Tensor:
        for index, (cell, *rows) in enumerate(zip(self.fast, *map(self.of_cells, mix), strict=True)):
            x = self._cell(cell, self.pool(x) if index in self.reductions else x, rows, run)
        return x

    def _cell(self, cell: FastCell, x: Tensor, mix: Mix, run: Run) -> Tensor:
        """As `ChoiceCell.forward`."""
        operations, output, *rows = mix
        parents = {node: row[0] for node, row in zip(self.inner_nodes, rows, strict=True)}
        projected = F.relu(run(cell.projections, x), inplace=True)
        *inputs, rest = torch.split(projected, cell.projections.widths, dim=1)
        states: list[Tensor] = []
        for node, (block, own, weights) in enumerate(zip(cell.blocks, inputs, operations, strict=True), start=1):
            if node in parents:
                first, *others = parents[node].unbind()
                total = own * first
                for state, w in zip(states, others, strict=True):
                    total = torch.addcmul(total, state, w)
            else:
                total = sum(states, own)
            states.append(self.around(block.mixed(run), total, weights))
        wide = output[0, 1:, None].expand(-1, states[0].shape[1]).reshape(-1, 1, 1)
        return torch.addcmul(output[0, 0] * rest, torch.cat(states, dim=1), wide)
