"""Amended-DARTS (Bi et al., arXiv 1910.11831)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.search.naming import NamedUse
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.searchers.products import FINITE_DIFFERENCE, differentiate_along_weights
from harness.search.steps import ArchitectureStep

if TYPE_CHECKING:
    from torch import Tensor


class AmendedDARTS(SoftmaxSearcher):
    """g = dL_valid/dalpha - eta d^2 L_train/(dalpha dw) . H . dL_valid/dw, H = d^2 L_train/dw^2.

    The true hypergradient at the weights' optimum has the inverse of H; the amendment puts eta H in its place (paper,
    equation 6). Both products by central differences, `distance` to either side of the current weights, without a
    virtual step.

    That the amendment's angle to the true term is below 90 degrees does not hold for arbitrary mixed derivatives; it
    can be measured, not relied on.
    """

    name = "amended"
    paper = "Bi et al. (1910.11831)"
    lacks = "no code of its authors was found"
    methods: ClassVar = {"amended-darts": NamedUse()}
    role = "estimator"
    later = ("distance",)
    eta: float = Field(0.1, ge=0)
    """Factor of the amendment; no official value is known."""
    distance: float = Field(FINITE_DIFFERENCE, gt=0)
    """To either side of the weights, for the central differences."""

    def passes(self) -> tuple[int, int]:
        return (5, 5) if self.eta else (1, 1)

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        if self.eta == 0:
            return super().gradient(step)
        count = len(step.alphas)
        both = self.validation_gradients(step, [*step.alphas, *step.weights])
        curved = differentiate_along_weights(step, self.relax, both[count:], step.weights, self.distance)
        mixed = differentiate_along_weights(step, self.relax, curved, step.alphas, self.distance)
        return [g - self.eta * m for g, m in zip(both[:count], mixed, strict=True)]
