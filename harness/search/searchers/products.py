"""Products with second derivatives of the training loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from harness.core.lazy import torch
from harness.measures.hessian import flatten_tensors
from harness.search.steps import ArchitectureStep
from harness.spaces.blocks.mix import keep_buffers

if TYPE_CHECKING:
    from torch import Tensor

FINITE_DIFFERENCE = 0.01
"""Published numerator of the finite-difference step R = 0.01 / |v|: the distance that weights are moved by."""
Relax = Callable[[Sequence["Tensor"]], list["Tensor"]]


def scale_to_distance(direction: Sequence[Tensor], distance: float) -> Tensor:
    """The factor of a direction that makes it `distance` long (Euclidean norm), a scalar; one where it is zero."""
    size: Tensor = torch.linalg.vector_norm(flatten_tensors(direction))
    return (distance / size).where(size > 0, torch.ones_like(size))


@contextmanager
def keep_weights(weights: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Weights as they were, once the block has run, to which it is given a copy of them."""
    kept = [w.detach().clone() for w in weights]
    try:
        yield kept
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, kept, strict=True):
                weight.copy_(value)


def shift_weights(
    weights: Sequence[Tensor], kept: Sequence[Tensor], vector: Sequence[Tensor], distance: Tensor
) -> None:
    """Put the weights where they were, `kept`, and a distance along a vector on."""
    with torch.no_grad():
        for w, k, v in zip(weights, kept, vector, strict=True):
            w.copy_(k + distance * v)


def differentiate_along_weights(
    step: ArchitectureStep, relax: Relax, vector: Sequence[Tensor], wanted: Sequence[Tensor], distance: float
) -> list[Tensor]:
    """(d/dw dL_train/d`wanted`) times `vector`, by central differences in the weights, `distance` to either side: the
    mixed product where alphas are wanted, the Hessian product where weights are. Weights come back exactly; zero where
    `vector` is zero."""
    radius = scale_to_distance(vector, distance)
    weights = step.weights
    sides = []
    with nullcontext() if step.finite_difference_moves_bn else keep_buffers(step.net), keep_weights(weights) as kept:
        for sign in (1, -1):
            shift_weights(weights, kept, vector, sign * radius)
            loss = step.loss(step.net, relax(step.alphas), step.train)
            sides.append(torch.autograd.grad(loss, list(wanted)))
    return [(plus - minus) / (2 * radius) for plus, minus in zip(*sides, strict=True)]
