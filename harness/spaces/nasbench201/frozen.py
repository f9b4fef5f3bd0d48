"""The edges that leave a node of NAS-Bench-201 with batch norm in eval mode, for gradients of the mixing weights alone.

There, an edge is linear after its ReLU: its convolutions, batch norm and mixing weights included, are one of 3x3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from harness.spaces.blocks.fused import Together, average_pool, average_pool_backward


def expand_per_channel(weights: Tensor, channels: int) -> Tensor:
    """A value an edge, [edges], as one a channel of the edges' stacked outputs, [edges * channels]."""
    return weights[:, None].expand(-1, channels).flatten()


class FoldedFan:
    """The convolutions of the edges that leave a node, outputs side by side, with batch norm folded into them."""

    def __init__(self, conv3: Together, conv1: Together) -> None:
        self.weight3, self.bias3 = conv3.fold()
        self.weight1, self.bias1 = conv1.fold()

    def convolve(self, r: Tensor, conv1: Tensor, conv3: Tensor) -> Tensor:
        """The weighted sum of each edge's two, of ReLU's output and their mixing weights, a value a channel."""
        weight = self.weight3 * conv3.view(-1, 1, 1, 1)
        weight[:, :, 1:2, 1:2] += self.weight1 * conv1.view(-1, 1, 1, 1)
        return F.conv2d(r, weight, self.bias3 * conv3 + self.bias1 * conv1, padding=1)

    def kept(self, r: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """The same of an r that stays, as a function of the mixing weights."""
        z3, z1 = F.conv2d(r, self.weight3, self.bias3, padding=1), F.conv2d(r, self.weight1, self.bias1)
        return lambda conv1, conv3: torch.addcmul(z3 * conv3.view(-1, 1, 1), z1, conv1.view(-1, 1, 1))


class FrozenEdges(torch.autograd.Function):
    """What a node adds to each node t after it: skip_t x + pool_t p + (conv1_t W1_t + conv3_t W3_t) * r, with p its
    averages, r its ReLU.

    With G_t the gradient of node t, that of a convolution's mixing weight is <G_t, W_t * r> = <W_t^T * G_t, r>, and r's
    own gradient is made of the W_t^T * G_t: no convolution's output is kept, and no gradient of a weight computed.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, fan: FoldedFan, *totals: Tensor) -> tuple[Tensor, ...]:
        """weights: [5, edges], mixing weights. totals: the nodes' sums so far; none if this node is the first."""
        _, skip, conv1, conv3, pool = weights
        r, p = F.relu(x), average_pool(x)
        stacks = fan.convolve(r, *(expand_per_channel(w, x.shape[1]) for w in (conv1, conv3))).chunk(len(skip), dim=1)
        ctx.save_for_backward(x, r, p, weights)
        ctx.fan = fan
        if totals:
            sums = [torch.addcmul(t, x, s).add_(y) for t, y, s in zip(totals, stacks, skip, strict=True)]
        else:
            sums = [torch.addcmul(y, x, s) for y, s in zip(stacks, skip, strict=True)]
        return tuple(s.addcmul_(p, w) for s, w in zip(sums, pool, strict=True))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, r, p, weights = ctx.saved_tensors
        fan, edges = ctx.fan, len(gradients)
        kernels = zip(*(k.chunk(edges) for k in (fan.weight3, fan.bias3, fan.weight1, fan.bias1)), strict=True)
        dx, dr, dp, slopes = None, None, None, []
        for g, (weight3, bias3, weight1, bias1), w in zip(gradients, kernels, weights.unbind(dim=1), strict=True):
            none, skip, conv1, conv3, pool = w
            back3, back1 = (convolve_transposed(g, weight, r) for weight in (weight3, weight1))
            total = g.sum((0, 2, 3))
            of_conv1, of_conv3 = (
                compute_inner_product(back1, r) + total.dot(bias1),
                compute_inner_product(back3, r) + total.dot(bias3),
            )
            slopes.append(
                torch.stack(
                    [
                        torch.zeros_like(none),
                        compute_inner_product(g, x),
                        of_conv1,
                        of_conv3,
                        compute_inner_product(g, p),
                    ]
                )
            )
            if ctx.needs_input_grad[0]:
                dx, dp = add_scaled(dx, g, skip), add_scaled(dp, g, pool)
                dr = add_scaled(add_scaled(dr, back3, conv3), back1, conv1)
        if dx is not None and dp is not None:
            dx += torch.ops.aten.threshold_backward(dr, r, 0)
            dx += average_pool_backward(dp, x)
        return dx, torch.stack(slopes, dim=1), None, *gradients[: len(ctx.needs_input_grad) - 3]


def convolve_transposed(gradient: Tensor, weight: Tensor, x: Tensor) -> Tensor:
    """The gradient of a convolution of stride 1 over its input x."""
    side = weight.shape[-1] // 2
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [1, 1], [side, side], [1, 1], False, [0, 0], 1, [True, False, False]
    )[0]
    return found


def compute_inner_product(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of two images' batches, a scalar; without a copy where they are channels-last."""
    return torch.dot(*(t.permute(0, 2, 3, 1).reshape(-1) for t in (a, b)))


def add_scaled(total: Tensor | None, value: Tensor, weight: Tensor) -> Tensor:
    """total + weight * value, weight a scalar, written over the total."""
    return value * weight if total is None else total.addcmul_(value, weight)
