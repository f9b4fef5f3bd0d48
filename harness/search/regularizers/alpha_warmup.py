"""Alpha warm-up: the one-shot weights are trained alone first."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from harness.search.regularizers.base import Regularizer
from harness.search.searchers.base import ARCHITECTURE_STEPS
from harness.search.steps import Moment

NEVER = 10**9
"""A length that no search reaches: its logits stay as they began."""


class AlphaWarmup(Regularizer):
    """Take no architecture step in the first `length` epochs (PC-DARTS: 15, P-DARTS: 10, NAS-Bench-1Shot1: 20)."""

    name = "alpha-warmup"
    paper = "Xu et al., ICLR 2020 (1907.05737)"
    needs = (ARCHITECTURE_STEPS,)
    neutral: ClassVar[dict[str, Any]] = {"length": 0}
    length: int = Field(15, ge=0)
    """Epochs without architecture steps."""

    @property
    def holds_alpha(self) -> bool:
        return self.length >= NEVER

    def alpha_moves(self, moment: Moment) -> bool:
        return moment.epoch >= self.length
