"""The gradients of a weight step: which of alpha are clipped with them, and which weights move without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.core.lazy import torch
from harness.search.searchers.base import Counted
from harness.spaces.blocks.mix import Mix

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.spaces.blocks.supernet import Supernet


def select_alpha_gradients(
    counts: Counted, sample: Mix, alphas: Sequence[Tensor], slopes: Sequence[Tensor]
) -> list[Tensor]:
    """The gradients of alpha whose norm is clipped with that of the weights.

    counts: see `Counted`. sample: the mixing weights, as a function of alphas. slopes: the loss's gradient over them.
    """
    if counts not in ("logits", "stale"):
        return list(slopes)
    found = torch.autograd.grad(list(sample), list(alphas), list(slopes))
    left = [a.grad if counts == "stale" else None for a in alphas]
    return [g if old is None else g + old for g, old in zip(found, left, strict=True)]


def fill_with_zeros(
    net: Supernet,
    weights: Sequence[nn.Parameter],
    gradients: Sequence[Tensor | None],
    memory: dict[str, Any],
    *,
    every: bool,
) -> list[Tensor | None]:
    """Zero for each weight that a step left out and that had a gradient before, in a step of either kind: the published
    optimizer then goes on moving it, by its momentum and its decay. every: the architecture step before left out
    none."""
    had: list[bool] = memory.setdefault("had-gradient", [every] * len(weights))
    computed = net.computed() if net.evaluates != "all" else set()
    for place, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        had[place] = had[place] or gradient is not None or weight in computed
    pairs = zip(weights, gradients, had, strict=True)
    return [torch.zeros_like(w) if g is None and moved else g for w, g, moved in pairs]


def compute_norm_and_scale(gradients: Sequence[Tensor], limit: float) -> tuple[Tensor, Tensor]:
    """The joint norm of gradients, and the factor that makes it at most `limit`, as PyTorch clips; scalars."""
    norm = torch.nn.utils.get_total_norm(gradients)
    return norm, (limit / (norm + 1e-6)).clamp(max=1.0)


def clip(
    weights: Sequence[nn.Parameter], gradients: Sequence[Tensor | None], beside: Sequence[Tensor], limit: float
) -> Tensor:
    """Give the weights their gradients, scaled so that the norm of all, and of those `beside` them, is at most `limit`.
    Returns the norm before."""
    norm, scale = compute_norm_and_scale([*(g for g in gradients if g is not None), *beside], limit)
    scaled = iter(torch._foreach_mul([g for g in gradients if g is not None], scale))
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = None if gradient is None else next(scaled)
    return norm
