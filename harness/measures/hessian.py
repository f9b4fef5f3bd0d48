"""The Hessian of a loss with respect to the architecture logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.core.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """All entries in one row."""
    return torch.cat([t.flatten() for t in tensors])


def shaped(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """What `flat` makes of tensors, as tensors of these shapes again."""
    parts = torch.split(vector, [t.numel() for t in like])
    return [part.view_as(t) for part, t in zip(parts, like, strict=True)]


def derivatives(vector: Tensor, leaves: Sequence[Tensor]) -> Tensor:
    """d vector / d leaves: [entries of the vector, entries of the leaves]."""
    rows = [torch.autograd.grad(v, list(leaves), retain_graph=True, materialize_grads=True) for v in vector]
    return torch.stack([flat(row) for row in rows])


def hessian(loss: Callable[[list[Tensor]], Tensor], alphas: Sequence[Tensor], *, ridge: float = 0.0) -> Tensor:
    """d^2 loss / d alpha^2 over all entries of all tensors, in their order: [n, n], symmetrised, exact.

    loss: of logits shaped like `alphas`. ridge: added to the diagonal; published code (RobustDARTS, SmoothDARTS) adds
    the architecture optimiser's L2 factor, 1e-3.
    """
    leaves = [a.detach().clone().requires_grad_() for a in alphas]
    slopes = flat(torch.autograd.grad(loss(leaves), leaves, create_graph=True))
    matrix = derivatives(slopes, leaves)
    return (matrix + matrix.T) / 2 + ridge * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)


def largest_eigenvalue(matrix: Tensor) -> float:
    """The largest algebraic eigenvalue of a symmetric matrix (Hessians of searches are indefinite)."""
    return float(torch.linalg.eigvalsh(matrix)[-1])


def spectrum(matrix: Tensor) -> dict[str, float]:
    """largest and smallest eigenvalue, norm (the largest absolute one) and trace of a symmetric matrix."""
    values = torch.linalg.eigvalsh(matrix)
    return {
        "largest": float(values[-1]),
        "smallest": float(values[0]),
        "norm": float(values.abs().max()),
        "trace": float(values.sum()),
    }
