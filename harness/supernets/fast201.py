"""The one-shot network of NAS-Bench-201, computed fast: the same function of the same weights as the readable one.

All edges that leave a node read one tensor, so their ReLU and their pooling are computed once, and their convolutions
of one kernel size are one convolution. The mixing weights of convolutions are the scales of their batch norms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.spaces.nasbench201 import EDGES
from harness.supernets.base import Mix
from harness.supernets.fused import BatchNorms, Fast, Together, autocasts, average_pool, channels_last
from harness.supernets.nasbench201 import MixedCell, NASBench201Supernet, ResidualReduction
from harness.supernets.saving import ConvolutionNorm

TARGETS = [[target for source, target in EDGES if source == node] for node in range(3)]
ORDER = [EDGES.index((source, target)) for source in range(3) for target in TARGETS[source]]
"""The edges by the node that they leave."""


@dataclass(frozen=True)
class FanWeights:
    """Mixing weights of the edges that leave a node. skip, pool: a scalar an edge; conv1, conv3: a value a channel of
    the edges' stacked outputs."""

    skip: Sequence[Tensor]
    conv1: Tensor
    conv3: Tensor
    pool: Sequence[Tensor]


def fan_weights(mix: Tensor, channels: int) -> list[FanWeights]:
    """Those of each source node. mix: [6, 5]."""
    rows = mix.unbind()
    _, skip, *convolutions, pool = torch.stack([rows[edge] for edge in ORDER], dim=1).unbind()
    sizes = [len(t) for t in TARGETS]
    scales = [c[:, None].expand(-1, channels).flatten() for c in convolutions]
    wide = [torch.split(s, [n * channels for n in sizes]) for s in scales]
    parts = zip(torch.split(skip, sizes), *wide, torch.split(pool, sizes), strict=True)
    return [FanWeights(s.unbind(), conv1, conv3, p.unbind()) for s, conv1, conv3, p in parts]


class Fan:
    """The convolutions of the edges that leave a node, a function of ReLU's output: the weighted sum of an edge's two,
    for all of them side by side."""

    def __init__(self, cell: MixedCell, node: int) -> None:
        edges: list[Any] = [cell.edges[f"{target}<-{node}"] for target in TARGETS[node]]
        self.conv3 = Together(e.nor_conv_3x3 for e in edges)
        self.conv1 = Together(e.nor_conv_1x1 for e in edges)

    def trained(self, r: Tensor, w: FanWeights, norms: BatchNorms) -> Tensor:
        """With the edges' weights, and batch norm in its own mode."""
        y = norms(self.conv3.norms, self.conv3.convolve(r), w.conv3, None)
        first = self.conv1.norms[0]
        if not first.training or autocasts(r):
            return y + norms(self.conv1.norms, self.conv1.convolve(r), w.conv1, None)
        statistics = norms.fresh(self.conv1.norms)
        return y + ConvolutionNorm.apply(r, self.conv1.weight(), w.conv1, statistics, first.eps)  # type: ignore[no-untyped-call, no-any-return]

    def folded(self) -> Callable[[Tensor, FanWeights], Tensor]:
        """With batch norm in eval mode and without gradients of the weights: an edge's convolutions are one."""
        weight3, bias3 = self.conv3.fold()
        weight1, bias1 = self.conv1.fold()

        def fan(r: Tensor, w: FanWeights) -> Tensor:
            if torch.is_grad_enabled():
                z3 = F.conv2d(r, weight3, bias3, padding=1)
                z1 = F.conv2d(r, weight1, bias1)
                return torch.addcmul(z3 * w.conv3.view(-1, 1, 1), z1, w.conv1.view(-1, 1, 1))
            weight = weight3 * w.conv3.view(-1, 1, 1, 1)
            weight[:, :, 1:2, 1:2] += weight1 * w.conv1.view(-1, 1, 1, 1)
            return F.conv2d(r, weight, bias3 * w.conv3 + bias1 * w.conv1, padding=1)

        return fan


