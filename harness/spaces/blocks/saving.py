"""Weighted operations that keep less for the backward pass than PyTorch's own, with the same gradients.

Each can be differentiated twice: there, it is computed from PyTorch's operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F


def differentiate_plainly(
    plain: Callable[..., Tensor], inputs: Sequence[Tensor], needed: Sequence[bool], gradient: Tensor
) -> list[Tensor | None]:
    """The gradients of plain(*inputs), themselves differentiable; None where one is not needed."""
    with torch.enable_grad():
        y = plain(*inputs)
        wanted = [i for i, n in zip(inputs, needed, strict=True) if n]
        found = iter(torch.autograd.grad(y, wanted, gradient, create_graph=True))
    return [next(found) if n else None for n in needed]


def apply_norm_relu(z: Tensor, scale: Tensor, shift: Tensor, w: Tensor, *, eps: float) -> Tensor:
    """w relu(batch_norm(z)) by PyTorch's operations."""
    return w.view(-1, 1, 1) * F.relu(F.batch_norm(z, None, None, scale, shift, True, eps=eps))


class NormRelu(torch.autograd.Function):
    """w relu(batch_norm(z)), batch statistics, w a factor for each channel.

    Keeps z alone. With g the incoming gradient where ReLU is open, batch norm's backward pass gives sum(g x_hat) and
    sum(g), x_hat the normalized z; dw = scale sum(g x_hat) + shift sum(g), so ReLU's output is not needed.
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
            plain = partial(apply_norm_relu, eps=ctx.eps)
            return *differentiate_plainly(plain, (z, scale, shift, w), needed, gradient), None, None
        return *differentiate_norm_relu(gradient, z, scale, shift, w, mean, spread, ctx.eps, needed), None, None


def differentiate_norm_relu(
    gradient: Tensor,
    z: Tensor,
    scale: Tensor,
    shift: Tensor,
    w: Tensor,
    mean: Tensor,
    spread: Tensor,
    eps: float,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients of w relu(batch_norm(z)) over z, scale, shift and w, those that are needed."""
    slope = scale * spread
    y = (z * slope.view(-1, 1, 1)).add_((shift - mean * slope).view(-1, 1, 1)).to(gradient.dtype)
    g = torch.ops.aten.threshold_backward.grad_input(gradient, y, 0, grad_input=y)
    affine = any(needed[1:])
    dz, dscale, dshift = torch.ops.aten.native_batch_norm_backward(
        g, z, scale * w, None, None, mean, spread, True, eps, [needed[0], affine, affine]
    )
    return [dz, w * dscale, w * dshift, scale * dscale + shift * dshift] if affine else [dz, None, None, None]


class ConvolutionNormRelu(torch.autograd.Function):
    """w relu(batch_norm(convolution(x))), 1x1: as `NormRelu`, but it keeps x, which other operations keep too, and
    computes the convolution again."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        scale: Tensor,
        shift: Tensor,
        w: Tensor,
        statistics: tuple[Tensor, Tensor],
        eps: float,
    ) -> Tensor:
        """statistics: as for `NormRelu`."""
        y, mean, spread = torch.native_batch_norm(F.conv2d(x, weight), scale, shift, *statistics, True, 1.0, eps)
        ctx.save_for_backward(x, weight, scale, shift, w, mean, spread)
        ctx.eps = eps
        return y.relu_().mul_(w.view(-1, 1, 1))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        x, weight, scale, shift, w, mean, spread = ctx.saved_tensors
        needed = ctx.needs_input_grad[:5]
        if torch.is_grad_enabled():

            def plain(x: Tensor, weight: Tensor, *rest: Tensor) -> Tensor:
                return apply_norm_relu(F.conv2d(x, weight), *rest, eps=ctx.eps)

            return *differentiate_plainly(plain, (x, weight, scale, shift, w), needed, gradient), None, None
        dx, dweight, *affine = needed
        z = F.conv2d(x, weight)
        dz, *rest = differentiate_norm_relu(
            gradient, z, scale, shift, w, mean, spread, ctx.eps, [dx or dweight, *affine]
        )
        del z
        return *differentiate_pointwise(dz, x, weight, dx, dweight), *rest, None, None


def differentiate_pointwise(
    gradient: Tensor | None, x: Tensor, weight: Tensor, dx: bool, dweight: bool
) -> list[Tensor | None]:
    """The gradients of a 1x1 convolution over its input and its weight."""
    if not (dx or dweight):
        return [None, None]
    found: tuple[Tensor | None, ...] = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [dx, dweight, False]
    )
    return [*found[:2]]


class ConvolutionNorm(torch.autograd.Function):
    """w batch_norm(convolution(x)), 1x1, batch statistics, w a factor for each channel, or None for none.

    Keeps x and computes the convolution again: it is the cheap one.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, w: Tensor | None, statistics: tuple[Tensor, Tensor], eps: float
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

            def plain(x: Tensor, weight: Tensor, w: Tensor | None) -> Tensor:
                return F.batch_norm(F.conv2d(x, weight), None, None, w, None, True, eps=ctx.eps)

            return *differentiate_plainly(plain, (x, weight, w), (dx, dweight, dw), gradient), None, None
        z = F.conv2d(x, weight)
        back, scale, _ = torch.ops.aten.native_batch_norm_backward(
            gradient, z, w, None, None, mean, spread, True, ctx.eps, [dx or dweight, dw, False]
        )
        return *differentiate_pointwise(back, x, weight, dx, dweight), scale if dw else None, None, None


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
                differentiate_plainly(
                    lambda x, w: w * F.max_pool2d(x, 3, stride=1, padding=1), (x, w), ctx.needs_input_grad, gradient
                )
            )
        back = torch.ops.aten.max_pool2d_with_indices_backward(
            gradient, x, [3, 3], [1, 1], [1, 1], [1, 1], False, places.long()
        )
        dw = (back * x).sum() if ctx.needs_input_grad[1] else None
        return back.mul_(w) if ctx.needs_input_grad[0] else None, dw


class AddSideBySide(torch.autograd.Function):
    """y + [w_1 s_1, w_2 s_2, ...] side by side along the channels, written over y. Keeps the s, no product of them."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, w: Tensor, *states: Tensor) -> Tensor:
        """w: [number of states]."""
        for part, state, weight in zip(y.chunk(len(states), dim=1), states, w, strict=True):
            part.addcmul_(state, weight)
        ctx.mark_dirty(y)
        ctx.save_for_backward(w, *states)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        w, *states = ctx.saved_tensors
        _, dw, *wanted = ctx.needs_input_grad
        parts = gradient.chunk(len(states), dim=1)
        slopes = torch.stack([(part * s).sum() for part, s in zip(parts, states, strict=True)]) if dw else None
        return gradient, slopes, *(part * v if n else None for part, v, n in zip(parts, w, wanted, strict=True))
