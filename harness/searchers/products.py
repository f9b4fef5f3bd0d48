"""Products with second derivatives of the training loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from harness.measures.hessian import flat
from harness.searchers.base import ArchitectureStep
from harness.supernets.base import kept_buffers

FINITE_DIFFERENCE = 0.01
"""Published numerator of the finite-difference step R = 0.01 / |v|."""
Relax = Callable[[Sequence[Tensor]], list[Tensor]]


def norm(tensors: Sequence[Tensor]) -> Tensor:
    """The Euclidean norm of all entries, a scalar."""
    size: Tensor = torch.linalg.vector_norm(flat(tensors))
    return size


def along_weights(
    step: ArchitectureStep, relax: Relax, vector: Sequence[Tensor], wanted: Sequence[Tensor]
) -> list[Tensor]:
    """(d/dw dL_train/d`wanted`) times `vector`, by central differences in the weights: the mixed product where alphas
    are wanted, the Hessian product where weights are. Weights come back exactly; zero where `vector` is zero."""
    size = norm(vector)
    if size == 0:
        return [torch.zeros_like(w) for w in wanted]
    radius = FINITE_DIFFERENCE / size
    weights = list(step.net.parameters())
    saved = [w.detach().clone() for w in weights]
    sides = []
    with nullcontext() if step.finite_difference_moves_bn else kept_buffers(step.net):
        for sign in (1, -1):
            with torch.no_grad():
                for w, s, v in zip(weights, saved, vector, strict=True):
                    w.copy_(s + sign * radius * v)
            loss = step.loss(step.net, relax(step.alphas), step.train)
            sides.append(torch.autograd.grad(loss, list(wanted)))
    with torch.no_grad():
        for w, s in zip(weights, saved, strict=True):
            w.copy_(s)
    return [(plus - minus) / (2 * radius) for plus, minus in zip(*sides, strict=True)]
