"""NASP (Yao et al., AAAI 2020, arXiv 1905.13577)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from harness.search.searchers.base import ARCHITECTURE_STEPS, SIMPLEX, SoftmaxSearcher
from harness.search.steps import Moment
from harness.spaces.blocks.supernet import one_hot


class NASP(SoftmaxSearcher):
    """Proximal steps: the network runs at the one-hot point nearest to alpha, its gradient moves the continuous alpha,
    which is then clipped to [0, 1] (paper, algorithm 2).
    """

    name = "nasp"
    paper = "Yao et al., AAAI 2020 (1905.13577)"
    offers = (SIMPLEX, ARCHITECTURE_STEPS)

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        return [one_hot(a) for a in alphas]

    def sample(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        """The one-hot point, with the identity as its derivative."""
        return [hard + (a - a.detach()) for hard, a in zip(self.relax(alphas), alphas, strict=True)]

    def move(self, alphas: Sequence[Tensor], gradients: Sequence[Tensor], optimizer: Optimizer) -> None:
        super().move(alphas, gradients, optimizer)
        with torch.no_grad():
            for alpha in alphas:
                alpha.clamp_(0.0, 1.0)
