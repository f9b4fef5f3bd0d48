"""beta-DARTS: decay of the softmax's scale through the architecture loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.lazy import torch
from harness.search.naming import DARTS_CODE, NamedUse, SearchRecipe
from harness.search.regularizers.base import Regularizer
from harness.search.schedules import interpolate_until_end
from harness.search.searchers.base import SOFTMAX
from harness.search.steps import Moment

if TYPE_CHECKING:
    from torch import Tensor


class BetaDecay(Regularizer):
    """Add lambda_e * mean over choices of logsumexp(alpha) to the architecture loss, lambda_e = strength e / length.

    Ye et al., beta-DARTS, CVPR 2022 (arXiv 2203.01665), equation 12.
    """

    name = "beta-decay"
    paper = "Ye et al., CVPR 2022 (2203.01665)"
    recipes: ClassVar = {
        "nasbench201": SearchRecipe(
            "Sunshine-Ye/Beta-DARTS nasbench201/train_search.py", {**DARTS_CODE, "sampling": "replacement"}, 16, 100
        )
    }
    methods: ClassVar = {"beta-darts": NamedUse(official={"length": 100})}
    status = "conforms"
    stacks = True
    needs = (SOFTMAX,)
    neutral: ClassVar[dict[str, Any]] = {"strength": 0}
    strength: float = Field(50.0, ge=0)
    """lambda at the end of `length`."""
    length: int | None = Field(None, ge=1)
    """Epochs over which the strength grows; None: those of the search. The published code has 100 written in it,
    whatever the search's epochs are."""

    def alpha_loss(self, alphas: list[Tensor], moment: Moment) -> Tensor:
        within = replace(moment, epochs=self.length or moment.epochs)
        return interpolate_until_end(0.0, self.strength, within) * average_logsumexp(alphas)


def average_logsumexp(alphas: Sequence[Tensor]) -> Tensor:
    """The mean over all choices, a scalar."""
    return torch.cat([a.logsumexp(dim=-1) for a in alphas]).mean()
