"""SDARTS-ADV: adversarial perturbation of the mixing weights by projected gradient ascent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.lazy import torch
from harness.core.streams import Streams
from harness.search.naming import NamedUse
from harness.search.regularizers.base import Regularizer, project_onto_simplex
from harness.search.regularizers.random_smoothing import SMOOTHDARTS
from harness.search.schedules import interpolate_until_end
from harness.search.searchers.base import SIMPLEX
from harness.search.steps import WeightStep
from harness.spaces.blocks.mix import Mix

if TYPE_CHECKING:
    from torch import Tensor


class AdversarialPerturbation(Regularizer):
    """Take the weight step at the mixing weights that raise the training loss most within an l-infinity ball.

    min_w max_{|delta| <= epsilon} L_train(w, a + delta) (Chen & Hsieh, ICML 2020, arXiv 2002.05283, equation 4), by
    `steps` sign steps of 2 epsilon / steps on the batch of the weight step, batch norm in eval mode (or as
    `Preset.ascends_in_eval_mode` says). After each step
    the perturbation is clamped to the ball and the point put on the simplex; putting it there last may leave the
    ball, as published. A result with a lower loss than the start is discarded.
    """

    name = "adversarial"
    paper = "Chen & Hsieh, ICML 2020 (2002.05283)"
    recipes: ClassVar = SMOOTHDARTS
    methods: ClassVar = {"sdarts-adv": NamedUse()}
    needs = (SIMPLEX,)
    neutral: ClassVar[dict[str, Any]] = {"epsilon": 0, "epsilon_start": 0}
    status = "conforms"
    stacks = True
    epsilon: float = Field(0.3, ge=0, le=1)
    """Mixing-weight units."""
    epsilon_start: float = Field(0.03, ge=0, le=1)
    """Mixing-weight units."""
    steps: int = Field(7, ge=1)
    """Sign steps of the ascent, each of 2 epsilon / steps."""
    random_start: bool = True
    """Begin at a uniform point of the ball (the published code's default; the conformance records go without)."""

    def passes(self) -> tuple[int, int]:
        return (self.steps + 1 + self.random_start, self.steps) if self.epsilon else (0, 0)

    def perturb(self, mix: list[Tensor], step: WeightStep) -> list[Tensor]:
        eps = interpolate_until_end(self.epsilon_start, self.epsilon, step.moment)
        if eps == 0:
            return mix
        return self.ascend(mix, step.frozen_loss(), eps, step.moment.streams, step.net.gradients)

    def ascend(
        self,
        mix: list[Tensor],
        loss: Callable[[Mix], Tensor],
        eps: float,
        streams: Streams,
        gradients: Callable[[Tensor, list[Tensor]], Sequence[Tensor]],
    ) -> list[Tensor]:
        """The attack on a loss of mixing weights in the ball of radius eps around these. gradients: those of a value of
        the loss."""
        points, reached = mix, []
        if self.random_start:
            points = [project_onto_simplex(a + streams.uniform("alpha-noise", a, -eps, eps)) for a in mix]
            with torch.no_grad():
                reached.append(loss(mix))
        for _ in range(self.steps):
            points = [p.detach().requires_grad_() for p in points]
            reached.append(loss(points))
            slopes = gradients(reached[-1], points)
            points = [
                project_onto_simplex(a + (p.detach() + 2 * eps / self.steps * g.sign() - a).clamp(-eps, eps))
                for a, p, g in zip(mix, points, slopes, strict=True)
            ]
        with torch.no_grad():
            worse = loss(points) < reached[0]  # at mix: without a random start the first point
        return [torch.where(worse, a, p) for a, p in zip(mix, points, strict=True)]  # the device is not waited for
