"""iDARTS (Zhang et al., ICML 2021, arXiv 2106.10784)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.core.lazy import torch
from harness.search.naming import NamedUse, SearchRecipe
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.searchers.products import FINITE_DIFFERENCE, scale_to_distance, shift_weights
from harness.search.steps import ArchitectureStep
from harness.spaces.blocks.mix import keep_buffers

if TYPE_CHECKING:
    from torch import Tensor


class IDARTS(SoftmaxSearcher):
    """g = dL_valid/dalpha - xi d^2 L_train/(dalpha dw) . sum_{k=0..terms} (I - xi H)^k dL_valid/dw.

    The truncated Neumann series of the inverse Hessian (paper, equation 8), xi the weights' learning rate; terms 0 is
    one unrolled step at the current weights. Products with H by automatic differentiation, which leave batch norm's
    statistics alone.
    """

    name = "idarts"
    paper = "Zhang et al., ICML 2021 (2106.10784)"
    recipes: ClassVar = {
        "": SearchRecipe("MiaoZhang0525/iDARTS, the steps between two architecture steps alone", {"weight_steps": 5}),
        "nasbench201": SearchRecipe("MiaoZhang0525/iDARTS NAS_Bench201_codes, these steps alone", {"weight_steps": 4}),
    }
    revision = 2
    methods: ClassVar = {
        "idarts": NamedUse(official={"products": "differences", "drifts": True, "steps_on_copy": True}),
    }
    role = "estimator"
    status = "conforms"
    replays = False
    later = ("distance",)
    terms: int = Field(2, ge=0)
    """Terms of the Neumann series after the first."""
    products: Literal["exact", "differences"] = "exact"
    """The mixed product is exact, too; or by central differences at weights R times the series away, R the `distance`
    over the norm of its first term (published, .01)."""
    drifts: bool = False
    """Weights come back by R times that first term, and not by R times the series, so that each step displaces them
    (published, for `differences`)."""
    steps_on_copy: bool = False
    """Weight steps move a copy of the weights which nothing else sees (the published notebook for NAS-Bench-201): the
    network is not trained, but for that displacement."""
    distance: float = Field(FINITE_DIFFERENCE, gt=0)
    """R times the norm of the first term, for `differences`."""

    @property
    def trains_weights(self) -> bool:
        return not self.steps_on_copy

    def passes(self) -> tuple[int, int]:
        return (2, self.terms + 3)

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        weights, count = step.weights, len(step.alphas)
        with keep_buffers(step.net):
            both = self.validation_gradients(step, [*step.alphas, *weights])
            vector = both[count:]
            with step.net.readable():
                series, mixed = self._through_series(step, weights, vector)
        if self.products == "differences":
            mixed = self._by_differences(step, weights, vector, series)
        return [g - step.learning_rate * m for g, m in zip(both[:count], mixed, strict=True)]

    def _through_series(
        self, step: ArchitectureStep, weights: Sequence[Tensor], vector: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The truncated series of `vector`, and the mixed second derivative of the training loss along it."""
        loss = step.loss(step.net, self.relax(step.alphas), step.train)
        slopes = torch.autograd.grad(loss, weights, create_graph=True)

        def along(direction: Sequence[Tensor], wanted: Sequence[Tensor]) -> list[Tensor]:
            found = torch.autograd.grad(
                slopes, list(wanted), list(direction), retain_graph=True, materialize_grads=True
            )
            return list(found)

        total = term = list(vector)
        for _ in range(self.terms):
            curved = along(term, weights)
            term = [t - step.learning_rate * c for t, c in zip(term, curved, strict=True)]
            total = [a + b for a, b in zip(total, term, strict=True)]
        return total, along(total, step.alphas) if self.products == "exact" else []

    def _by_differences(
        self, step: ArchitectureStep, weights: Sequence[Tensor], vector: Sequence[Tensor], series: Sequence[Tensor]
    ) -> list[Tensor]:
        radius = scale_to_distance(vector, self.distance)
        kept, sides = [w.detach().clone() for w in weights], []
        with nullcontext() if step.finite_difference_moves_bn else keep_buffers(step.net):
            for sign in (1, -1):
                shift_weights(weights, kept, series, sign * radius)
                loss = step.loss(step.net, self.relax(step.alphas), step.train)
                sides.append(torch.autograd.grad(loss, step.alphas))
        shift_weights(weights, kept, [v - s for v, s in zip(vector, series, strict=True)], radius * self.drifts)
        return [(plus - minus) / (2 * radius) for plus, minus in zip(*sides, strict=True)]
