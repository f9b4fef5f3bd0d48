"""The one-shot network of NAS-Bench-201, computed fast: the same function of the same weights as the readable one.

All edges that leave a node read one tensor, so their ReLU and their pooling are computed once, and their convolutions
of one kernel size are one convolution. The mixing weights of convolutions are the scales of their batch norms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.spaces.blocks.fused import BatchNorms, Fast, Together, average_pool, is_autocasting, make_channels_last
from harness.spaces.blocks.mix import Mix
from harness.spaces.blocks.saving import ConvolutionNorm
from harness.spaces.nasbench201.cell import EDGES
from harness.spaces.nasbench201.frozen import FoldedFan, FrozenEdges, expand_per_channel
from harness.spaces.nasbench201.supernet import NASBench201MixedCell, NASBench201Supernet, ResidualReduction

TARGETS = [[target for source, target in EDGES if source == node] for node in range(3)]
ORDER = [EDGES.index((source, target)) for source in range(3) for target in TARGETS[source]]
"""The edges by the node that they leave."""


@dataclass(frozen=True)
class FanWeights:
    """Mixing weights of the edges that leave a node. skip, pool: a scalar an edge; conv1, conv3: a value a channel of
    the edges' stacked outputs. stacked: all of them, [5, edges]."""

    stacked: Tensor
    skip: Sequence[Tensor]
    conv1: Tensor
    conv3: Tensor
    pool: Sequence[Tensor]


def split_fan_weights(mix: Tensor, channels: int) -> list[FanWeights]:
    """Those of each source node. mix: [6, 5]."""
    rows = mix.unbind()
    stacked = torch.stack([rows[edge] for edge in ORDER], dim=1)
    _, skip, *convolutions, pool = stacked.unbind()
    sizes = [len(t) for t in TARGETS]
    wide = [torch.split(expand_per_channel(c, channels), [n * channels for n in sizes]) for c in convolutions]
    parts = zip(
        torch.split(stacked, sizes, dim=1), torch.split(skip, sizes), *wide, torch.split(pool, sizes), strict=True
    )
    return [FanWeights(rows, s.unbind(), conv1, conv3, p.unbind()) for rows, s, conv1, conv3, p in parts]


def join_edges(x: Tensor, pooled: Tensor, convolved: Tensor, w: FanWeights, totals: Sequence[Tensor]) -> list[Tensor]:
    """What a node x, its averages and its edges' convolutions give to each node after it, with the sums so far, if
    there are any."""
    found = []
    for index, (stack, skip, pool) in enumerate(zip(convolved.chunk(len(w.skip), dim=1), w.skip, w.pool, strict=True)):
        y = torch.addcmul(torch.addcmul(stack, x, skip), pooled, pool)
        found.append(totals[index] + y if totals else y)
    return found


class NodeFan:
    """The convolutions of the edges that leave a node, a function of ReLU's output: the weighted sum of an edge's two,
    for all of them side by side."""

    def __init__(self, cell: NASBench201MixedCell, node: int) -> None:
        edges: list[Any] = [cell.edges[f"{target}<-{node}"] for target in TARGETS[node]]
        self.conv3 = Together(e.nor_conv_3x3 for e in edges)
        self.conv1 = Together(e.nor_conv_1x1 for e in edges)

    def trained(self, r: Tensor, w: FanWeights, norms: BatchNorms) -> Tensor:
        """With the edges' weights, and batch norm in its own mode."""
        y = norms(self.conv3.norms, self.conv3.convolve(r), w.conv3, None)
        first = self.conv1.norms[0]
        if not first.training or is_autocasting(r):
            return y + norms(self.conv1.norms, self.conv1.convolve(r), w.conv1, None)
        statistics = norms.fresh(self.conv1.norms)
        return y + ConvolutionNorm.apply(r, self.conv1.weight(), w.conv1, statistics, first.eps)  # type: ignore[no-untyped-call, no-any-return]


Leave = Callable[[NodeFan, Tensor, FanWeights, Sequence[Tensor]], Sequence[Tensor]]
"""What a node's edges give to each node after it with the sums so far, if there are any: of the node, the mixing
weights and those sums."""


