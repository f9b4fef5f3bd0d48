"""Many small networks trained as one.

M networks share every tensor: activations are ``[M, channels, pixels, batch]``, so that a small network pays no
dispatch of its own. On images of a few dozen pixels a convolution is a small dense matrix, and the convolutions of
all networks are one batched matrix product (a step took 1.2 ms a network where a grouped convolution took 2.4: 60
networks, one core, four channels, 8x16 images). The networks see the same batches but never exchange a value; where
their cells differ, an operation runs only for the networks that have it there.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.core.seeds import derive_seed
from harness.spaces.base import Architecture

BN_MOMENTUM = 0.1
STAGES, STEM_STRIDE = 3, 2

Spec = Any
"""What a stack needs to know of one network: nested tuples that JSON can hold, equal for equal canonical keys."""


class Gather(torch.autograd.Function):
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


class Scatter(torch.autograd.Function):
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
def build_shift_tensor(height: int, width: int, kernel: int, stride: int) -> Tensor:
    """The 0/1 tensor S[k, q, p]: kernel tap k of a same-padded convolution takes input pixel p to output pixel q."""
    unit = torch.eye(height * width).view(-1, 1, height, width)
    taps = F.unfold(unit, kernel, padding=kernel // 2, stride=stride)  # [p, k, q]
    return taps.permute(1, 2, 0).contiguous()


@functools.cache
def build_pooling_matrix(height: int, width: int, kernel: int, stride: int) -> Tensor:
    """Average pooling, padding not counted, as a matrix [output pixels, input pixels]."""
    unit = torch.eye(height * width).view(-1, 1, height, width)
    padding = kernel // 2 if kernel % 2 else 0
    return F.avg_pool2d(unit, kernel, stride, padding, count_include_pad=False).flatten(1).T.contiguous()


def pool_max(x: Tensor, height: int, width: int, kernel: int, stride: int) -> Tensor:
    """Max pooling of [M, channels, pixels, batch], the padding never chosen. The batch is max_pool3d's last axis."""
    volume = x.view(*x.shape[:2], height, width, -1)
    padding = kernel // 2 if kernel % 2 else 0
    return F.max_pool3d(volume, (kernel, kernel, 1), (stride, stride, 1), (padding, padding, 0)).flatten(2, 3)


def convolve(x: Tensor, weight: Tensor, height: int, width: int, stride: int = 1) -> Tensor:
    """Same-padded convolution of every network as one batched matrix product.

    x: [M, in, pixels, batch]; weight: [M, out, in, k * k]. Returns [M, out, pixels', batch]. On images of a few
    dozen pixels the convolution's matrix is small, and a product with it is faster than a grouped convolution.
    """
    if weight.shape[-1] == 1 and stride == 1:
        return torch.bmm(weight.squeeze(-1), x.flatten(2)).view(weight.shape[0], -1, *x.shape[2:])
    shifts = build_shift_tensor(height, width, math.isqrt(weight.shape[-1]), stride).to(x)
    m, cout, cin, _ = weight.shape
    taps, qs, ps = shifts.shape
    matrix = (weight.view(-1, taps) @ shifts.view(taps, -1)).view(m, cout, cin, qs, ps)
    matrix = matrix.transpose(2, 3).reshape(m, cout * qs, cin * ps)
    return torch.bmm(matrix, x.flatten(1, 2)).view(m, cout, qs, -1)


