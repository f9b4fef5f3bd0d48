"""GAEA (Li et al., ICLR 2021, arXiv 2004.07802)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from harness.core.lazy import torch
from harness.search.clipping import compute_norm_and_scale
from harness.search.naming import DARTS_CODE, NamedUse, SearchRecipe
from harness.search.searchers.base import ARCHITECTURE_STEPS, SIMPLEX, SoftmaxSearcher
from harness.search.state import DROPPED, drop_zero
from harness.search.steps import ArchitectureStep
from harness.spaces.base import Architecture, Rows, Space

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


class GAEA(SoftmaxSearcher):
    """Exponentiated gradient on the simplex: a <- a * exp(-rate dL_valid/da), clamped at `floor`, divided by its sum
    (paper, algorithm 1). Alpha holds the logarithms of mixing weights, which begin equal.

    The architecture optimizer of the study is not used.
    """

    name = "gaea"
    paper = "Li et al., ICLR 2021 (2004.07802)"
    recipes: ClassVar = {
        "nasbench201": SearchRecipe("liamcli/gaea_release configs/cnn/mode/search_nasbench201.yaml", DARTS_CODE, 24, 25)
    }
    revision = 2
    methods: ClassVar = {"gaea": NamedUse(), "gaea-edges": NamedUse({"edge_rate": 0.1})}
    status = "conforms"
    offers = (SIMPLEX, ARCHITECTURE_STEPS)
    counts = "none"
    rate: float = Field(0.1, gt=0)
    """Learning rate of the exponentiated gradient."""
    floor: float = Field(1e-5, ge=0, lt=1)
    """The smallest mixing weight."""
    entropy: float = Field(0.0, ge=0)
    """Factor of sum a log(n a) in the architecture loss, n the number of options."""
    clip: float | None = Field(None, gt=0)
    """Norm of the gradient over a."""
    edge_rate: float | None = Field(None, gt=0)
    """Learn the weights of a node's edges, too, by the same rule with this rate (`gaea-edges`); alpha then holds
    log(edge weight * a)."""
    zero: bool = False
    """Whether the operation that gives nothing is an option; the paper's search of NAS-Bench-201 is without."""

    def initial(self, alphas: Sequence[Tensor], space: Space) -> list[Tensor]:
        found, zeros = [], [torch.zeros_like(a) for a in alphas]
        if not self.zero:
            drop_zero(zeros, space)
        for even, choices in zip(zeros, space.tensors, strict=True):
            rows = even.log_softmax(dim=-1)
            if self.edge_rate is not None and choices.nodes:
                inputs = [choices.nodes.count(node) for node in choices.nodes]
                rows = rows - torch.tensor(inputs, dtype=rows.dtype).log()[:, None].to(rows.device)
            found.append(rows)
        return found

    def derive(self, space: Space, logits: Rows) -> Architecture:
        return space.strongest([np.exp(rows) for rows in logits])

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        return [a.exp() for a in alphas]

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        """With respect to the mixing weights, a penalty's through its logits."""
        with step.constant_weights():
            slopes = self.slopes(step)
        penalty = step.penalty(step.alphas)
        if penalty is None:
            return slopes
        extra = torch.autograd.grad(penalty, step.alphas)
        return [s + e for s, e in zip(slopes, extra, strict=True)]

    def slopes(self, step: ArchitectureStep) -> list[Tensor]:
        """dL_valid over the mixing weights."""
        mix = [m.detach().requires_grad_() for m in self.relax(step.alphas)]
        return list(torch.autograd.grad(step.loss(step.net, mix, step.valid), mix))

    def move(self, step: ArchitectureStep, gradients: Sequence[Tensor], optimizer: Optimizer) -> None:
        nodes = [t.nodes for t in step.moment.space.tensors]
        with torch.no_grad():
            parts = [self._parts(a, g, n) for a, g, n in zip(step.alphas, gradients, nodes, strict=True)]
            scale = 1.0
            if self.clip is not None:
                scale = float(compute_norm_and_scale([s for _, s, *_ in parts], self.clip)[1])
            for alpha, (mix, slope, edges, edge_slope), node in zip(step.alphas, parts, nodes, strict=True):
                alpha.grad = slope
                moved = self.moved(mix, scale * slope).log()
                if edges is not None and edge_slope is not None and self.edge_rate is not None:
                    grown = edges * torch.exp(-self.edge_rate * edge_slope)
                    totals = torch.stack([sum(grown[j] for j, m in enumerate(node) if m == n) for n in node])  # type: ignore[misc]
                    moved = moved + (grown / totals).log()[:, None]
                alpha.copy_(moved.clamp(min=DROPPED))

    def _parts(
        self, alpha: Tensor, gradient: Tensor, nodes: tuple[int, ...]
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Mixing weights within each choice, the loss' gradient over them, edge weights, and that over these."""
        mix, edges, edge_slope = alpha.exp(), None, None
        if self.edge_rate is not None and nodes:
            edges = mix.sum(dim=-1)
            mix = mix / edges[:, None]
            edge_slope = (gradient * mix).sum(dim=-1)
            gradient = gradient * edges[:, None]
        if self.entropy:
            gradient = gradient + self.entropy * ((alpha.shape[-1] * mix).log() + 1).where(
                mix > 0, torch.zeros_like(mix)
            )
        return mix, gradient, edges, edge_slope

    def moved(self, mix: Tensor, slope: Tensor) -> Tensor:
        """The mixing weights after a step; an option without weight stays without."""
        there = mix > 0
        found = (mix * torch.exp(-self.rate * slope)).clamp(min=self.floor).where(there, mix)
        return found / found.sum(dim=-1, keepdim=True)
