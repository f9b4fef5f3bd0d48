"""FairDARTS (Chu et al., ECCV 2020, arXiv 1911.12126)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from harness.search.searchers.base import ARCHITECTURE_STEPS, SupernetSearcher
from harness.search.steps import ArchitectureStep


class FairDARTS(SupernetSearcher):
    """Each operation has a sigmoid of its own, so that operations do not compete; the validation loss has a zero-one
    term that drives them to 0 or 1: -strength mean((sigmoid(alpha) - 1/2)^2) (`L2`, the code's default), or
    -strength mean(|sigmoid(alpha) - 1/2|) (`L1`); paper, equations 5 and 6.

    Adapted: these spaces take one operation a choice, so the largest is derived, where the paper takes all above 0.85.
    """

    name = "fairdarts"
    paper = "Chu et al., ECCV 2020 (1911.12126)"
    status = "adapted"
    offers = (ARCHITECTURE_STEPS,)
    strength: float = Field(10.0, ge=0)
    kind: Literal["L1", "L2"] = "L2"

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        return [a.sigmoid() for a in alphas]

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        mix = self.relax(step.alphas)
        distance = torch.cat([(m - 0.5).flatten() for m in mix])
        zero_one = distance.square() if self.kind == "L2" else distance.abs()
        with step.constant_weights():
            loss = step.loss(step.net, mix, step.valid) - self.strength * zero_one.mean()
            return list(torch.autograd.grad(step.penalised(loss), step.alphas))
