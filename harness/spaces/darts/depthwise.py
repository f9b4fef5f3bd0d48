"""Depthwise convolutions of stride 1, with faster gradients than PyTorch's own on a CPU.

There, the gradient over a dilated convolution's input takes ten times as long as the convolution, and that over a
5x5 kernel as long as seven; both are convolutions of stride 1 that take no longer than the one they belong to.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.spaces.blocks.fused import is_autocasting, make_channels_last
from harness.spaces.blocks.saving import differentiate_plainly


def convolve_plainly(x: Tensor, weight: Tensor, *, dilation: int) -> Tensor:
    """The convolution of x [batch, channels, height, width] by PyTorch; weight: [channels, 1, side, side]."""
    padding = dilation * (weight.shape[-1] // 2)
    return F.conv2d(x, weight, None, 1, padding, dilation, groups=x.shape[1])


def convolve_depthwise(x: Tensor, weight: Tensor, dilation: int = 1) -> Tensor:
    """The depthwise convolution of x, differentiated as this module says."""
    if x.device.type != "cpu" or is_autocasting(x):
        return convolve_plainly(x, weight, dilation=dilation)
    found: Tensor = Depthwise.apply(x, weight, dilation)  # type: ignore[no-untyped-call]
    return found


class Depthwise(torch.autograd.Function):
    """`convolve_plainly`, with its gradient over x as the convolution by the mirrored kernel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return convolve_plainly(x, weight, dilation=dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        needed = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():
            return *differentiate_plainly(
                partial(convolve_plainly, dilation=ctx.dilation), (x, weight), needed, gradient
            ), None
        gradient = make_channels_last(gradient)
        back = convolve_plainly(gradient, weight.flip(2, 3), dilation=ctx.dilation) if needed[0] else None
        return back, differentiate_kernel(gradient, x, weight, ctx.dilation) if needed[1] else None, None


def differentiate_kernel(gradient: Tensor, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """The gradient over the kernel. That of a 5x5 kernel is put together of those of four 3x3 kernels, each in a corner
    of it, which PyTorch computes faster."""
    if weight.shape[-1] != 5 or dilation != 1:
        return _differentiate_by_torch(gradient, x, weight, dilation)
    height, width = x.shape[2:]
    x, gradient = F.pad(x, (2, 2, 2, 2)), F.pad(gradient, (1, 1, 1, 1))
    found = torch.empty_like(weight)
    for top in (0, 2):
        for left in (0, 2):
            moved = make_channels_last(x[:, :, top : top + height + 2, left : left + width + 2])
            corner = (..., slice(top, top + 3), slice(left, left + 3))
            found[corner] = _differentiate_by_torch(gradient, moved, weight[corner], 1)
    return found


def _differentiate_by_torch(gradient: Tensor, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    padding = dilation * (weight.shape[-1] // 2)
    geometry = [1, 1], [padding, padding], [dilation, dilation], False, [0, 0], x.shape[1]
    found: Tensor = torch.ops.aten.convolution_backward(gradient, x, weight, None, *geometry, [False, True, False])[1]
    return found


def take_apart(x: Tensor) -> Tensor:
    """Every second pixel of every second row, and the other three quarters, as four times as many images: [4 batch,
    channels, height / 2, width / 2]. A convolution of dilation 2 is one of dilation 1 there."""
    batch, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, width // 2, 2, channels)
    return rows.permute(2, 4, 0, 1, 3, 5).reshape(4 * batch, height // 2, width // 2, channels).permute(0, 3, 1, 2)


def put_together(x: Tensor) -> Tensor:
    """The images that `take_apart` has taken apart."""
    four, channels, height, width = x.shape
    quarters = x.permute(0, 2, 3, 1).reshape(2, 2, four // 4, height, width, channels)
    rows = quarters.permute(2, 3, 0, 4, 1, 5).reshape(four // 4, 2 * height, 2 * width, channels)
    return rows.permute(0, 3, 1, 2)
