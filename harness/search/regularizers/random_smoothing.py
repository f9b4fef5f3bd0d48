"""SDARTS-RS: random smoothing of the mixing weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.search.naming import DARTS_CODE, RNN_CODE, NamedUse, Recipes, SearchRecipe
from harness.search.regularizers.awd import AWD
from harness.search.regularizers.base import Regularizer, project_onto_simplex
from harness.search.regularizers.mean_shift import MeanShift
from harness.search.schedules import interpolate_until_end
from harness.search.searchers.base import SIMPLEX
from harness.search.steps import WeightStep

if TYPE_CHECKING:
    from torch import Tensor

SMOOTHDARTS: Recipes = {
    "": SearchRecipe("xiangning-chen/SmoothDARTS sota/cnn", {**DARTS_CODE, "sampling": "replacement"}, 16, 50),
    "nasbench1shot1": SearchRecipe(
        "xiangning-chen/SmoothDARTS optimizers", {**DARTS_CODE, "batch_size": 96, "sampling": "pass"}, 16, 100
    ),
    "recurrent": SearchRecipe("xiangning-chen/SmoothDARTS sota/rnn", RNN_CODE, 300, 50, (AWD(),)),
    "nasbench201": SearchRecipe(
        "xiangning-chen/SmoothDARTS nasbench201", {**DARTS_CODE, "sampling": "replacement"}, 16, 100
    ),
}
"""How the code of SmoothDARTS trains every method in it."""


class RandomSmoothing(Regularizer):
    """Take the weight step at a + U(-epsilon, epsilon), independently for every mixing weight, put on the simplex.

    min_w L_train(w, clip(a + delta)), delta ~ U[-epsilon, epsilon] (Chen & Hsieh, ICML 2020, arXiv 2002.05283,
    equation 3).
    """

    name = "random-smoothing"
    paper = "Chen & Hsieh, ICML 2020 (2002.05283)"
    recipes: ClassVar = SMOOTHDARTS
    methods: ClassVar = {
        "sdarts-rs": NamedUse(),
        # of the same standard deviation as what MS-DARTS' published code does: its control
        "ms-darts-control": NamedUse({"epsilon": 0.204, "epsilon_start": 0.0204}, recipes=MeanShift.recipes),
    }
    needs = (SIMPLEX,)
    neutral: ClassVar[dict[str, Any]] = {"epsilon": 0, "epsilon_start": 0}
    status = "conforms"
    stacks = True
    epsilon: float = Field(0.3, ge=0, le=1)
    """Mixing-weight units, in [0, 1]; the radius is constant within an epoch."""
    epsilon_start: float = Field(0.03, ge=0, le=1)
    """Mixing-weight units, in [0, 1]; the radius is constant within an epoch."""

    def perturb(self, mix: list[Tensor], step: WeightStep) -> list[Tensor]:
        eps = interpolate_until_end(self.epsilon_start, self.epsilon, step.moment)
        if eps == 0:
            return mix
        return [project_onto_simplex(a + step.moment.streams.uniform("alpha-noise", a, -eps, eps)) for a in mix]
