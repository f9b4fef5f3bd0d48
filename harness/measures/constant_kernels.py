"""Convolutions whose kernels are constants, for losses that are differentiated twice over something else.

PyTorch's own convolution is prepared for second derivatives over its kernel, too. Here a convolution is a linear
function of its input, whose derivatives are the transposed convolution and itself again: the same numbers, a row of a
Hessian in four fifths of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Pair = tuple[int, int]
Size = int | Pair


class ConstantKernel(torch.autograd.Function):
    """A convolution as a function of its input alone, which can be differentiated as often as is wanted."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, settings: tuple[Pair, Pair, Pair, int]) -> Tensor:
        """x: [batch, channels, height, width]; kernel as for `torch.nn.functional.conv2d`. settings: stride, padding,
        dilation, groups."""
        stride, padding, dilation, groups = ctx.settings = settings
        ctx.kernel = kernel
        y = F.conv2d(x, kernel, None, stride, padding, dilation, groups)
        parts = zip(y.shape[2:], stride, padding, dilation, kernel.shape[2:], strict=True)
        reached = ((size - 1) * step - 2 * edge + gap * (width - 1) + 1 for size, step, edge, gap, width in parts)
        ctx.left = tuple(size - end for size, end in zip(x.shape[2:], reached, strict=True))
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        stride, padding, dilation, groups = ctx.settings
        back = F.conv_transpose2d(gradients[0], ctx.kernel, None, stride, padding, ctx.left, groups, dilation)
        return back, None, None


class ConstantKernels(TorchFunctionMode):
    """While the block runs, kernels of two-dimensional convolutions are constants, except what is computed of other
    tensors, and those of `variables`."""

    def __init__(self, variables: Iterable[Tensor]) -> None:
        super().__init__()
        self.variables = {id(v) for v in variables}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return (self._convolve if func is F.conv2d else func)(*args, **(kwargs or {}))

    def _convolve(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
    ) -> Tensor:
        """`torch.nn.functional.conv2d`, whose names these are."""
        constant = weight.grad_fn is None and id(weight) not in self.variables
        if (
            bias is not None
            or isinstance(padding, str)
            or not (constant and torch.is_grad_enabled() and input.requires_grad)
            or torch.is_autocast_enabled(input.device.type)  # PyTorch chooses the types of its own alone
        ):
            return F.conv2d(input, weight, bias, stride, padding, dilation, groups)
        pairs = (size if isinstance(size, tuple) else (size, size) for size in (stride, padding, dilation))
        found: Tensor = ConstantKernel.apply(input, weight.detach(), (*pairs, groups))  # type: ignore[no-untyped-call]
        return found
