"""The Hessian of a loss with respect to the architecture logits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

Ends = Literal["both", "largest"]
"""Which ends of a spectrum are looked for."""
ROWS = 15
"""Rows of the matrix that a batched pass computes: more leave the processor's caches."""
KRYLOV = 8
"""Vectors that Lanczos' method keeps: many spectra show their ends after as many products."""
NEW = 1e-6
"""The share of a vector that has to be new for another product."""


def flatten_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """All entries in one row."""
    return torch.cat([t.flatten() for t in tensors])


def unflatten_vector(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """What `flatten_tensors` makes of tensors, as tensors of these shapes again."""
    parts = torch.split(vector, [t.numel() for t in like])
    return [part.view_as(t) for part, t in zip(parts, like, strict=True)]


def differentiate_vector(vector: Tensor, leaves: Sequence[Tensor], *, batched: bool = False) -> Tensor:
    """d vector / d leaves: [entries of the vector, entries of the leaves]. batched: `ROWS` of them in one pass."""
    options: dict[str, Any] = {"retain_graph": True, "materialize_grads": True}

    def differentiate(along: Tensor) -> Tensor:
        return flatten_tensors(torch.autograd.grad(vector, list(leaves), along, **options))

    if batched:
        found: Tensor = torch.func.vmap(differentiate, chunk_size=ROWS)(torch.eye(len(vector)).to(vector))
        return found
    rows = [torch.autograd.grad(v, list(leaves), **options) for v in vector]
    return torch.stack([flatten_tensors(row) for row in rows])


def compute_hessian(
    loss: Callable[[list[Tensor]], Tensor], alphas: Sequence[Tensor], *, ridge: float = 0.0, batched: bool = False
) -> Tensor:
    """d^2 loss / d alpha^2 over all entries of all tensors, in their order: [n, n], symmetrized, exact.

    loss: of logits shaped like `alphas`; it may not itself differentiate over weights of a network. ridge: added to the
    diagonal; published code (RobustDARTS, SmoothDARTS) adds the architecture optimizer's L2 factor, 1e-3. batched:
    compute `ROWS` rows in one pass, which takes half the time of a small network and has other last digits.
    """
    return symmetrize(differentiate_vector(*differentiate_loss(loss, alphas), batched=batched), ridge)


def differentiate_loss(loss: Callable[[list[Tensor]], Tensor], alphas: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """The gradient of a loss at `alphas`, differentiable, and the leaves that it is of."""
    from harness.measures.constant_kernels import ConstantKernels

    leaves = [a.detach().clone().requires_grad_() for a in alphas]
    with ConstantKernels(leaves):
        value = loss(leaves)
    return flatten_tensors(torch.autograd.grad(value, leaves, create_graph=True)), leaves


def symmetrize(matrix: Tensor, ridge: float) -> Tensor:
    """The symmetric part of a matrix, with `ridge` added to its diagonal."""
    return (matrix + matrix.T) / 2 + ridge * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)


def compute_spectrum_ends(
    loss: Callable[[list[Tensor]], Tensor],
    alphas: Sequence[Tensor],
    start: Tensor,
    *,
    tolerance: float,
    ridge: float = 0.0,
    ends: Ends = "both",
) -> dict[str, float]:
    """The ends of the spectrum of `compute_hessian`, by Lanczos' method: of its products with vectors alone.

    A product takes what a row of the matrix takes, and none is computed of what follows from earlier ones, so there are
    never more than rows.

    Args:
        loss: of logits shaped like `alphas`.
        alphas: the logits.
        start: the first vector [n], from which on nothing is random.
        tolerance: the residual of an eigenpair relative to its eigenvalue. No answer is farther from some eigenvalue
            of the Hessian, and most are as near as its square. Where the first two at an end differ by a few percent,
            the second may be found.
        ridge: added to the diagonal.
        ends: both, or the largest alone, which takes half the products in many searches once they have begun.

    Returns:
        largest and smallest eigenvalue, and norm (the largest absolute one); or largest alone.
    """
    slopes, leaves = differentiate_loss(loss, alphas)
    products, few = Products(slopes, leaves), len(start) <= KRYLOV
    found = None if few else run_lanczos(products, start.double().numpy(), tolerance, ends)
    if found is None:
        values = compute_spectrum(symmetrize(differentiate_vector(slopes, leaves), ridge))
    else:
        smallest, largest = min(found) + ridge, max(found) + ridge
        values = {"largest": largest, "smallest": smallest, "norm": max(abs(largest), abs(smallest))}
    return {key: values[key] for key in (("largest", "smallest", "norm") if ends == "both" else ("largest",))}


class Products:
    """d slopes / d leaves, symmetric [n, n], as a function of vectors [n]. basis, images: orthonormal directions whose
    products are known, and these [directions, n]."""

    def __init__(self, slopes: Tensor, leaves: Sequence[Tensor]) -> None:
        self.slopes, self.leaves = slopes, list(leaves)
        self.basis = self.images = np.empty((0, len(slopes)))

    def __call__(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        vector = vector.ravel()
        new = vector - self.basis.T @ (self.basis @ vector)
        new -= self.basis.T @ (self.basis @ new)  # once more, against rounding
        size = np.linalg.norm(new)
        if size > NEW * np.linalg.norm(vector):
            self.basis = np.vstack([self.basis, new / size])
            self.images = np.vstack([self.images, self._product(new / size)])
        found: NDArray[np.float64] = self.images.T @ (self.basis @ vector)
        return found

    def _product(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        given = torch.from_numpy(vector).to(self.slopes)
        row = torch.autograd.grad(self.slopes, self.leaves, given, retain_graph=True, materialize_grads=True)
        found: NDArray[np.float64] = flatten_tensors(row).cpu().double().numpy()
        return found


def run_lanczos(
    products: Products, start: NDArray[np.float64], tolerance: float, ends: Ends = "both"
) -> list[float] | None:
    """Both ends of a spectrum, or the largest alone, to a relative residual, from `start` on; None where SciPy's method
    has no answer, as of a matrix of zeros."""
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    # from SciPy 1.17 on, what it draws where a start lies in an invariant subspace is new each time, if nobody says
    drawn: dict[str, Any] = {"rng": np.random.default_rng(0)} if "rng" in inspect.signature(eigsh).parameters else {}
    operator = LinearOperator((len(start), len(start)), matvec=products, dtype=np.float64)
    sought: dict[str, Any] = {"k": 2, "which": "BE"} if ends == "both" else {"k": 1, "which": "LA"}
    settings = {"ncv": KRYLOV, "v0": start, "tol": tolerance, "return_eigenvectors": False}
    try:
        return [float(value) for value in eigsh(operator, **sought, **settings, **drawn)]
    except ArpackError:
        return None


def compute_largest_eigenvalue(matrix: Tensor) -> float:
    """The largest algebraic eigenvalue of a symmetric matrix (Hessians of searches are indefinite)."""
    return float(torch.linalg.eigvalsh(matrix)[-1])


def compute_spectrum(matrix: Tensor) -> dict[str, float]:
    """largest and smallest eigenvalue, norm (the largest absolute one) and trace of a symmetric matrix."""
    values = torch.linalg.eigvalsh(matrix)
    return {
        "largest": float(values[-1]),
        "smallest": float(values[0]),
        "norm": float(values.abs().max()),
        "trace": float(values.sum()),
    }
