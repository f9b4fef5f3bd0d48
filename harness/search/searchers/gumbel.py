"""GDAS and SNAS: mixing weights sampled by the Gumbel softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from harness.search.naming import Named
from harness.search.schedules import until_the_last_epoch
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.steps import Moment
from harness.spaces.blocks.supernet import one_hot


def gumbel_softmax(alpha: Tensor, temperature: float, moment: Moment) -> Tensor:
    """softmax((log softmax(alpha) + Gumbel noise) / temperature), rows of a [choices, options] tensor."""
    uniform = moment.streams.uniform("gumbel", alpha, 0.0, 1.0).clamp(min=1e-10)
    noise = -(-uniform.log()).clamp(min=1e-10).log()
    return ((alpha.log_softmax(dim=-1) + noise) / temperature).softmax(dim=-1)


class Gumbel(SoftmaxSearcher):
    """Each step at a sample: soft (SNAS, Xie et al., ICLR 2019, arXiv 1812.09926), or hard with a straight-through
    gradient (GDAS, Dong & Yang, CVPR 2019, arXiv 1910.04465).

    hard: the tensors of operations; those of parents stay soft, as in NAS-Bench-1Shot1's code.
    temperature, temperature_end: linear over the search (SNAS 10 to 1; GDAS 10 to 0.1 on NAS-Bench-201). All operations
    are computed, and the sampled one is kept: what GDAS computes, without its saving.
    """

    name = "gumbel"
    paper = "Xie et al., ICLR 2019 (1812.09926); Dong & Yang, CVPR 2019 (1910.04465)"
    methods: ClassVar = {"snas": Named(), "gdas": Named({"variant": "hard", "temperature_end": 0.1})}
    role = "relaxation"
    status = "adapted"
    variant: Literal["soft", "hard"] = "soft"
    temperature: float = Field(10.0, gt=0)
    temperature_end: float = Field(1.0, gt=0)

    def sample(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        temperature = until_the_last_epoch(self.temperature, self.temperature_end, moment)
        soft = [gumbel_softmax(a, temperature, moment) for a in alphas]
        if self.variant == "soft":
            return soft
        hard = moment.space.operation_tensors()
        return [one_hot(s) - s.detach() + s if i in hard else s for i, s in enumerate(soft)]
