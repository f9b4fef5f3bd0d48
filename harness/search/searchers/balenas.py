"""BaLeNAS (Zhang et al., CVPR 2022, arXiv 2111.13204): alpha is a Gaussian, learnt by natural gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.core.lazy import torch
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.state import DROPPED
from harness.search.steps import ArchitectureStep, Moment

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


class BaLeNAS(SoftmaxSearcher):
    """alpha ~ N(mu, diag(1 / (N s + prior))), N = `images`, moved by the natural-gradient rule of Vadam (Khan et al.,
    ICML 2018, arXiv 1806.04854, algorithm 1, and emtiyaz/vadam pytorch/vadam/optimizers.py), with g the gradient of the
    validation loss at one draw of alpha, b1 and b2 alpha's betas, rate its learning rate, t the steps so far:

        m <- b1 m + (1 - b1) (g + prior mu / N),  s <- b2 s + (1 - b2) g^2,
        mu <- mu - rate (m / (1 - b1^t)) / (sqrt(s / (1 - b2^t)) + prior / N).

    The logits are mu, from which architectures are derived; the prior N(0, 1 / prior) is their only decay. s begins at
    `begin`; at zero alpha begins as its prior.

    Adapted: no code of its authors was found, and of the paper no more than its abstract could be consulted: a Gaussian
    over alpha, by natural-gradient variational inference and the Bayesian learning rule, at the price of DARTS in
    existing code. What that leaves open is taken from Vadam: one draw a step, a prior of precision 1, weights trained
    at the mean, which its optimizer leaves behind. N is CIFAR-10's validation half. The values by which the paper's
    results came about are not known to be these. Its selection by training-free scores (BaLeNAS-TF) is not here.
    """

    name = "balenas"
    paper = "Zhang et al., CVPR 2022 (2111.13204)"
    lacks = "no code of its authors was found"
    status = "adapted"
    images: int = Field(25_000, ge=1)
    """N: the images that the posterior is of."""
    prior: float = Field(1.0, gt=0)
    """Precision of the prior."""
    begin: float = Field(0.0, ge=0)
    """s at the beginning."""

    def validation_loss(self, step: ArchitectureStep) -> Tensor:
        """L_valid + penalties at a draw of alpha."""
        drawn = [a + n for a, n in zip(step.alphas, self.noise(step.alphas, step.moment), strict=True)]
        return step.penalized(step.loss(step.net, self.relax(drawn), step.valid))

    def noise(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        """A draw of alpha - mu."""
        found = []
        for alpha, s in zip(alphas, self.kept(alphas, moment)["s"], strict=True):
            shape, dtype = alpha.shape, alpha.dtype
            normal = moment.streams.draw(
                self.name,
                lambda g, shape=shape, dtype=dtype: torch.randn(shape, generator=g, dtype=dtype),  # type: ignore[misc]
                alpha.device,
            )
            found.append(normal * (self.images * s + self.prior).rsqrt())
        return found

    def kept(self, alphas: Sequence[Tensor], moment: Moment) -> dict[str, Any]:
        """m and s of every tensor, and the steps so far, which are moved in place."""
        if self.name not in moment.memory:
            moment.memory[self.name] = {
                "m": [torch.zeros_like(a, requires_grad=False) for a in alphas],
                "s": [torch.full_like(a, self.begin, requires_grad=False) for a in alphas],
                "steps": torch.zeros((), dtype=alphas[0].dtype, device=alphas[0].device),
            }
        found: dict[str, Any] = moment.memory[self.name]
        return found

    def move(self, step: ArchitectureStep, gradients: Sequence[Tensor], optimizer: Optimizer) -> None:
        kept, group, weight = self.kept(step.alphas, step.moment), optimizer.param_groups[0], self.prior / self.images
        first, second = group["betas"]
        kept["steps"].add_(1)
        with torch.no_grad():
            for alpha, g, m, s in zip(step.alphas, gradients, kept["m"], kept["s"], strict=True):
                m.mul_(first).add_(g + weight * alpha, alpha=1 - first)
                s.mul_(second).addcmul_(g, g, value=1 - second)
                upward = m / (1 - first ** kept["steps"])
                change = upward / ((s / (1 - second ** kept["steps"])).sqrt() + weight)
                # dropped options stay dropped, whatever the prior says of them
                alpha.sub_(group["lr"] * change.where(alpha > DROPPED / 2, torch.zeros_like(change)))
