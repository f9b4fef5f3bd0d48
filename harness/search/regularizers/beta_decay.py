"""beta-DARTS: decay of the softmax's scale through the architecture loss."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from harness.search.naming import Named
from harness.search.regularizers.base import Regularizer
from harness.search.schedules import until_the_end
from harness.search.searchers.base import SOFTMAX
from harness.search.steps import Moment


class BetaDecay(Regularizer):
    """Add lambda_e * mean over choices of logsumexp(alpha) to the architecture loss, lambda_e = strength e / E.

    Ye et al., beta-DARTS, CVPR 2022 (arXiv 2203.01665), equation 12; the published code's strength of 50 over its
    100 epochs gives 0.5 e.
    """

    name = "beta-decay"
    paper = "Ye et al., CVPR 2022 (2203.01665)"
    methods: ClassVar = {"beta-darts": Named()}
    needs = (SOFTMAX,)
    neutral: ClassVar[dict[str, Any]] = {"strength": 0}
    strength: float = Field(50.0, ge=0)

    def alpha_loss(self, alphas: list[Tensor], moment: Moment) -> Tensor:
        rows = torch.cat([a.logsumexp(dim=-1) for a in alphas])
        return until_the_end(0.0, self.strength, moment) * rows.mean()
