"""DrNAS (Chen et al., ICLR 2021, arXiv 2006.10355)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.search.searchers.base import ARCHITECTURE_STEPS, SIMPLEX, SoftmaxSearcher
from harness.search.steps import Moment


class DrNAS(SoftmaxSearcher):
    """Mixing weights drawn from Dirichlet(elu(alpha) + 1), with pathwise gradients (paper, equation 4).

    A sample is a row of gamma variates divided by their sum. Without a step's noise, the distribution's mean. The
    distance to the anchor is the L2 factor of the architecture optimiser, as in the published code for NAS-Bench-201.
    """

    name = "drnas"
    paper = "Chen et al., ICLR 2021 (2006.10355)"
    role = "relaxation"
    offers = (SIMPLEX, ARCHITECTURE_STEPS)
    replays = False

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        shapes = [F.elu(a) + 1 for a in alphas]
        return [s / s.sum(dim=-1, keepdim=True) for s in shapes]

    def sample(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        drawn = []
        for alpha in alphas:
            concentration = (F.elu(alpha) + 1).cpu()  # the stream's generator lives on the CPU
            gamma = torch._standard_gamma(concentration, generator=moment.streams["dirichlet"]).to(alpha.device)
            drawn.append(gamma / gamma.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(gamma.dtype).tiny))
        return drawn
