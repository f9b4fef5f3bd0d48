"""Weighted operations that keep less for the backward pass than PyTorch's own, with the same gradients.

Each can be differentiated twice: there, it is computed from PyTorch's operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F


def by_plain(
    plain: Callable[..., Tensor], inputs: Sequence[Tensor], needed: Sequence[bool], gradient: Tensor
) -> list[Tensor | None]:
    """The gradients of plain(*inputs), themselves differentiable; None where one is not needed."""
    with torch.enable_grad():
        y = plain(*inputs)
        wanted = [i for i, n in zip(inputs, needed, strict=True) if n]
        found = iter(torch.autograd.grad(y, wanted, gradient, create_graph=True))
    return [next(found) if n else None for n in needed]


class NormRelu(torch.autograd.Function):
    """w relu(batch_norm(z)), batch statistics, w a factor for each channel.

    Keeps z alone. With g the incoming gradient where ReLU is open, batch norm's backward pass gives sum(g x_hat) and
    sum(g), x_hat the normalised z; dw = scale sum(g x_hat) + shift sum(g), so ReLU's output is not needed.
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, scale: Tensor, shift: Tensor, w: Tensor, statistics: tuple[Tensor, Tensor], eps: float
    ) -> Tensor:
        """statistics: where the batch's mean and unbiased variance [channels] are written."""
        y, mean, spread = torch.native_batch_norm(z, scale, shift, *statistics, True, 1.0, eps)
        ctx.save_for_backward(z, scale, shift, w, mean, spread)
        ctx.eps = eps
        return y.relu_().mul_(w.view(-1, 1, 1))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        z, scale, shift, w, mean, spread = ctx.saved_tensors
        needed = ctx.needs_input_grad[:4]
        if torch.is_grad_enabled():

            def plain(z: Tensor, scale: Tensor, shift: Tensor, w: Tensor) -> Tensor:
                return w.view(-1, 1, 1) * F.relu(F.batch_norm(z, None, None, scale, shift, True, eps=ctx.eps))

            return *by_plain(plain, (z, scale, shift, w), needed, gradient), None, None
        slope = scale * spread
        y = (z * slope.view(-1, 1, 1)).add_((shift - mean * slope).view(-1, 1, 1))
        g = torch.ops.aten.threshold_backward(gradient, y.to(gradient.dtype), 0)
        affine = any(needed[1:])
        dz, dscale, dshift = torch.ops.aten.native_batch_norm_backward(
            g, z, scale * w, None, None, mean, spread, True, ctx.eps, [needed[0], affine, affine]
        )
        if not affine:
            return dz, None, None, None, None, None
        return dz, w * dscale, w * dshift, scale * dscale + shift * dshift, None, None


class ConvolutionNorm(torch.autograd.Function):
    """w batch_norm(convolution(x)), 1x1, batch statistics, w a factor for each channel.

    Keeps x, which other operations keep too, and computes the convolution again: it is the cheap one.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, w: Tensor, statistics: tuple[Tensor, Tensor], eps: float
    ) -> Tensor:
        """statistics: as for `NormRelu`."""
        y, mean, spread = torch.native_batch_norm(F.conv2d(x, weight), w, None, *statistics, True, 1.0, eps)
        ctx.save_for_backward(x, weight, w, mean, spread)
        ctx.eps = eps
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        x, weight, w, mean, spread = ctx.saved_tensors
        dx, dweight, dw = ctx.needs_input_grad[:3]
        if torch.is_grad_enabled():

            def plain(x: Tensor, weight: Tensor, w: Tensor) -> Tensor:
                return F.batch_norm(F.conv2d(x, weight), None, None, w, None, True, eps=ctx.eps)

            return *by_plain(plain, (x, weight, w), (dx, dweight, dw), gradient), None, None
        z = F.conv2d(x, weight)
        back, scale, _ = torch.ops.aten.native_batch_norm_backward(
            gradient, z, w, None, None, mean, spread, True, ctx.eps, [True, dw, False]
        )
        found = torch.ops.aten.convolution_backward(
            back, x, weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [dx, dweight, False]
        )
        return found[0], found[1], scale if dw else None, None, None


class MaxPool(torch.autograd.Function):
    """w max_pool(x), 3x3, stride 1, w a scalar.

    Keeps x and the places of the maxima in two bytes each. dw = <gradient, max_pool(x)> = <its backward pass, x>.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, w: Tensor) -> Tensor:
        y, places = torch.ops.aten.max_pool2d_with_indices(x, [3, 3], [1, 1], [1, 1])
        ctx.save_for_backward(x, w, places.to(torch.int16) if places[0, 0].numel() < 2**15 else places)
        out: Tensor = y.mul_(w)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        x, w, places = ctx.saved_tensors
        if torch.is_grad_enabled():
            return tuple(
                by_plain(
                    lambda x, w: w * F.max_pool2d(x, 3, stride=1, padding=1), (x, w), ctx.needs_input_grad, gradient
                )
            )
        back = torch.ops.aten.max_pool2d_with_indices_backward(
            gradient, x, [3, 3], [1, 1], [1, 1], [1, 1], False, places.long()
        )
        dw = (back * x).sum() if ctx.needs_input_grad[1] else None
        return back.mul_(w) if ctx.needs_input_grad[0] else None, dw
