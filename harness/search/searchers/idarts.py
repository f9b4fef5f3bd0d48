"""iDARTS (Zhang et al., ICML 2021, arXiv 2106.10784)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from harness.search.naming import Recipe
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.steps import ArchitectureStep


class IDARTS(SoftmaxSearcher):
    """g = dL_valid/dalpha - xi d^2 L_train/(dalpha dw) . sum_{k=0..terms} (I - xi H)^k dL_valid/dw.

    The truncated Neumann series of the inverse Hessian (paper, equation 8), xi the weights' learning rate. Products
    by automatic differentiation, so that they are exact and the weights are never moved; the published code's own
    variants replace H by an elementwise proxy, or leave the weights displaced. terms 0 is one unrolled step at the
    current weights.
    """

    name = "idarts"
    paper = "Zhang et al., ICML 2021 (2106.10784)"
    recipes: ClassVar = {
        "": Recipe("MiaoZhang0525/iDARTS, the steps between two architecture steps alone", {"weight_steps": 5}),
        "nasbench201": Recipe("MiaoZhang0525/iDARTS NAS_Bench201_codes, these steps alone", {"weight_steps": 4}),
    }
    role = "estimator"
    replays = False
    terms: int = Field(2, ge=0)

    def passes(self) -> tuple[int, int]:
        return (2, self.terms + 3)

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        weights, count = step.weights, len(step.alphas)
        both = self.validation_gradients(step, [*step.alphas, *weights])
        vector = both[count:]
        with step.net.readable():
            mixed = self._through_series(step, weights, vector)
        return [g - step.learning_rate * m for g, m in zip(both[:count], mixed, strict=True)]

    def _through_series(
        self, step: ArchitectureStep, weights: Sequence[Tensor], vector: Sequence[Tensor]
    ) -> list[Tensor]:
        """The mixed second derivative of the training loss along the truncated series of `vector`."""
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
        return along(total, step.alphas)
