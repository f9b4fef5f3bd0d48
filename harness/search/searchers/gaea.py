"""GAEA (Li et al., ICLR 2021, arXiv 2004.07802)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from harness.core.lazy import torch
from harness.search.clipping import compute_norm_and_scale
from harness.search.naming import DARTS_CODE, Arrays, Meta, NamedUse, Recorded, SearchRecipe
from harness.search.searchers.base import ARCHITECTURE_STEPS, SIMPLEX, SoftmaxSearcher
from harness.search.state import DROPPED, drop_zero
from harness.search.steps import ArchitectureStep
from harness.spaces.base import Architecture, Rows, Space

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    fields = {
        "rate": meta["arch_lr"],
        "floor": meta["clamp_min"],
        "entropy": meta["entropic_reg"],
        "clip": meta["arch_grad_clip"],
        "zero": True,
    }
    return {"gaea": fields | ({"edge_rate": meta["edge_lr"]} if meta["learn_edges"] else {})}


def read_recorded_logits(values: Tensor, arrays: Arrays) -> Tensor:
    edges = torch.from_numpy(arrays["init/edge_weights"])
    return values.log() + (edges.log()[:, None] if any(key.endswith("grad_edges") for key in arrays) else 0.0)


def read_recorded_values(logits: Tensor, meta: Meta) -> Tensor:
    mix = logits.exp()
    return mix / mix.sum(dim=-1, keepdim=True) if meta["learn_edges"] else mix


def read_recorded_edges(search: Any, arrays: Arrays, prefix: str) -> dict[str, tuple[Any, Any]]:
    key = f"{prefix}/edge_weights_after"
    return {"edge weights": (search.alphas[0].exp().sum(dim=-1), arrays[key])} if key in arrays else {}


class GAEA(SoftmaxSearcher):
    """Exponentiated gradient on the simplex: a <- a * exp(-rate dL_valid/da), clamped at `floor`, divided by its sum
    (paper, algorithm 1). Alpha holds the logarithms of mixing weights, which begin equal.

    entropy: factor of sum a log(n a) in the architecture loss, n the number of options. clip: norm of the gradient over
    a. edge_rate: learn the weights of a node's edges, too, by the same rule with this rate (`gaea-edges`); alpha then
    holds log(edge weight * a). zero: whether the operation that gives nothing is an option; the paper's search of
    NAS-Bench-201 is without. The architecture optimiser of the study is not used.
    """

    name = "gaea"
    paper = "Li et al., ICLR 2021 (2004.07802)"
    recipes: ClassVar = {
        "nasbench201": SearchRecipe("liamcli/gaea_release configs/cnn/mode/search_nasbench201.yaml", DARTS_CODE, 24, 25)
    }
    revision = 2
    methods: ClassVar = {"gaea": NamedUse(), "gaea-edges": NamedUse({"edge_rate": 0.1})}
    records: ClassVar = {
        "gaea_edarts": Recorded(
            "gaea",
            read_recorded_fields,
            epochs=lambda meta: meta["total_epochs"],
            logits=read_recorded_logits,
            values=read_recorded_values,
            quantities=read_recorded_edges,
        )
    }
    status = "conforms"
    offers = (SIMPLEX, ARCHITECTURE_STEPS)
    counts = "none"
    rate: float = Field(0.1, gt=0)
    floor: float = Field(1e-5, ge=0, lt=1)
    entropy: float = Field(0.0, ge=0)
    clip: float | None = Field(None, gt=0)
    edge_rate: float | None = Field(None, gt=0)
    zero: bool = False

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
