"""GAEA on GDAS' samples (Li et al., ICLR 2021, arXiv 2004.07802)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.core.lazy import torch
from harness.search.naming import NamedUse
from harness.search.schedules import interpolate_until_last_epoch
from harness.search.searchers import gaea
from harness.search.searchers.gumbel import pass_straight_through, sample_gumbel_softmax
from harness.search.steps import ArchitectureStep, Moment
from harness.spaces.blocks.mix import Evaluated

if TYPE_CHECKING:
    from torch import Tensor


class GAEAGumbel(gaea.GAEA):
    """GAEA's steps at the hard Gumbel samples of GDAS, whose logits are the logarithms of the mixing weights."""

    name = "gaea-gumbel"
    methods: ClassVar = {"gaea-gdas": NamedUse(official={"clamped_last": True, "bare": True})}
    temperature: float = Field(10.0, gt=0)
    """Of the Gumbel softmax in the first epoch."""
    temperature_end: float = Field(0.1, gt=0)
    """The same in the last epoch."""
    warmup: int = Field(0, ge=0)
    """Epochs without architecture steps, from whose end on the temperature falls."""
    clamped_last: bool = False
    """As published, rows are divided by their sum before they are clamped, and then exceed one slightly; else as in
    GAEA."""
    bare: bool = False
    """Weights of operations that are not drawn are added to the features, as in the code of GDAS that this one is made
    from."""

    @property
    def evaluates(self) -> Evaluated:
        return "bare" if self.bare else "drawn"

    def moves(self, moment: Moment) -> bool:
        return moment.epoch >= self.warmup

    def sample(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        since = replace(moment, epoch=max(0, moment.epoch - self.warmup))
        temperature = interpolate_until_last_epoch(self.temperature, self.temperature_end, since)
        soft = [sample_gumbel_softmax(a, temperature, moment) for a in alphas]
        hard = moment.space.operation_tensors()
        return [pass_straight_through(s) if i in hard else s for i, s in enumerate(soft)]

    def slopes(self, step: ArchitectureStep) -> list[Tensor]:
        loss = step.loss(step.net, self.sample(step.alphas, step.moment), step.valid)
        slopes = torch.autograd.grad(loss, step.alphas)
        return [
            s / a.detach().exp().clamp(min=torch.finfo(a.dtype).tiny) for s, a in zip(slopes, step.alphas, strict=True)
        ]

    def moved(self, mix: Tensor, slope: Tensor) -> Tensor:
        if not self.clamped_last:
            return super().moved(mix, slope)
        found = mix * torch.exp(-self.rate * slope)
        return (found / found.sum(dim=-1, keepdim=True)).clamp(min=self.floor).where(mix > 0, mix)
