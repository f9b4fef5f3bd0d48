"""MS-DARTS: mean-shift sampling of the mixing weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.core.lazy import torch
from harness.core.streams import Streams
from harness.search.naming import DARTS_CODE, NamedUse, SearchRecipe
from harness.search.regularizers.alpha_warmup import AlphaWarmup
from harness.search.regularizers.base import Regularizer, project_onto_simplex
from harness.search.schedules import interpolate_until_end
from harness.search.searchers.base import SIMPLEX
from harness.search.steps import WeightStep
from harness.spaces.blocks.mix import Mix

if TYPE_CHECKING:
    from torch import Tensor


class MeanShift(Regularizer):
    """Take the weight step at a weighted mean of random points around the mixing weights, found in a few rounds.

    Hsieh et al., MS-DARTS, IEEE TAI 2024 (arXiv 2108.09996). A round draws points X_n = a + U(-epsilon, epsilon),
    puts them on the simplex (Z_n), measures the training loss at each, batch norm in eval mode, and moves to a =
    sum_n p_n k_n X_n / sum_n p_n k_n, p a softmax over n, and k_n = exp(-|a - Z_n|^2 / (2 h^2)) for each tensor.

    variant `official`: p = softmax(+loss), the mean of the points before they were put on the simplex, as the
    published code does: it climbs the loss, and with nearly equal weights it is a random perturbation of sqrt(2/3) of
    epsilon. `true`: p = softmax(-loss) and the mean of the points on the simplex, a mean shift towards low loss.
    """

    name = "mean-shift"
    paper = "Hsieh et al., TAI 2024 (2108.09996)"
    recipes: ClassVar = {
        "": SearchRecipe("aaron851113/MS-DARTS sota/cnn", DARTS_CODE, 16, 40, (AlphaWarmup(length=5),)),
        "nasbench1shot1": SearchRecipe(
            "aaron851113/MS-DARTS optimizers/darts", {**DARTS_CODE, "batch_size": 96, "sampling": "pass"}, 16, 80
        ),
    }
    methods: ClassVar = {
        "ms-darts": NamedUse(),
        "ms-darts-true": NamedUse({"variant": "true"}),
    }
    needs = (SIMPLEX,)
    neutral: ClassVar[dict[str, Any]] = {"epsilon": 0, "epsilon_start": 0}
    status = "conforms"
    epsilon: float = Field(0.25, ge=0, le=1)
    """Mixing-weight units."""
    epsilon_start: float = Field(0.025, ge=0, le=1)
    """Mixing-weight units."""
    rounds: int = Field(2, ge=1)
    """T: how often the mean is moved."""
    samples: int = Field(3, ge=1)
    """N: points of a round."""
    bandwidth: float = Field(1.0, gt=0)
    """h of the kernel."""
    variant: Literal["official", "true"] = "official"
    """`official` climbs the loss, as the published code; `true` goes towards low loss."""

    def proof(self) -> str:
        return self.status if self.variant == "official" else "specified"

    def passes(self) -> tuple[int, int]:
        return (self.rounds * self.samples, 0)

    def perturb(self, mix: list[Tensor], step: WeightStep) -> list[Tensor]:
        eps = interpolate_until_end(self.epsilon_start, self.epsilon, step.moment)
        if eps == 0:
            return mix
        with torch.no_grad():
            loss = step.frozen_loss()
            for _ in range(self.rounds):
                mix = self._shift(mix, loss, step.moment.streams, eps)
        return mix

    def _shift(self, mix: list[Tensor], loss: Callable[[Mix], Tensor], streams: Streams, eps: float) -> list[Tensor]:
        points = [[a + streams.uniform("alpha-noise", a, -eps, eps) for a in mix] for _ in range(self.samples)]
        inside = [[project_onto_simplex(x) for x in point] for point in points]
        losses = torch.stack([loss(point) for point in inside])
        official = self.variant == "official"
        preference = (losses if official else -losses).softmax(dim=0)
        averaged = points if official else inside
        moved = []
        for i, a in enumerate(mix):
            distance = torch.stack([(a - point[i]).square().sum() for point in inside])
            weights = preference * (-distance / (2 * self.bandwidth**2)).exp()
            stacked = torch.stack([point[i] for point in averaged])
            moved.append((weights.view(-1, *[1] * a.dim()) * stacked).sum(dim=0) / weights.sum())
        return moved
