"""A2M: sharpness-aware architecture steps (Gambella, Pittorino & Roveri, arXiv 2503.10404, "FlatDARTS")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.lazy import torch
from harness.search.naming import NamedUse
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.steps import ArchitectureStep

if TYPE_CHECKING:
    from torch import Tensor

FADING = re.compile(r"linear from (\d+) to 0 over (\d+) epochs")
"""How a record says how its auxiliary skip fades."""


class A2M(SoftmaxSearcher):
    """g + rho (g(alpha + epsilon g) - g(alpha - epsilon g)) / (2 epsilon) at alpha after `ascents` steps of ascent,
    each of rho times the gradient of the validation loss there (not normalized); g is the gradient after the ascent.

    The product with the Hessian of the validation loss is by central differences around the ascended point. With
    several ascents g is, as in the published code, that of a path of descent: path_rate times the sum of the gradients
    after each ascent. All passes move the running statistics of batch norm.
    """

    name = "a2m"
    paper = "Gambella, Pittorino & Roveri (2503.10404)"
    methods: ClassVar = {"a2m": NamedUse(), "sam-darts": NamedUse(alias=True)}
    role = "estimator"
    status = "conforms"
    neutral: ClassVar[dict[str, Any]] = {"rho": 0}
    rho: float = Field(1e-2, ge=0)
    """Length of a step of ascent, as a factor of the gradient."""
    epsilon: float = Field(1e-2, gt=0)
    """To either side of the ascended point, for the central differences."""
    ascents: int = Field(1, ge=1)
    """Steps of ascent."""
    path_rate: float = Field(3e-4, gt=0)
    """Factor of the summed gradients of several ascents."""

    def passes(self) -> tuple[int, int]:
        count = self.ascents + 3
        return (count, count) if self.rho else (1, 1)

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        found = super().gradient(step)
        if self.rho == 0:
            return found
        saved = [a.detach().clone() for a in step.alphas]
        total = [torch.zeros_like(g) for g in found]
        for _ in range(self.ascents):
            self._shift(step, found, self.rho)
            found = super().gradient(step)
            total = [t + g for t, g in zip(total, found, strict=True)]
        along = found if self.ascents == 1 else [self.path_rate * t for t in total]
        self._shift(step, along, self.epsilon)
        plus = super().gradient(step)
        self._shift(step, along, -2 * self.epsilon)
        minus = super().gradient(step)
        with torch.no_grad():
            for alpha, value in zip(step.alphas, saved, strict=True):
                alpha.copy_(value)
        curved = [(p - m) / (2 * self.epsilon) for p, m in zip(plus, minus, strict=True)]
        return [g + self.rho * c for g, c in zip(along, curved, strict=True)]

    @staticmethod
    def _shift(step: ArchitectureStep, direction: list[Tensor], distance: float) -> None:
        with torch.no_grad():
            for alpha, d in zip(step.alphas, direction, strict=True):
                alpha.add_(distance * d)