class StackedNetworks(ABC):
    """M networks as one. A space names its subclass in `Space.stack`.

    specs: of the networks, one of the groups that `group` gives. seed: of the initial weights, which depend on
    (seed, parameter) alone and so are equal for all networks, as in NAS-Bench-201, whose architectures are all trained
    from the same few seeds. What a lucky stem is worth then moves all networks together and does not disturb their
    ranking.
    """

    skeleton: ClassVar[str]
    """The network around the cell, in half a sentence for data sheets."""
    same: ClassVar[str]
    """Which cells count as one, in sentences for data sheets."""

    def __init__(
        self,
        specs: Sequence[Spec],
        seed: int,
        *,
        channels: int,
        classes: int,
        image_channels: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.count, self.channels = len(specs), channels
        self.device = torch.device(device)
        self.training = True
        self._seed = seed
        self.parameters: dict[str, Tensor] = {}
        self.buffers: dict[str, Tensor] = {}
        self._conv_bn("stem", self.count, image_channels, channels, 3)
        self._build(specs)
        self._linear("head", channels * 2 ** (STAGES - 1), classes)
        for p in self.parameters.values():
            p.requires_grad_()

    @staticmethod
    @abstractmethod
    def specify(architecture: Architecture) -> Spec:
        """What has to be known of an architecture to train it; equal exactly for equal canonical keys."""

    @staticmethod
    @abstractmethod
    def group(specs: Sequence[Spec], size: int) -> list[list[Spec]]:
        """The networks in groups of at most `size` that fit into one stack."""

    @abstractmethod
    def _build(self, specs: Sequence[Spec]) -> None:
        """Make the parameters of the stages (stem and head are there)."""

    @abstractmethod
    def _stages(self, x: Tensor) -> Tensor:
        """From the stem's output to the features before global pooling."""

    # -- parameters ------------------------------------------------------------------------------------------

    def _generator(self, name: str) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self._seed, name))

    def _conv(self, name: str, networks: int, cin: int, cout: int, kernel: int) -> None:
        std = (2.0 / (cin * kernel * kernel)) ** 0.5
        weight = torch.randn(cout, cin, kernel * kernel, generator=self._generator(name)).mul_(std)
        self.parameters[f"{name}.conv"] = weight.repeat(networks, 1, 1, 1).to(self.device)

    def _bn(self, name: str, networks: int, width: int, *, affine: bool = True) -> None:
        size = networks * width
        if affine:
            self.parameters[f"{name}.scale"] = torch.ones(size, device=self.device)
            self.parameters[f"{name}.shift"] = torch.zeros(size, device=self.device)
        self.buffers[f"{name}.mean"] = torch.zeros(size, device=self.device)
        self.buffers[f"{name}.var"] = torch.ones(size, device=self.device)

    def _conv_bn(self, name: str, networks: int, cin: int, cout: int, kernel: int, *, affine: bool = True) -> None:
        self._conv(name, networks, cin, cout, kernel)
        self._bn(name, networks, cout, affine=affine)

    def _linear(self, name: str, width: int, classes: int) -> None:
        bound = width**-0.5
        weight = torch.empty(width, classes).uniform_(-bound, bound, generator=self._generator(name))
        self.parameters[f"{name}.weight"] = weight.repeat(self.count, 1, 1).to(self.device)
        self.parameters[f"{name}.bias"] = torch.zeros(self.count, 1, classes, device=self.device)

    # -- forward ---------------------------------------------------------------------------------------------

    def _apply_conv(self, name: str, x: Tensor, *, stride: int = 1) -> Tensor:
        return convolve(x, self.parameters[f"{name}.conv"], *self._size, stride=stride)

    def _apply_bn(self, name: str, x: Tensor) -> Tensor:
        """x: [M, channels, pixels, batch], normalized over pixels and batch."""
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

    def _apply_conv_bn(self, name: str, x: Tensor, *, stride: int = 1) -> Tensor:
        return self._apply_bn(name, self._apply_conv(name, x, stride=stride))

    def __call__(self, images: Tensor) -> Tensor:
        """images: [batch, image_channels, height, width], seen by every network. Returns logits [M, batch, classes]."""
        self._size = images.shape[-2], images.shape[-1]
        x = images.flatten(2).permute(1, 2, 0).expand(self.count, -1, -1, -1)
        x = self._apply_conv_bn("stem", x, stride=STEM_STRIDE)
        self._shrink(STEM_STRIDE)
        features = self._stages(x).mean(2).transpose(1, 2)
        return torch.baddbmm(self.parameters["head.bias"], features, self.parameters["head.weight"])

    def _shrink(self, stride: int) -> None:
        self._size = self._size[0] // stride, self._size[1] // stride
