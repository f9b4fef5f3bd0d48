"""One-shot networks of NAS-Bench-201 side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from harness.spaces.blocks.fused import average_pool, average_pool_backward, make_channels_last
from harness.spaces.blocks.mix import Mix
from harness.spaces.blocks.supernet import Supernet
from harness.spaces.blocks.together import (
    Folds,
    Member,
    SideBySide,
    Weights,
    add_over,
    apply_norm,
    compute_channel_products,
    differentiate_convolution,
    differentiate_norm,
    shape_per_channel,
)
from harness.spaces.nasbench201.cell import CONV1, CONV3, EDGES, POOL, SKIP
from harness.spaces.nasbench201.fast import ORDER, TARGETS, FastNASBench201Supernet
from harness.spaces.nasbench201.supernet import NASBench201MixedCell

SIZES = [len(targets) for targets in TARGETS]


def differentiate_node(gradients: Sequence[Tensor], weights: Tensor, dr: Tensor, r: Tensor, x: Tensor) -> Tensor:
    """The gradient over a node x of what its edges give: skips, averages, and what reads its ReLU.

    gradients: over the output of each edge. weights: mixing weights [edges, 5, M channels]. dr: over r, its ReLU.
    """
    skips, pools = (weights[:, place, :, None, None] for place in (SKIP, POOL))
    dx, dp = gradients[0] * skips[0], gradients[0] * pools[0]
    for g, skip, pool in zip(gradients[1:], skips[1:], pools[1:], strict=True):
        dx.addcmul_(g, skip)
        dp.addcmul_(g, pool)
    return dx.add_(torch.ops.aten.threshold_backward(dr, r, 0)).add_(average_pool_backward(dp, x))


class TrainedEdges(torch.autograd.Function):
    """What a node adds to each node after it, as `fast.join_edges`: skip x + pool p + conv3 BN(W3 * r) +
    conv1 BN(W1 * r), with p its averages and r its ReLU, in train mode."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weights: Tensor,
        groups: int,
        eps: float,
        statistics: Sequence[tuple[Tensor, Tensor]],
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        """weights: mixing weights [edges, 5, M channels]. statistics: of the 3x3 and the 1x1 convolution of each edge.
        tensors: those convolutions' weights, and the nodes' sums so far; none if this node is the first."""
        edges = len(weights)
        kernels, totals = tensors[: 2 * edges], tensors[2 * edges :]
        r, p = F.relu(x), average_pool(x)
        sums, kept = [], []
        for edge, (_, skip, conv1, conv3, pool) in enumerate(w.unbind() for w in weights.unbind()):
            parts = []
            for place, scale in ((2 * edge, conv3), (2 * edge + 1, conv1)):
                kernel = kernels[place]
                z = F.conv2d(r, kernel, None, 1, kernel.shape[-1] // 2, 1, groups)
                y, mean, spread = apply_norm(z, scale, None, statistics[place], eps)
                parts.append(y)
                kept += [z, mean, spread]
            y = parts[0].add_(parts[1]).addcmul_(x, shape_per_channel(skip)).addcmul_(p, shape_per_channel(pool))
            sums.append(y.add_(totals[edge]) if totals else y)
        ctx.groups, ctx.edges = groups, edges
        ctx.save_for_backward(x, r, p, weights, *kernels, *kept)
        return tuple(sums)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, r, p, weights, *rest = ctx.saved_tensors
        edges = ctx.edges
        kernels, kept = rest[: 2 * edges], rest[2 * edges :]
        ahead, asked, mixed = ctx.needs_input_grad[0], ctx.needs_input_grad[5 : 5 + 2 * edges], ctx.needs_input_grad[1]
        dr: Tensor | None = None
        moved = [make_channels_last(g) for g in gradients[: len(weights)]]
        slopes, dkernels = [], []
        for edge, (g, w) in enumerate(zip(moved, weights.unbind(), strict=True)):
            none, _, conv1, conv3, _ = w.unbind()
            dconv = []
            for place, scale in ((2 * edge, conv3), (2 * edge + 1, conv1)):
                z, mean, spread = kept[3 * place : 3 * place + 3]
                dz, dscale, _ = differentiate_norm(g, z, scale, mean, spread)
                back, dkernel = differentiate_convolution(dz, r, kernels[place], ctx.groups, [ahead, asked[place]])
                dr = add_over(dr, back)
                dconv.append(dscale)
                dkernels.append(dkernel)
            if mixed:
                slopes.append(
                    torch.stack(
                        [
                            torch.zeros_like(none),
                            compute_channel_products(g, x)[0],
                            dconv[1],
                            dconv[0],
                            compute_channel_products(g, p)[0],
                        ]
                    )
                )
        dx = differentiate_node(moved, weights, dr, r, x) if dr is not None else None
        totals = gradients[: len(ctx.needs_input_grad) - 5 - 2 * edges]
        return dx, torch.stack(slopes) if mixed else None, None, None, None, *dkernels, *totals


class StackedFrozenEdges(torch.autograd.Function):
    """The same in eval mode, where an edge's convolutions, batch norm and mixing weights are one convolution."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, groups: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        """tensors: weight and bias of the convolution of each edge, and the nodes' sums so far, if there are any."""
        edges = len(weights)
        kernels, totals = tensors[: 2 * edges], tensors[2 * edges :]
        r, p = F.relu(x), average_pool(x)
        sums = []
        for edge, (_, skip, _, _, pool) in enumerate(w.unbind() for w in weights.unbind()):
            y = F.conv2d(r, kernels[2 * edge], kernels[2 * edge + 1], 1, 1, 1, groups)
            y = y.addcmul_(x, shape_per_channel(skip)).addcmul_(p, shape_per_channel(pool))
            sums.append(y.add_(totals[edge]) if totals else y)
        ctx.groups, ctx.edges = groups, edges
        ctx.save_for_backward(x, r, p, weights, *kernels)
        return tuple(sums)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, r, p, weights, *kernels = ctx.saved_tensors
        ahead = ctx.needs_input_grad[0]
        dr: Tensor | None = None
        moved = [make_channels_last(g) for g in gradients[: len(weights)]]
        slopes, dkernels = [], []
        for edge, (g, w) in enumerate(zip(moved, weights.unbind(), strict=True)):
            back, dkernel = differentiate_convolution(g, r, kernels[2 * edge], ctx.groups, [ahead, True])
            dr = add_over(dr, back)
            (dskip, dbias), (dpool, _), rest = (
                compute_channel_products(g, x),
                compute_channel_products(g, p),
                torch.zeros_like(w[0]),
            )
            dkernels += [dkernel, dbias]
            slopes.append(torch.stack([rest, dskip, rest, rest, dpool]))
        dx = differentiate_node(moved, weights, dr, r, x) if dr is not None else None
        return dx, torch.stack(slopes), None, *dkernels, *gradients[: len(ctx.needs_input_grad) - 3 - len(kernels)]


Leave = Callable[[Tensor, Tensor, Sequence[str], Sequence[Tensor]], Sequence[Tensor]]
"""What a node gives to each node after it with the sums so far, if there are any: of the node, the mixing weights of
its edges, their names, and those sums."""


class NASBench201SideBySide(SideBySide):
    """NAS-Bench-201's networks as one, computed as this module says."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__(members)
        self.cells: dict[str, int] = {}
        """The channels that are mixed in each cell; zero in a residual reduction."""
        for place, cell in enumerate(self.first.cells):
            mixed = isinstance(cell, NASBench201MixedCell)
            self.cells[f"cells.{place}"] = next(cell.parameters()).shape[1] if mixed else 0

    @classmethod
    def covers(cls, net: Supernet, x: Tensor, mix: Mix) -> bool:
        """See the base. Of images that are one pixel in the end PyTorch normalizes channels by their number."""
        return isinstance(net, FastNASBench201Supernet) and min(x.shape[2:]) > 4 and super().covers(net, x, mix)

    def layers(self, x: Tensor, mix: Mix, weights: Weights) -> Tensor:
        def leave(x: Tensor, w: Tensor, edges: Sequence[str], totals: Sequence[Tensor]) -> Sequence[Tensor]:
            names = [f"{edge}.nor_conv_{kernel}" for edge in edges for kernel in ("3x3", "1x1")]
            places = [self.places[f"{name}.2"] for name in names]
            found: Sequence[Tensor] = TrainedEdges.apply(  # type: ignore[no-untyped-call]
                x,
                w,
                self.count,
                self.norms[0][places[0]].eps,
                [self.statistics[place] for place in places],
                *(weights[f"{name}.1.weight"] for name in names),
                *totals,
            )
            return found

        def reduced(x: Tensor, name: str) -> Tensor:
            y = x
            for part, stride in (("conv_a", 2), ("conv_b", 1)):
                y = self.convolve(F.relu(y), weights[f"{name}.{part}.1.weight"], stride)
                y = self.norm(y, f"{name}.{part}.2", weights)
            return y + self.convolve(F.avg_pool2d(x, 2, stride=2), weights[f"{name}.downsample.1.weight"])

        x = self.norm(self.convolve(x, weights["stem.0.weight"]), "stem.1", weights)
        x = self._cells(x, self._rows(mix), leave, reduced)
        return self.classified(F.relu(self.norm(x, "last.0", weights)), weights)

    def frozen_layers(self, weights: Weights, norms: Folds) -> Callable[[Tensor], Callable[[Mix], Tensor]]:
        def folded(name: str, place: int = 1) -> tuple[Tensor, Tensor]:
            factor, shift = norms[f"{name}.{place + 1}"]
            return weights[f"{name}.{place}.weight"] * factor.view(-1, 1, 1, 1), shift

        def convolved(x: Tensor, kernel: Tensor, bias: Tensor, stride: int = 1) -> Tensor:
            return self.convolve(x, kernel, stride) + shape_per_channel(bias)

        reductions = {
            name: [folded(f"{name}.conv_{part}") for part in "ab"] for name, width in self.cells.items() if not width
        }

        def reduced(x: Tensor, name: str) -> Tensor:
            first, second = reductions[name]
            y = convolved(F.relu(convolved(F.relu(x), *first, 2)), *second)
            return y + self.convolve(F.avg_pool2d(x, 2, stride=2), weights[f"{name}.downsample.1.weight"])

        kernels = {}
        """Of the edges of a width, [cells, edges, ...]: weights and biases of both convolutions, the 1x1 as a 3x3."""
        edges = {width: self._edges(width) for width in self.cells.values() if width}
        for width, names in edges.items():
            both = []
            for kernel in ("3x3", "1x1"):
                parts = zip(*(folded(f"{name}.nor_conv_{kernel}") for name in names), strict=True)
                both += [torch.unflatten(torch.stack(part), 0, (-1, len(EDGES))) for part in parts]
            kernel3, bias3, kernel1, bias1 = both
            kernels[width] = kernel3, bias3, F.pad(kernel1, (1, 1, 1, 1)), bias1
        stem, last = folded("stem", 0), norms["last.0"]

        def logits(entering: Tensor, mix: Mix) -> Tensor:
            rows = self._rows(mix)
            mixed: dict[str, tuple[Tensor, ...]] = {}
            for width, (kernel3, bias3, kernel1, bias1) in kernels.items():
                conv1, conv3 = (rows[width][:, place] for place in (CONV1, CONV3))
                kernel = kernel3 * conv3[..., None, None, None] + kernel1 * conv1[..., None, None, None]
                both = (kernel.flatten(0, 1).unbind(), (bias3 * conv3 + bias1 * conv1).flatten(0, 1).unbind())
                mixed |= dict(zip(edges[width], zip(*both, strict=True), strict=True))

            def leave(x: Tensor, w: Tensor, edges: Sequence[str], totals: Sequence[Tensor]) -> Sequence[Tensor]:
                parts = [part for edge in edges for part in mixed[edge]]
                found: Sequence[Tensor] = StackedFrozenEdges.apply(x, w, self.count, *parts, *totals)  # type: ignore[no-untyped-call]
                return found

            y = self._cells(entering, rows, leave, reduced)
            return self.classified(F.relu(y * shape_per_channel(last[0]) + shape_per_channel(last[1])), weights)

        return lambda x: partial(logits, convolved(x, *stem))

    def _edges(self, width: int) -> list[str]:
        """The names of the edges in cells of a width, cell by cell, by the node that they leave."""
        cells = [name for name, own in self.cells.items() if own == width]
        return [f"{cell}.edges.{t}<-{node}" for cell in cells for node in range(len(TARGETS)) for t in TARGETS[node]]

    def _rows(self, mix: Mix) -> dict[int, Tensor]:
        """The mixing weights of edges, by the node that they leave, for each width: [edges, 5, M channels]."""
        rows = torch.stack([mix[0][:, edge] for edge in ORDER], dim=1)
        return {width: self.wide(rows, width) for width in self.cells.values() if width}

    def _cells(
        self, x: Tensor, rows: Mapping[int, Tensor], leave: Leave, reduced: Callable[[Tensor, str], Tensor]
    ) -> Tensor:
        factors = self.auxiliary_factors(x)
        split = {width: torch.split(own, SIZES) for width, own in rows.items()}
        for name, width in self.cells.items():
            x = self._cell(x, name, split[width], leave, factors) if width else reduced(x, name)
        return x

    def _cell(self, x: Tensor, name: str, rows: Sequence[Tensor], leave: Leave, factors: Tensor | None) -> Tensor:
        totals: Sequence[Tensor] = ()
        sources: Tensor | None = None
        for node, w in enumerate(rows):
            following, *totals = leave(self.inside(x), w, [f"{name}.edges.{t}<-{node}" for t in TARGETS[node]], totals)
            if self.first.partial_channels > 1 or factors is not None:
                sources = x if sources is None else sources + x
            x = following if sources is None else self.beside(following, sources, factors)
        return x