class FastNASBench201Supernet(Fast, NASBench201Supernet):
    """NAS-Bench-201's one-shot network, computed as this module says."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # None: a residual reduction
        self.fans = [
            [NodeFan(m, node) for node in range(3)] if isinstance(m, NASBench201MixedCell) else None for m in self.cells
        ]

    def forward(self, x: Tensor, mix: Mix) -> Tensor:
        # drop-path drops the outputs of edges one by one
        if self.reads or self.auxiliary_of_cell or (self.path_dropout and self.training):
            return NASBench201Supernet.forward(self, x, mix)
        norms = BatchNorms()
        x = make_channels_last(self.stem(make_channels_last(x)))

        def leave(fan: NodeFan, y: Tensor, w: FanWeights, totals: Sequence[Tensor]) -> Sequence[Tensor]:
            # averages before ReLU: gradients are summed in the order of the operations, and with them a seed changes
            return join_edges(y, average_pool(y), fan.trained(F.relu(y), w, norms), w, totals)

        x = self._layers(x, mix, leave, list(self.cells))
        norms.store()
        logits: Tensor = self.classifier(self.last(x).mean((2, 3)))
        return logits

    def frozen(self, x: Tensor) -> Callable[[Mix], Tensor]:
        """Batch norm is folded into the convolutions, and what does not depend on the mix is computed here."""
        if self.auxiliary_of_cell:
            return super().frozen(x)
        folded = {fan: FoldedFan(fan.conv3, fan.conv1) for fans in self.fans if fans for fan in fans}
        reductions = [fold_reduction(m) if isinstance(m, ResidualReduction) else m for m in self.cells]
        with torch.no_grad():
            x = make_channels_last(Together([self.stem]).folded()(make_channels_last(x)))
        first, entering = next(iter(folded)), self._inside(x)
        # where gradients are asked for, many mixes are
        kept = cache(lambda: (folded[first].kept(F.relu(entering)), average_pool(entering)))

        def leave(fan: NodeFan, y: Tensor, w: FanWeights, totals: Sequence[Tensor]) -> Sequence[Tensor]:
            if torch.is_grad_enabled() and fan is first:
                mixed, pooled = kept()
                return join_edges(y, pooled, mixed(w.conv1, w.conv3), w, totals)
            if torch.is_grad_enabled() and not is_autocasting(y):
                return FrozenEdges.apply(y, w.stacked, folded[fan], *totals)  # type: ignore[no-untyped-call, no-any-return]
            return join_edges(y, average_pool(y), folded[fan].convolve(F.relu(y), w.conv1, w.conv3), w, totals)

        def logits(mix: Mix) -> Tensor:
            y = self._layers(x, mix, leave, reductions)
            norm: Any = self.last[0]
            y = F.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
            found: Tensor = self.classifier(F.relu(y).mean((2, 3)))
            return found

        return logits

    def _layers(self, x: Tensor, mix: Mix, leave: Leave, reductions: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
        of_cells = iter(self.of_cells(mix[0]))
        shared: dict[int, list[FanWeights]] = {}
        for fans, reduction in zip(self.fans, reductions, strict=True):
            if fans is None:
                x = reduction(x)
                continue
            rows, channels = next(of_cells), x.shape[1] // self.partial_channels
            if mix[0].dim() == 3 or channels not in shared:
                shared[channels] = split_fan_weights(rows, channels)
            x = self._cell(x, fans, shared[channels], leave)
        return x

    def _cell(self, x: Tensor, fans: Sequence[NodeFan], weights: Sequence[FanWeights], leave: Leave) -> Tensor:
        beside = self.partial_channels > 1 or self.auxiliary_skip > 0
        totals: Sequence[Tensor] = ()
        sources: Tensor | None = None
        for fan, w in zip(fans, weights, strict=True):
            following, *totals = leave(fan, self._inside(x), w, totals)
            if beside:
                sources = x if sources is None else sources + x
            x = following if sources is None else self._beside(following, sources)
        return x

    def _inside(self, x: Tensor) -> Tensor:
        """The channels of a node that its edges read."""
        return x.narrow(1, 0, x.shape[1] // self.partial_channels) if self.partial_channels > 1 else x

    def _beside(self, y: Tensor, sources: Tensor) -> Tensor:
        """A node from the sum of its edges' mixed channels and the sum of its sources: see `Supernet.around`."""
        if self.partial_channels > 1:
            y = self.shuffled(torch.cat([y, sources.narrow(1, y.shape[1], sources.shape[1] - y.shape[1])], dim=1))
        return y + self.auxiliary_skip * sources if self.auxiliary_skip else y


def fold_reduction(block: ResidualReduction) -> Callable[[Tensor], Tensor]:
    """A residual reduction with its batch norms in eval mode, as convolutions."""
    first, second = (Together([layer]).folded() for layer in (block.conv_a, block.conv_b))

    def reduction(x: Tensor) -> Tensor:
        shortcut: Tensor = block.downsample(x)
        return shortcut + second(F.relu(first(F.relu(x))))

    return reduction
