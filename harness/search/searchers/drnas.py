"""DrNAS (Chen et al., ICLR 2021, arXiv 2006.10355)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.core.lazy import F, torch
from harness.search.naming import DARTS_CODE, SearchRecipe
from harness.search.searchers.base import ARCHITECTURE_STEPS, SIMPLEX, SoftmaxSearcher
from harness.search.steps import Moment
from harness.search.training import Training

if TYPE_CHECKING:
    from torch import Tensor


@cache
def make_pathwise_sampler() -> Any:
    """A sample of a Dirichlet distribution as a function of its concentration, by the implicit derivative that
    `torch.distributions.Dirichlet.rsample` has. Rows: [..., options]."""

    class Pathwise(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, concentration: Tensor, sample: Tensor) -> Tensor:
            ctx.save_for_backward(concentration, sample)
            return sample.clone()

        @staticmethod
        def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
            concentration, sample = ctx.saved_tensors
            total = concentration.sum(dim=-1, keepdim=True).expand_as(concentration)
            slope = slopes[0] - (sample * slopes[0]).sum(dim=-1, keepdim=True)
            return torch._dirichlet_grad(sample, concentration, total) * slope, None

    return Pathwise.apply


class DrNAS(SoftmaxSearcher):
    """Mixing weights drawn from Dirichlet(elu(alpha) + 1), with pathwise gradients (paper, equation 4).

    Without a step's noise, the distribution's mean.
    """

    name = "drnas"
    paper = "Chen et al., ICLR 2021 (2006.10355)"
    recipes: ClassVar = {
        "nasbench201": SearchRecipe("xiangning-chen/DrNAS 201-space/train_search.py", DARTS_CODE, 16, 100)
    }
    status = "conforms"
    role = "relaxation"
    offers = (SIMPLEX, ARCHITECTURE_STEPS)
    counts = "logits"
    replays = False
    anchor: Literal["l2", "kl"] = "l2"
    """The distance to Dirichlet(1) in the architecture loss, as the L2 factor of the architecture optimizer (`l2`,
    published for NAS-Bench-201), or as the sum of the choices' divergences KL(q, Dirichlet(1)) (`kl`)."""
    strength: float = Field(1e-3, ge=0)
    """Factor of the anchor, in place of the study's L2 factor of alpha."""

    def settings(self, training: Training) -> Training:
        return training.model_copy(update={"alpha_weight_decay": self.strength if self.anchor == "l2" else 0.0})

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        shapes = [F.elu(a) + 1 for a in alphas]
        return [s / s.sum(dim=-1, keepdim=True) for s in shapes]

    def sample(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        return [self._draw(F.elu(alpha) + 1, moment) for alpha in alphas]

    def _draw(self, concentration: Tensor, moment: Moment) -> Tensor:
        fixed = concentration.detach().cpu()  # the stream's generator lives on the CPU
        drawn = moment.streams.draw(
            "dirichlet", lambda g: torch._sample_dirichlet(fixed, generator=g), concentration.device
        )
        sample: Tensor = make_pathwise_sampler()(concentration, drawn.to(concentration))
        return sample

    def penalty(self, alphas: Sequence[Tensor]) -> Tensor | None:
        return self.strength * compute_divergence(alphas) if self.anchor == "kl" else None


def compute_divergence(alphas: Sequence[Tensor]) -> Tensor:
    """The sum of KL(Dirichlet(elu(alpha) + 1), Dirichlet(1)) over all choices."""
    rows = [F.elu(a) + 1 for a in alphas]
    kinds = torch.distributions
    found = [kinds.kl_divergence(kinds.Dirichlet(r), kinds.Dirichlet(torch.ones_like(r))).sum() for r in rows]
    return torch.stack(found).sum()
