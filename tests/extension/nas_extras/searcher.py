"""A searcher, with the name that its paper gives it."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from harness.search.naming import NamedUse
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.steps import ArchitectureStep


class SignDARTS(SoftmaxSearcher):
    """The sign of DARTS' architecture gradient, times a strength."""

    name = "sign"
    paper = "an example"
    methods: ClassVar = {"sign-darts": NamedUse({"strength": 0.5})}
    strength: float = 1.0

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        found: Sequence[Tensor] = super().gradient(step)
        return [self.strength * g.sign() for g in found]
