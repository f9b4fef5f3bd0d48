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

from harness.spaces.blocks.fused import BatchNorms, Fast, Together, is_autocasting, make_channels_last
from harness.spaces.blocks.mix import Mix
from harness.spaces.blocks.saving import AddSideBySide, ConvolutionNormRelu, MaxPool, NormRelu
from harness.spaces.nasbench1shot1.supernet import ChoiceCell, NASBench1Shot1Supernet

Run = Callable[[Together, Tensor, Tensor], Tensor]
"""Convolutions, batch norms and ReLU of an input, each channel times its factor."""
MaxPooling = Callable[["FastBlock", Tensor, Tensor], Tensor]
"""That of a block, times a scalar."""


class FastBlock:
    """The operations of a node."""

    def __init__(self, block: Any) -> None:
        self.conv3, self.conv1 = Together([block.conv3x3]), Together([block.conv1x1])

    def max_pool(self, x: Tensor, w: Tensor) -> Tensor:
        """The 3x3 maximum of each pixel's surroundings, times the mixing weight of the pooling."""
        found: Tensor = MaxPool.apply(x, w)  # type: ignore[no-untyped-call]
        return found

    def mixed(self, run: Run, max_pool: MaxPooling) -> Callable[[Tensor, Tensor], Tensor]:
        """Their weighted sum, of an input and the weights [3]."""

        def block(x: Tensor, weights: Tensor) -> Tensor:
            pool, conv3, conv1 = weights.unbind()
            y = run(self.conv3, x, conv3.expand(x.shape[1]))
            y += run(self.conv1, x, conv1.expand(x.shape[1]))
            y += max_pool(self, x, pool)
            return y

        return block


class FastCell:
    """The layers of a cell, by the input that they read."""

    def __init__(self, cell: ChoiceCell) -> None:
        *projections, last = cell.projections
        self.inputs, self.rest = Together(projections), Together([last])  # type: ignore[arg-type, list-item]
        self.blocks = [FastBlock(block) for block in cell.nodes]

    def members(self) -> list[Together]:
        return [self.inputs, self.rest, *(layers for b in self.blocks for layers in (b.conv3, b.conv1))]


class FastNASBench1Shot1Supernet(Fast, NASBench1Shot1Supernet):
    """NAS-Bench-1Shot1's one-shot network, computed as this module says."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.fast = [FastCell(cell) for cell in self.cells]  # type: ignore[arg-type]

    def forward(self, x: Tensor, mix: Mix) -> Tensor:
        if self.reads:
            return NASBench1Shot1Supernet.forward(self, x, mix)
        norms = BatchNorms()
        x = make_channels_last(self.stem(make_channels_last(x)))
        x = self._through(x, mix, lambda layers, y, w: apply_trained(layers, y, w, norms), FastBlock.max_pool)
        norms.store()
        logits: Tensor = self.classifier(self.last(x).mean((2, 3)))
        return logits

    def frozen(self, x: Tensor) -> Callable[[Mix], Tensor]:
        """Batch norm is folded into the convolutions, and what does not depend on the mix is computed here."""
        folded = {layers: layers.folded() for cell in self.fast for layers in cell.members()}
        last = Together([self.last]).folded()
        with torch.no_grad():
            x = make_channels_last(F.relu(Together([self.stem]).folded()(make_channels_last(x))))
            entering, cell = self._entering(0, x), self.fast[0]
            kept = {layers: F.relu(folded[layers](entering)) for layers in (cell.inputs, cell.rest)}
            # the first node has no parents to choose from
            block, width = cell.blocks[0], cell.inputs.widths[0] // self.partial_channels
            node = kept[cell.inputs].narrow(1, 0, width)
            kept |= {layers: F.relu(folded[layers](node)) for layers in (block.conv3, block.conv1)}
            pooled = F.max_pool2d(node, 3, stride=1, padding=1)

        def run(layers: Together, z: Tensor, w: Tensor) -> Tensor:
            y = kept[layers] if layers in kept else F.relu(folded[layers](z), inplace=True)
            return y * w.view(-1, 1, 1)

        def max_pool(of: FastBlock, z: Tensor, w: Tensor) -> Tensor:
            return pooled * w if of is block else of.max_pool(z, w)

        def logits(mix: Mix) -> Tensor:
            y = self._through(x, mix, run, max_pool)
            found: Tensor = self.classifier(last(F.relu(y)).mean((2, 3)))
            return found

        return logits

    def _through(self, x: Tensor, mix: Mix, run: Run, max_pool: MaxPooling) -> Tensor:
        for index, (cell, *rows) in enumerate(zip(self.fast, *map(self.of_cells, mix), strict=True)):
            x = self._cell(cell, self._entering(index, x), rows, run, max_pool)
        return x

    def _entering(self, index: int, x: Tensor) -> Tensor:
        """The input of a cell from what comes before it."""
        return self.pool(x) if index in self.reductions else x

    def _cell(self, cell: FastCell, x: Tensor, mix: Mix, run: Run, max_pool: MaxPooling) -> Tensor:
        """One cell, as `ChoiceCell.forward` reads."""
        operations, output, *rows = mix
        parents = {node: row[0] for node, row in zip(self.inner_nodes, rows, strict=True)}
        one = output.new_ones(())
        factors = [parents[n][0] if n in parents else one for n in range(1, len(cell.blocks) + 1)]
        wide = torch.stack(factors)[:, None].expand(-1, cell.inputs.widths[0]).flatten()
        inputs = run(cell.inputs, x, wide).chunk(len(cell.blocks), dim=1)
        states: list[Tensor] = []
        for node, (block, own, weights) in enumerate(zip(cell.blocks, inputs, operations, strict=True), start=1):
            total = own if states else make_channels_last(own)  # a copy: what is kept of a part is kept of the whole
            for index, state in enumerate(states, start=1):
                total = torch.addcmul(total, state, parents[node][index]) if node in parents else total + state
            states.append(self.around(block.mixed(run, max_pool), total, weights))
        rest = run(cell.rest, x, output[0, 0].expand(cell.rest.widths[0]))
        y: Tensor = AddSideBySide.apply(rest, output[0, 1:], *states)  # type: ignore[no-untyped-call]
        return y


def apply_trained(layers: Together, x: Tensor, w: Tensor, norms: BatchNorms) -> Tensor:
    """With the modules' weights, and batch norm in its own mode."""
    first = layers.norms[0]
    if not first.training or is_autocasting(x):
        return F.relu(norms(layers.norms, layers.convolve(x), *layers.affine()), inplace=True) * w.view(-1, 1, 1)
    rest = *layers.affine(), w, norms.fresh(layers.norms), first.eps
    found: Tensor
    if layers.pointwise:
        found = ConvolutionNormRelu.apply(x, layers.weight(), *rest)  # type: ignore[no-untyped-call]
    else:
        found = NormRelu.apply(layers.convolve(x), *rest)  # type: ignore[no-untyped-call]
    return found
