"""FairDARTS (Chu et al., ECCV 2020, arXiv 1911.12126)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from harness.search.naming import DARTS_CODE, Recipe
from harness.search.searchers.base import ARCHITECTURE_STEPS, SupernetSearcher
from harness.search.state import DROPPED
from harness.search.steps import ArchitectureStep
from harness.spaces.base import Space


class FairDARTS(SupernetSearcher):
    """Each operation has a sigmoid of its own, so that operations do not compete; the validation loss has a zero-one
    term that drives them to 0 or 1: -strength mean((sigmoid(alpha) - 1/2)^2) (`L2`, the code's default), or
    -strength mean(|sigmoid(alpha) - 1/2|) (`L1`); paper, equations 5 and 6.

    Logits begin at zero. The operation that gives nothing is no option, as in the paper's space: it has no gradient
    from the loss, so that the zero-one term alone would move it, in the direction of its initial sign. Adapted: these
    spaces take one operation a choice, so the largest is derived, where the paper takes all above 0.85.
    """

    name = "fairdarts"
    paper = "Chu et al., ECCV 2020 (1911.12126)"
    recipes: ClassVar = {
        "": Recipe(
            "xiaomi-automl/FairDARTS fairdarts/train_search.py",
            {
                **DARTS_CODE,
                "batch_size": 128,
                "learning_rate": 0.005,
                "alpha_learning_rate": 3e-3,
                "alpha_betas": (0.9, 0.999),
                "sampling": "replacement",
            },
            16,
            50,
        )
    }
    status = "adapted"
    offers = (ARCHITECTURE_STEPS,)
    strength: float = Field(10.0, ge=0)
    kind: Literal["L1", "L2"] = "L2"

    def initial(self, alphas: Sequence[Tensor], space: Space) -> list[Tensor]:
        found = [torch.zeros_like(a) for a in alphas]
        for alpha, choices in zip(found, space.tensors, strict=True):
            for row, options in enumerate(choices.options):
                alpha[row, [i for i, name in enumerate(options) if name == space.zero]] = DROPPED
        return found

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        return [a.sigmoid() for a in alphas]

    def zero_one(self, alphas: Sequence[Tensor]) -> Tensor:
        """The zero-one term over all options that there are."""
        flat = torch.cat([a.flatten() for a in alphas])
        there = flat > DROPPED / 2
        distance = (flat.sigmoid() - 0.5) * there
        terms = distance.square() if self.kind == "L2" else distance.abs()
        return -self.strength * terms.sum() / there.sum()

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        with step.constant_weights():
            loss = step.loss(step.net, self.relax(step.alphas), step.valid) + self.zero_one(step.alphas)
            return list(torch.autograd.grad(step.penalised(loss), step.alphas))
