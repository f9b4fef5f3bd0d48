"""A regularizer."""

from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor

from harness.search.regularizers.base import Regularizer
from harness.search.steps import Moment


class Pull(Regularizer):
    """Add strength * sum of squared logits to the architecture loss."""

    name = "pull"
    neutral: ClassVar[dict[str, Any]] = {"strength": 0}
    paper = "an example"
    strength: float = Field(0.01, ge=0)

    def alpha_loss(self, alphas: list[Tensor], moment: Moment) -> Tensor:
        return self.strength * sum((a.square().sum() for a in alphas), alphas[0].new_zeros(()))
