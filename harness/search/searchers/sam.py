"""Sharpness-aware architecture steps (A2M, Wang et al., CVPR 2022; FlatDARTS)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from harness.search.naming import Named
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.searchers.products import FINITE_DIFFERENCE, finite_difference
from harness.search.steps import ArchitectureStep


class SharpnessAware(SoftmaxSearcher):
    """g = (I + rho H) dL_valid/dalpha at alpha + rho dL_valid/dalpha, H = d^2 L_valid/dalpha^2 at alpha.

    The gradient of the validation loss after one step of ascent in alpha, of length rho times the gradient (not
    normalised); the product with H by central differences in alpha.
    """

    name = "sam"
    paper = "Wang et al., CVPR 2022 (A2M)"
    methods: ClassVar = {"sam-darts": Named()}
    role = "estimator"
    neutral: ClassVar[dict[str, Any]] = {"rho": 0}
    rho: float = Field(1e-2, ge=0)

    def passes(self) -> tuple[int, int]:
        return (4, 4) if self.rho else (1, 1)

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        here = super().gradient(step)
        if self.rho == 0:
            return here
        above = self._at(step, here, self.rho)
        radius = finite_difference(above, FINITE_DIFFERENCE)
        plus, minus = (self._at(step, above, sign * radius) for sign in (1, -1))
        curved = [(p - m) / (2 * radius) for p, m in zip(plus, minus, strict=True)]
        return [g + self.rho * c for g, c in zip(above, curved, strict=True)]

    def _at(self, step: ArchitectureStep, direction: list[Tensor], distance: float | Tensor) -> list[Tensor]:
        """The gradient at alpha + distance * direction; alpha comes back exactly."""
        saved = [a.detach().clone() for a in step.alphas]
        with torch.no_grad():
            for a, d in zip(step.alphas, direction, strict=True):
                a.add_(distance * d)
        gradient = super().gradient(step)
        with torch.no_grad():
            for a, s in zip(step.alphas, saved, strict=True):
                a.copy_(s)
        return gradient