class FastNASBench201Supernet(Fast, NASBench201Supernet):
    """See the module."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # None: a residual reduction
        self.fans = [[Fan(m, node) for node in range(3)] if isinstance(m, MixedCell) else None for m in self.cells]

    def forward(self, x: Tensor, mix: Mix) -> Tensor:
        # drop-path drops the outputs of edges one by one
        if self.as_read or (self.path_dropout and self.training):
            return NASBench201Supernet.forward(self, x, mix)
        norms = BatchNorms()
        x = channels_last(self.stem(channels_last(x)))
        x = self._layers(x, mix, lambda fan, r, w: fan.trained(r, w, norms), list(self.cells))
        norms.store()
        logits: Tensor = self.classifier(self.last(x).mean((2, 3)))
        return logits

    def frozen(self, x: Tensor) -> Callable[[Mix], Tensor]:
        """Batch norm is folded into the convolutions, and what does not depend on the mix is computed here."""
        fans = {fan: fan.folded() for fans in self.fans if fans for fan in fans}
        reductions = [folded_reduction(m) if isinstance(m, ResidualReduction) else m for m in self.cells]
        with torch.no_grad():
            x = channels_last(Together([self.stem]).folded()(channels_last(x)))

        def logits(mix: Mix) -> Tensor:
            y = self._layers(x, mix, lambda fan, r, w: fans[fan](r, w), reductions)
            norm: Any = self.last[0]
            y = F.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
            found: Tensor = self.classifier(F.relu(y).mean((2, 3)))
            return found

        return logits

    def _layers(
        self,
        x: Tensor,
        mix: Mix,
        convolve: Callable[[Fan, Tensor, FanWeights], Tensor],
        reductions: Sequence[Callable[[Tensor], Tensor]],
    ) -> Tensor:
        of_cells = iter(self.of_cells(mix[0]))
        shared: dict[int, list[FanWeights]] = {}
        for fans, reduction in zip(self.fans, reductions, strict=True):
            if fans is None:
                x = reduction(x)
                continue
            rows, channels = next(of_cells), x.shape[1] // self.partial_channels
            if mix[0].dim() == 3 or channels not in shared:
                shared[channels] = fan_weights(rows, channels)
            x = self._cell(x, fans, shared[channels], convolve)
        return x

    def _cell(
        self,
        x: Tensor,
        fans: Sequence[Fan],
        weights: Sequence[FanWeights],
        convolve: Callable[[Fan, Tensor, FanWeights], Tensor],
    ) -> Tensor:
        beside = self.partial_channels > 1 or self.auxiliary_skip > 0
        totals: dict[int, Tensor] = {}
        sources: Tensor | None = None
        for node, (fan, w, targets) in enumerate(zip(fans, weights, TARGETS, strict=True)):
            inside = x.narrow(1, 0, x.shape[1] // self.partial_channels) if self.partial_channels > 1 else x
            pooled = average_pool(inside)
            stacks = convolve(fan, F.relu(inside), w).chunk(len(targets), dim=1)
            for target, convolved, skip, pool in zip(targets, stacks, w.skip, w.pool, strict=True):
                y = torch.addcmul(torch.addcmul(convolved, inside, skip), pooled, pool)
                totals[target] = totals[target] + y if target in totals else y
            if beside:
                sources = x if sources is None else sources + x
            x = totals.pop(node + 1)
            if sources is not None:
                x = self._beside(x, sources)
        return x

    def _beside(self, y: Tensor, sources: Tensor) -> Tensor:
        """A node from the sum of its edges' mixed channels and the sum of its sources: see `Supernet.around`."""
        if self.partial_channels > 1:
            y = self.shuffled(torch.cat([y, sources.narrow(1, y.shape[1], sources.shape[1] - y.shape[1])], dim=1))
        return y + self.auxiliary_skip * sources if self.auxiliary_skip else y


def folded_reduction(block: ResidualReduction) -> Callable[[Tensor], Tensor]:
    """A residual reduction with its batch norms in eval mode, as convolutions."""
    first, second = (Together([layer]).folded() for layer in (block.conv_a, block.conv_b))

    def reduction(x: Tensor) -> Tensor:
        shortcut: Tensor = block.downsample(x)
        return shortcut + second(F.relu(first(F.relu(x))))

    return reduction
