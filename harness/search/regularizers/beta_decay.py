"""beta-DARTS: decay of the softmax's scale through the architecture loss."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from harness.search.regularizers.base import Regularizer
from harness.search.searchers.base import SOFTMAX


class BetaDecay(Regularizer):
    """Add lambda_e * mean over choices of logsumexp(alpha) to the architecture loss, lambda_e = strength e / E.

    Ye et al., beta-DARTS, CVPR 2022 (arXiv 2203.01665), equation 12; the published code's strength of 50 over its
    100 epochs gives 0.5 e.
    """

    name = "beta-decay"
    paper = "Ye et al., CVPR 2022 (2203.01665)"
    needs = (SOFTMAX,)
    neutral: ClassVar[dict[str, Any]] = {"strength": 0}
    strength: float = Field(50.0, ge=0)

    def alpha_loss(self, alphas: list[Tensor], epoch: int, epochs: int) -> Tensor:
        rows = torch.cat([a.logsumexp(dim=-1) for a in alphas])
        return self.strength * epoch / epochs * rows.mean()
