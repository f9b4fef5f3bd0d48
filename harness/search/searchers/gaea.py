"""GAEA (Li et al., ICLR 2021, arXiv 2004.07802)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer

from harness.search.searchers.base import ARCHITECTURE_STEPS, SIMPLEX, SoftmaxSearcher
from harness.search.steps import ArchitectureStep


class GAEA(SoftmaxSearcher):
    """Exponentiated gradient on the simplex: a <- a * exp(-rate dL_valid/da), divided by its sum (paper, algorithm 1).

    In logits, alpha <- log softmax(alpha - rate dL_valid/da), with mixing weights kept above `floor`. The architecture
    optimiser of the study is not used.
    """

    name = "gaea"
    paper = "Li et al., ICLR 2021 (2004.07802)"
    offers = (SIMPLEX, ARCHITECTURE_STEPS)
    rate: float = Field(0.1, gt=0)
    floor: float = Field(1e-5, ge=0, lt=1)

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        """With respect to the mixing weights, a penalty's through its logits."""
        mix = [m.detach().requires_grad_() for m in self.relax(step.alphas)]
        with step.constant_weights():
            slopes = torch.autograd.grad(step.loss(step.net, mix, step.valid), mix)
        penalty = step.penalty(step.alphas)
        if penalty is None:
            return list(slopes)
        extra = torch.autograd.grad(penalty, step.alphas)
        return [s + e for s, e in zip(slopes, extra, strict=True)]

    def move(self, alphas: Sequence[Tensor], gradients: Sequence[Tensor], optimizer: Optimizer) -> None:
        with torch.no_grad():
            for alpha, gradient in zip(alphas, gradients, strict=True):
                mix = (alpha - self.rate * gradient).softmax(dim=-1).clamp(min=self.floor)
                alpha.copy_((mix / mix.sum(dim=-1, keepdim=True)).log())
