"""R-DARTS (L2): stronger weight decay."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from harness.search.naming import NamedUse
from harness.search.regularizers.base import Regularizer
from harness.search.training import Training


class WeightDecay(Regularizer):
    """Train the one-shot weights with this L2 factor instead of the study's.

    Zela et al., Understanding and Robustifying DARTS, ICLR 2020 (arXiv 1909.09656), section 4: 3e-4 times 3, 9, 27, 81.
    """

    name = "weight-decay"
    paper = "Zela et al., ICLR 2020 (1909.09656)"
    methods: ClassVar = {"r-darts-l2": NamedUse()}
    neutral: ClassVar[dict[str, Any]] = {"value": 3e-4}
    value: float = Field(27e-4, ge=0)
    """The L2 factor."""

    def settings(self, training: Training) -> Training:
        return training.model_copy(update={"weight_decay": self.value})
