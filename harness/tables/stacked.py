"""Many small NAS-Bench-201 networks trained as one.

M networks share every tensor: activations are ``[M, channels, pixels, batch]``, so that a small network pays no
dispatch of its own. On images of a few dozen pixels a convolution is a small dense matrix, and the convolutions of
all networks are one batched matrix product (a step took 1.2 ms a network where a grouped convolution took 2.4: 60
networks, one core, four channels, 8x16 images). The networks see the same batches but never exchange a value; an edge
runs each operation only for the networks whose cell has it there.

Skeleton (Dong & Yang 2020, section 2.1, with one cell a stage and a stem of stride 2): conv3x3-BN stem, stages of C,
2C, 4C channels with a stride-2 residual block between them, BN-ReLU, global average pooling, a linear classifier. BN
inside the cells has no affine part, so that an operation maps zero to zero and equivalent cells are the same function.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.spaces.nasbench201 import EDGES, live_operations
from harness.streams import derive_seed

NONE, SKIP, CONV1, CONV3, POOL = range(5)
KERNEL = {CONV1: 1, CONV3: 3}
BN_MOMENTUM = 0.1
STAGES, STEM_STRIDE = 3, 2


class _Gather(torch.autograd.Function):
    """The networks of each index from dimension 0; backward adds all of them into one buffer."""

    @staticmethod
    def forward(ctx, x: Tensor, *indices: Tensor) -> tuple[Tensor, ...]:  # type: ignore[no-untyped-def]
        ctx.indices, ctx.shape = indices, x.shape
        return tuple(x.index_select(0, index) for index in indices)

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
        out = grads[0].new_zeros(ctx.shape)
        for index, grad in zip(ctx.indices, grads, strict=True):
            out.index_add_(0, index, grad)
        return out, *(None for _ in ctx.indices)


class _Scatter(torch.autograd.Function):
    """The sum of parts at their indices of dimension 0, in one buffer; backward reads each part's rows."""

    @staticmethod
    def forward(ctx, networks: int, indices: list[Tensor], *parts: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.indices = indices
        out = parts[0].new_zeros(networks, *parts[0].shape[1:])
        for index, part in zip(indices, parts, strict=True):
            out.index_add_(0, index, part)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
        return None, None, *(grad.index_select(0, index) for index in ctx.indices)


@functools.cache
def shift_tensor(height: int, width: int, kernel: int, stride: int) -> Tensor:
    """The 0/1 tensor S[k, q, p]: kernel tap k of a same-padded convolution takes input pixel p to output pixel q."""
    unit = torch.eye(height * width).view(-1, 1, height, width)
    taps = F.unfold(unit, kernel, padding=kernel // 2, stride=stride)  # [p, k, q]
    return taps.permute(1, 2, 0).contiguous()


@functools.cache
def pooling_matrix(height: int, width: int, kernel: int, stride: int) -> Tensor:
    """Average pooling, padding not counted, as a matrix [output pixels, input pixels]."""
    unit = torch.eye(height * width).view(-1, 1, height, width)
    padding = kernel // 2 if kernel % 2 else 0
    return F.avg_pool2d(unit, kernel, stride, padding, count_include_pad=False).flatten(1).T.contiguous()


def convolve(x: Tensor, weight: Tensor, height: int, width: int, stride: int = 1) -> Tensor:
    """Same-padded convolution of every network as one batched matrix product.

    x: [M, in, pixels, batch]; weight: [M, out, in, k * k]. Returns [M, out, pixels', batch]. On images of a few
    dozen pixels the convolution's matrix is small, and a product with it is faster than a grouped convolution.
    """
    shifts = shift_tensor(height, width, math.isqrt(weight.shape[-1]), stride).to(x)
    m, cout, cin, _ = weight.shape
    taps, qs, ps = shifts.shape
    matrix = (weight.view(-1, taps) @ shifts.view(taps, -1)).view(m, cout, cin, qs, ps)
    matrix = matrix.transpose(2, 3).reshape(m, cout * qs, cin * ps)
    return torch.bmm(matrix, x.flatten(1, 2)).view(m, cout, qs, -1)


class StackedNetworks:
    """M networks of NAS-Bench-201 cells in one grouped network.

    cells: one tuple of six operation indices a network (official operation order, official edge order).
    seed: of the initial weights, which depend on (seed, parameter) alone and so are equal for all networks, as in
    NAS-Bench-201, whose architectures are all trained from the same few seeds. What a lucky stem is worth then moves
    all networks together and does not disturb their ranking.
    """

    def __init__(
        self,
        cells: Sequence[tuple[int, ...]],
        seed: int,
        *,
        channels: int,
        classes: int,
        image_channels: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.count, self.channels, self.classes = len(cells), channels, classes
        self.device = torch.device(device)
        self.training = True
        self._seed = seed
        self.parameters: dict[str, Tensor] = {}
        self.buffers: dict[str, Tensor] = {}
        live = [live_operations(cell) for cell in cells]
        # groups[edge][operation] = the networks that run it there
        self.groups: list[dict[int, list[int]]] = [
            {op: [n for n in range(self.count) if live[n][edge] == op] for op in (SKIP, CONV1, CONV3, POOL)}
            for edge in range(len(EDGES))
        ]
        everyone = list(range(self.count))
        self._conv("stem", everyone, image_channels, channels, 3)
        self._bn("stem", everyone, channels, affine=True)
        for stage in range(STAGES):
            width = channels * 2**stage
            if stage:
                self._residual(f"reduce{stage}", everyone, width // 2, width)
            for edge, groups in enumerate(self.groups):
                for op, networks in groups.items():
                    if op in KERNEL and networks:
                        self._conv(f"cell{stage}.{edge}.{op}", networks, width, width, KERNEL[op])
                        self._bn(f"cell{stage}.{edge}.{op}", networks, width, affine=False)
        self._bn("last", everyone, width, affine=True)
        self._linear("head", width, classes)
        self._index = {
            (edge, op): torch.tensor(networks, device=self.device)
            for edge, groups in enumerate(self.groups)
            for op, networks in groups.items()
            if networks
        }
        for p in self.parameters.values():
            p.requires_grad_()

    # -- parameters ------------------------------------------------------------------------------------------

    def _generator(self, name: str) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self._seed, name))

    def _conv(self, name: str, networks: Sequence[int], cin: int, cout: int, kernel: int) -> None:
        std = (2.0 / (cin * kernel * kernel)) ** 0.5
        weight = torch.randn(cout, cin, kernel * kernel, generator=self._generator(name)).mul_(std)
        self.parameters[f"{name}.conv"] = weight.repeat(len(networks), 1, 1, 1).to(self.device)

    def _bn(self, name: str, networks: Sequence[int], width: int, *, affine: bool) -> None:
        size = len(networks) * width
        if affine:
            self.parameters[f"{name}.scale"] = torch.ones(size, device=self.device)
            self.parameters[f"{name}.shift"] = torch.zeros(size, device=self.device)
        self.buffers[f"{name}.mean"] = torch.zeros(size, device=self.device)
        self.buffers[f"{name}.var"] = torch.ones(size, device=self.device)

    def _residual(self, name: str, everyone: Sequence[int], cin: int, cout: int) -> None:
        self._conv(f"{name}.a", everyone, cin, cout, 3)
        self._bn(f"{name}.a", everyone, cout, affine=True)
        self._conv(f"{name}.b", everyone, cout, cout, 3)
        self._bn(f"{name}.b", everyone, cout, affine=True)
        self._conv(f"{name}.down", everyone, cin, cout, 1)

    def _linear(self, name: str, width: int, classes: int) -> None:
        bound = width**-0.5
        weight = torch.empty(width, classes).uniform_(-bound, bound, generator=self._generator(name))
        self.parameters[f"{name}.weight"] = weight.repeat(self.count, 1, 1).to(self.device)
        self.parameters[f"{name}.bias"] = torch.zeros(self.count, 1, classes, device=self.device)

    # -- forward ---------------------------------------------------------------------------------------------

    def _apply_conv(self, name: str, x: Tensor, *, stride: int = 1) -> Tensor:
        return convolve(x, self.parameters[f"{name}.conv"], *self._size, stride=stride)

    def _apply_bn(self, name: str, x: Tensor) -> Tensor:
        """x: [M, channels, pixels, batch], normalised over pixels and batch."""
        flat = x.reshape(1, x.shape[0] * x.shape[1], -1)
        y = F.batch_norm(
            flat,
            self.buffers[f"{name}.mean"],
            self.buffers[f"{name}.var"],
            self.parameters.get(f"{name}.scale"),
            self.parameters.get(f"{name}.shift"),
            training=self.training,
            momentum=BN_MOMENTUM,
        )
        return y.view(x.shape)

    def _pool(self, x: Tensor, kernel: int, stride: int) -> Tensor:
        return torch.matmul(pooling_matrix(*self._size, kernel, stride).to(x), x)

    def _operation(self, stage: int, edge: int, op: int, x: Tensor) -> Tensor:
        """x: [n, channels, pixels, batch], the n networks that have this operation on this edge."""
        if op == SKIP:
            return x
        if op == POOL:
            return self._pool(x, 3, 1)
        name = f"cell{stage}.{edge}.{op}"
        return self._apply_bn(name, self._apply_conv(name, F.relu(x)))

    def _sum(self, arrived: list[tuple[Tensor, Tensor]]) -> Tensor:
        total: Tensor = _Scatter.apply(  # type: ignore[no-untyped-call]
            self.count, [index for index, _ in arrived], *(part for _, part in arrived)
        )
        return total

    def _cell(self, stage: int, x: Tensor) -> Tensor:
        nodes = [x]
        inbox: dict[int, list[tuple[Tensor, Tensor]]] = {1: [], 2: [], 3: []}
        for source in range(3):
            out = [
                (edge, target, op, self._index[edge, op])
                for edge, (start, target) in enumerate(EDGES)
                if start == source
                for op, networks in self.groups[edge].items()
                if networks
            ]
            if out:
                parts = _Gather.apply(nodes[source], *(index for *_, index in out))  # type: ignore[no-untyped-call]
                for (edge, target, op, index), part in zip(out, parts, strict=True):
                    inbox[target].append((index, self._operation(stage, edge, op, part)))
            arrived = inbox[source + 1]
            if arrived:
                nodes.append(self._sum(arrived))
            else:
                nodes.append(torch.zeros_like(x))
        return nodes[3]

    def __call__(self, images: Tensor) -> Tensor:
        """images: [batch, image_channels, height, width], seen by every network. Returns logits [M, batch, classes]."""
        self._size = images.shape[-2], images.shape[-1]
        x = images.flatten(2).permute(1, 2, 0).expand(self.count, -1, -1, -1)
        x = self._apply_bn("stem", self._apply_conv("stem", x, stride=STEM_STRIDE))
        self._shrink(STEM_STRIDE)
        for stage in range(STAGES):
            if stage:
                name = f"reduce{stage}"
                y = self._apply_bn(f"{name}.a", self._apply_conv(f"{name}.a", F.relu(x), stride=2))
                x = self._pool(x, 2, 2)
                self._shrink(2)
                y = self._apply_bn(f"{name}.b", self._apply_conv(f"{name}.b", F.relu(y)))
                x = y + self._apply_conv(f"{name}.down", x)
            x = self._cell(stage, x)
        features = F.relu(self._apply_bn("last", x)).mean(2).transpose(1, 2)
        return torch.baddbmm(self.parameters["head.bias"], features, self.parameters["head.weight"])

    def _shrink(self, stride: int) -> None:
        self._size = self._size[0] // stride, self._size[1] // stride
