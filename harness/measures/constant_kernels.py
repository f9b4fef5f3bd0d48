"""Convolutions whose kernels are constants, for losses that are differentiated twice over something else.

PyTorch's own convolution is prepared for second derivatives over its kernel, too. Here a convolution is a linear
function of its input, whose derivative is its transpose and whose second derivative is it again, each computed by the
operation that PyTorch computes it by.
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


Settings = tuple[Pair, Pair, Pair, int]
"""Stride, padding, dilation, groups."""


def convolve_back(gradient: Tensor, x: Tensor, kernel: Tensor, settings: Settings) -> Tensor:
    """The gradient of a convolution over its input x, of which the shape and the layout count."""
    *sizes, groups = settings
    lists = [list(size) for size in sizes]
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, x, kernel, None, *lists, False, [0, 0], groups, [True, False, False]
    )[0]
    return found


class ConstantKernel(torch.autograd.Function):
    """A convolution as a function of its input alone, which can be differentiated twice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, settings: Settings) -> Tensor:
        """x: [batch, channels, height, width]; kernel as for `torch.nn.functional.conv2d`."""
        ctx.given = x.detach(), kernel, settings
        return F.conv2d(x, kernel, None, *settings)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        if not torch.is_grad_enabled():
            return convolve_back(gradients[0], *ctx.given), None, None
        return Transpose.apply(*gradients, *ctx.given), None, None  # type: ignore[no-untyped-call]


class Transpose(torch.autograd.Function):
    """The gradient of that convolution as a function of the gradient of its output."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, x: Tensor, kernel: Tensor, settings: Settings) -> Tensor:
        ctx.given = kernel, settings
        return convolve_back(gradient, x, kernel, settings)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        kernel, settings = ctx.given
        return F.conv2d(gradients[0], kernel, None, *settings), None, None, None


class ConstantKernels(TorchFunctionMode):
    """While the block runs, kernels of two-dimensional convolutions are constants, except what is computed of other
    tensors, and those of `variables`. Nothing can be differentiated over them."""

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
        pairs = [size if isinstance(size, tuple) else (size, size) for size in (stride, padding, dilation)]
        if (
            bias is not None
            or input.dim() != 4
            or not all(len(pair) == 2 and all(isinstance(n, int) for n in pair) for pair in pairs)
            or not (constant and torch.is_grad_enabled() and input.requires_grad)
            or torch.is_autocast_enabled(input.device.type)  # PyTorch chooses the types of its own alone
        ):
            return F.conv2d(input, weight, bias, stride, padding, dilation, groups)
        found: Tensor = ConstantKernel.apply(input, weight.detach(), (*pairs, groups))  # type: ignore[no-untyped-call]
        return found
