"""RandomNAS with weight sharing: the one-shot network is trained on random paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.core.lazy import torch
from harness.measures.hessian import flatten_tensors, unflatten_vector
from harness.search.searchers.base import SupernetSearcher
from harness.search.steps import ArchitectureStep, Moment
from harness.spaces.blocks.mix import Evaluated

if TYPE_CHECKING:
    from torch import Tensor


class UniformPath(SupernetSearcher):
    """Each weight step at an architecture drawn uniformly from the space; there are no architecture steps.

    Li & Talwalkar, UAI 2019 (arXiv 1902.07638). The logits stay as they began, so what is recorded has to be selected
    (`sampled-selection`). A step computes the operations of its path alone. The whole network's own loss and accuracy
    are those of even mixing weights.
    """

    name = "uniform-path"
    paper = "Li & Talwalkar, UAI 2019 (1902.07638)"

    status = "conforms"
    counts = "none"

    @property
    def evaluates(self) -> Evaluated:
        return "drawn"

    def passes(self) -> tuple[int, int]:
        return (0, 0)

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        return [a.softmax(dim=-1) for a in alphas]

    def sample(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        def drawn(generator: torch.Generator) -> Tensor:
            seed = int(torch.randint(2**62, (), generator=generator))
            mix = moment.space.mix(moment.space.random(np.random.default_rng(seed)))
            return flatten_tensors([torch.as_tensor(m, dtype=alphas[0].dtype) for m in mix])

        return unflatten_vector(moment.streams.draw("paths", drawn, alphas[0].device), alphas)

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        """Zero; no architecture step is taken."""
        return [torch.zeros_like(a) for a in step.alphas]
