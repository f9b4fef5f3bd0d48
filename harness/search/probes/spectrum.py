"""The spectrum of the Hessian of the validation loss over the architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from harness.core.lazy import torch
from harness.measures.hessian import Ends, compute_hessian, compute_spectrum, compute_spectrum_ends, flatten_tensors
from harness.search.probes.base import Probe
from harness.search.state import SearchState
from harness.search.steps import compute_cross_entropy
from harness.spaces.blocks.mix import keep_buffers
from harness.tables.table import Table

if TYPE_CHECKING:
    from torch import Tensor


TOLERANCE = 0.01


class Spectrum(Probe):
    """Eigenvalues of the validation loss's Hessian over the architecture.

    Exact Hessian on `batches` validation minibatches, batch norm in train mode: `hessian_largest` (algebraic),
    `hessian_smallest`, `hessian_norm` (the largest absolute), `hessian_trace`, means over the batches, and
    `hessian_largest_sd`, the largest one's standard deviation over them (NaN of one batch).

    Zela et al., ICLR 2020 (arXiv 1909.09656) look at the largest; one batch and `ridge` 1e-3 is what the published
    code computes.
    """

    name = "spectrum"
    paper = "Zela et al., ICLR 2020 (1909.09656)"
    status = "conforms"
    batches: int = Field(5, ge=1)
    """Validation minibatches; the numbers are means over them."""
    ridge: float = Field(0.0, ge=0)
    """Added to the Hessian's diagonal."""
    of: Literal["alpha", "mix"] = "alpha"
    """The raw logits, or the mixing weights as if they were free."""
    by: Literal["matrix", "batched", "products", "largest"] = "matrix"
    """The exact matrix, a row at a time; the same with 15 rows in a pass, which takes half the time in a small network
    and more in a large one; or, at a fraction of its price, its products with vectors, of which Lanczos' method
    finds the largest, smallest and norm, but no trace, or, with the fewest products, the largest alone."""
    tolerance: float = Field(TOLERANCE, gt=0, lt=1)
    """By products, or the largest alone: the residual relative to the eigenvalue."""
    later = ("by", "tolerance")

    @field_validator("tolerance")
    @classmethod
    def _refuse_unread_tolerance(cls, tolerance: float, told: ValidationInfo) -> float:
        by = told.data.get("by")  # none, where that is refused itself
        if tolerance != TOLERANCE and by in ("matrix", "batched"):
            raise ValueError(f"tolerance is of by = 'products' and 'largest': by = {by!r} is exact, leave it out")
        return tolerance

    def measure(self, search: SearchState, table: Table | None) -> dict[str, Any]:
        search.net.train()
        found = []
        for _ in range(self.batches):
            batch = self.batch(search)

            def loss(point: Sequence[Tensor], batch: Any = batch) -> Tensor:
                return (
                    search.loss_at(point, batch)
                    if self.of == "alpha"
                    else compute_cross_entropy(search.net, point, batch)
                )

            point = search.alphas
            if self.of == "mix":
                point = [m.detach().requires_grad_() for m in search.searcher.relax(search.alphas)]
            with keep_buffers(search.net), search.net.readable():
                found.append(self.of_loss(loss, point, search))
        means = {f"hessian_{key}": sum(f[key] for f in found) / len(found) for key in found[0]}
        largest = torch.tensor([f["largest"] for f in found], dtype=torch.float64)
        spread = float(largest.std()) if len(found) > 1 else float("nan")
        return means | {"hessian_largest_sd": spread}

    def of_loss(
        self, loss: Callable[[Sequence[Tensor]], Tensor], point: Sequence[Tensor], search: SearchState
    ) -> dict[str, float]:
        """What is measured of the Hessian of a loss at a point."""
        if self.by in ("matrix", "batched"):
            matrix = compute_hessian(loss, point, ridge=self.ridge, batched=self.by == "batched")
            return compute_spectrum(matrix)
        start = torch.randn(flatten_tensors(point).shape, generator=search.streams[f"probe-{self.name}-start"])
        ends: Ends = "both" if self.by == "products" else "largest"
        return compute_spectrum_ends(loss, point, start, tolerance=self.tolerance, ridge=self.ridge, ends=ends)
