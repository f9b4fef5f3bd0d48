"""NASP (Yao et al., AAAI 2020, arXiv 1905.13577)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer

from harness.search.naming import Named, Recorded
from harness.search.regularizers.random_smoothing import SMOOTHDARTS
from harness.search.searchers.base import ARCHITECTURE_STEPS, SIMPLEX, SoftmaxSearcher
from harness.search.steps import ArchitectureStep, Moment
from harness.spaces.base import Space
from harness.spaces.blocks.supernet import Evaluated, one_hot


class NASP(SoftmaxSearcher):
    """Proximal steps: the network runs at the one-hot point nearest to alpha, its gradient moves the continuous alpha,
    which is then clipped to [0, 1] (paper, algorithm 2). Alpha begins at `begin`.

    Operations alone are made one-hot; parents are mixed by the softmax of their values. clip: after the architecture
    step, or once the weight step has been taken too. softened: a softmax over the one-hot row, so that every operation
    runs in every step; as SmoothDARTS' code for NAS-Bench-1Shot1 has it, which also clips late. Else the weight step
    computes the chosen operations alone.
    """

    name = "nasp"
    paper = "Yao et al., AAAI 2020 (1905.13577)"
    methods: ClassVar = {
        "nasp": Named(),
        "nasp-1shot1": Named({"softened": True, "clip": "weights"}, recipes=SMOOTHDARTS),
    }
    records: ClassVar[dict[str, Recorded]] = {"nasp": Recorded("nasp-1shot1")}
    offers = (SIMPLEX, ARCHITECTURE_STEPS)
    counts = "none"
    begin: float = Field(0.5, ge=0, le=1)
    clip: Literal["architecture", "weights"] = "architecture"
    softened: bool = False

    def proof(self) -> str:
        return "conforms" if self.softened else "specified"

    @property
    def evaluates(self) -> Evaluated:
        return "all" if self.softened else "drawn"

    @property
    def architecture_evaluates(self) -> Evaluated | None:
        return None if self.softened else "all"

    def initial(self, alphas: Sequence[Tensor], space: Space) -> list[Tensor]:
        return [torch.full_like(a, self.begin) for a in alphas]

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        return self._at(alphas, [True] * len(alphas))

    def mean(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        return self.sample(alphas, moment)

    def sample(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        """The one-hot point, with the identity as its derivative."""
        operations = moment.space.operation_tensors()
        return self._at(alphas, [i in operations for i in range(len(alphas))])

    def _at(self, alphas: Sequence[Tensor], operations: Sequence[bool]) -> list[Tensor]:
        found = []
        for alpha, binary in zip(alphas, operations, strict=True):
            hard = one_hot(alpha.detach()) + (alpha - alpha.detach())
            found.append(hard if binary and not self.softened else (hard if binary else alpha).softmax(dim=-1))
        return found

    def move(self, step: ArchitectureStep, gradients: Sequence[Tensor], optimizer: Optimizer) -> None:
        super().move(step, gradients, optimizer)
        if self.clip == "architecture":
            self._clip(step.alphas)

    def finish(self, alphas: Sequence[Tensor], optimizer: Optimizer) -> None:
        if self.clip == "weights":
            self._clip(alphas)

    @staticmethod
    def _clip(alphas: Sequence[Any]) -> None:
        with torch.no_grad():
            for alpha in alphas:
                alpha.clamp_(0.0, 1.0)
