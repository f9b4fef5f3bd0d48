"""The Hessian of a loss with respect to the architecture logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def hessian(loss: Callable[[list[Tensor]], Tensor], alphas: Sequence[Tensor], *, ridge: float = 0.0) -> Tensor:
    """d^2 loss / d alpha^2 over all entries of all tensors, in their order: [n, n], symmetrised, exact.

    loss: of logits shaped like `alphas`. ridge: added to the diagonal; published code (RobustDARTS, SmoothDARTS) adds
    the architecture optimiser's L2 factor, 1e-3.
    """
    leaves = [a.detach().clone().requires_grad_() for a in alphas]
    slopes = torch.autograd.grad(loss(leaves), leaves, create_graph=True)
    flat = torch.cat([s.flatten() for s in slopes])
    rows = []
    for entry in flat:
        row = torch.autograd.grad(entry, leaves, retain_graph=True, materialize_grads=True)
        rows.append(torch.cat([r.flatten() for r in row]))
    matrix = torch.stack(rows)
    return (matrix + matrix.T) / 2 + ridge * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)


def largest_eigenvalue(matrix: Tensor) -> float:
    """The largest algebraic eigenvalue of a symmetric matrix (Hessians of searches are indefinite)."""
    return float(torch.linalg.eigvalsh(matrix)[-1])
