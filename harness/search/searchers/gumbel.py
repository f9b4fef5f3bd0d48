"""GDAS and SNAS: mixing weights sampled by the Gumbel softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.core.lazy import torch
from harness.search.clipping import compute_norm_and_scale
from harness.search.naming import AUTODL, DARTS_CODE, NamedUse, SearchRecipe
from harness.search.schedules import interpolate_until_end, interpolate_until_last_epoch
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.steps import ArchitectureStep, Moment
from harness.spaces.blocks.mix import Evaluated, make_one_hot

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

SMALLEST = 1e-10


def sample_gumbel_softmax(logits: Tensor, temperature: float, moment: Moment) -> Tensor:
    """softmax((logits + Gumbel noise) / temperature), rows of a [..., choices, options] tensor."""
    uniform = moment.streams.uniform("gumbel", logits, 0.0, 1.0).clamp(min=SMALLEST)
    noise = -(-uniform.log()).clamp(min=SMALLEST).log()
    return ((logits + noise) / temperature).softmax(dim=-1)


def pass_straight_through(soft: Tensor) -> Tensor:
    """One at the largest entry of each row, with the gradient of the rows themselves."""
    return make_one_hot(soft) - soft.detach() + soft


def invert_gumbel_noise(noise: Tensor) -> Tensor:
    """The uniform numbers whose Gumbel noise this is."""
    return torch.exp(-torch.exp(-noise))


class Gumbel(SoftmaxSearcher):
    """Each step at a sample: soft (SNAS, Xie et al., ICLR 2019, arXiv 1812.09926), or hard with a straight-through
    gradient (GDAS, Dong & Yang, CVPR 2019, arXiv 1910.04465).

    hard: the tensors of operations; those of parents stay soft, as in NAS-Bench-1Shot1's code.
    """

    name = "gumbel"
    paper = "Xie et al., ICLR 2019 (1812.09926); Dong & Yang, CVPR 2019 (1910.04465)"
    recipes: ClassVar = {
        "nasbench1shot1": SearchRecipe(
            "automl/nasbench-1shot1 optimizers/gdas", {**DARTS_CODE, "batch_size": 96, "sampling": "pass"}, 16, 100
        ),
        "nasbench201": SearchRecipe("AutoDL-Projects configs/nas-benchmark/algos/GDAS.config", AUTODL, 16, 240),
    }
    methods: ClassVar = {
        "snas": NamedUse(
            recipes={"nasbench201": SearchRecipe("xiangning-chen/DrNAS 201-space/train_search.py", DARTS_CODE, 16, 100)}
        ),
        "gdas": NamedUse({"variant": "hard", "temperature_end": 0.1, "others": "omitted"}, official={"others": "bare"}),
        "gdas-1shot1": NamedUse(
            {"variant": "hard", "others": "omitted", "draws": "cell", "reaches_end": False, "clip": 5.0}
        ),
    }
    role = "relaxation"
    counts = "stale"
    variant: Literal["soft", "hard"] = "soft"
    """`soft` samples (SNAS), or `hard` ones with a straight-through gradient (GDAS)."""
    temperature: float = Field(10.0, gt=0)
    """Linear over the search (SNAS 10 to 1; GDAS 10 to 0.1 on NAS-Bench-201, 10 to 1 on NAS-Bench-1Shot1)."""
    temperature_end: float = Field(1.0, gt=0)
    """Linear over the search (SNAS 10 to 1; GDAS 10 to 0.1 on NAS-Bench-201, 10 to 1 on NAS-Bench-1Shot1)."""
    reaches_end: bool = True
    """In the last epoch, or one epoch later, as in NAS-Bench-1Shot1's code."""
    draws: Literal["all", "cell"] = "all"
    """One for all cells, or one a cell."""
    others: Literal["computed", "omitted", "bare"] = "computed"
    """The operations that are not drawn are computed (SNAS), omitted (GDAS: no gradient reaches them), or their bare
    weights are added to the features, so that their logits get the sum of the incoming gradient (AutoDL-Projects' code
    of GDAS)."""
    clip: float | None = Field(None, gt=0)
    """The joint norm of the logits' gradient."""

    def proof(self) -> str:
        return "conforms" if self.variant == "hard" and self.others != "computed" else "adapted"

    @property
    def evaluates(self) -> Evaluated:
        kinds: dict[str, Evaluated] = {"computed": "all", "omitted": "drawn", "bare": "bare"}
        return kinds[self.others]

    def sample(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        linear = interpolate_until_last_epoch if self.reaches_end else interpolate_until_end
        temperature = linear(self.temperature, self.temperature_end, moment)
        logits = [a.log_softmax(dim=-1) for a in alphas]
        if self.draws == "cell":
            logits = [rows.expand(moment.cells, *rows.shape) for rows in logits]
        soft = [sample_gumbel_softmax(rows, temperature, moment) for rows in logits]
        if self.variant == "soft":
            return soft
        hard = moment.space.operation_tensors()
        return [pass_straight_through(s) if i in hard else s for i, s in enumerate(soft)]

    def move(self, step: ArchitectureStep, gradients: Sequence[Tensor], optimizer: Optimizer) -> None:
        if self.clip is not None:
            _, scale = compute_norm_and_scale(gradients, self.clip)
            gradients = [g * scale for g in gradients]
        super().move(step, gradients, optimizer)
