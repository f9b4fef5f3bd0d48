"""FairDARTS (Chu et al., ECCV 2020, arXiv 1911.12126)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.core.lazy import torch
from harness.search.naming import DARTS_CODE, SearchRecipe
from harness.search.searchers.base import ARCHITECTURE_STEPS, SupernetSearcher
from harness.search.state import DROPPED, drop_zero
from harness.search.steps import ArchitectureStep
from harness.spaces.base import Architecture, Rows, Space
from harness.spaces.blocks.mix import keep_buffers

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

Parsing = Literal["darts", "threshold_sparse", "threshold_edge"]
PER_NODE = PER_EDGE = 2
"""Edges that a published cell's node keeps, and operations that an edge keeps by `threshold_edge`."""


def parse_sigmoids(strengths: Tensor, names: Sequence[str], threshold: float, how: Parsing) -> list[tuple[Any, ...]]:
    """The cell that the published code derives of sigmoids [edges, operations], node after node: (operation, node,
    source), or (operation, source) by `darts`.

    darts: of each node the two edges with the largest value, each with its best operation. threshold_sparse: those of
    them that reach the threshold. threshold_edge: of every edge the two best operations that reach it.
    """
    found: list[tuple[Any, ...]] = []
    row, node = 0, 2
    while row < len(strengths):
        rows = strengths[row : row + node].tolist()
        sources = sorted(range(node), key=lambda source: -max(rows[source]))[:PER_NODE]
        if how == "threshold_edge":
            taken = [
                (s, k) for s in range(node) for k in sorted(range(len(names)), key=rows[s].__getitem__)[-PER_EDGE:]
            ]
        else:
            taken = [(s, rows[s].index(max(rows[s]))) for s in sources]
        if how == "darts":
            found += [(names[k], s) for s, k in taken]
        else:
            found += [(names[k], node, s) for s, k in taken if rows[s][k] >= threshold]
        row, node = row + node, node + 1
    return found


class FairDARTS(SupernetSearcher):
    """Each operation has a sigmoid of its own, so that operations do not compete; the validation loss has a zero-one
    term that drives them to 0 or 1: -strength mean((sigmoid(alpha) - 1/2)^2) (`L2`, the code's default), or -strength
    mean(|sigmoid(alpha) - 1/2|) (`L1`); paper, equations 5 and 6.

    Logits begin at zero. The operation that gives nothing is no option, as in the paper's space: it has no gradient
    from the loss, so that the zero-one term alone would move it, in the direction of its initial sign.

    Adapted: spaces take one operation a choice, so the largest is derived, where the paper takes all above 0.85, up
    to two a node (see `parse_sigmoids`).
    """

    name = "fairdarts"
    paper = "Chu et al., ECCV 2020 (1911.12126)"
    decisions = ("decision_fairdarts_parse",)
    recipes: ClassVar = {
        "": SearchRecipe(
            "xiaomi-automl/FairDARTS fairdarts/train_search.py",
            {
                **DARTS_CODE,
                "batch_size": 128,
                "learning_rate": 0.005,
                "alpha_learning_rate": 3e-3,
                "alpha_betas": (0.9, 0.999),
                "sampling": "replacement",
            },
            16,
            50,
        )
    }
    revision = 2
    status = "conforms"
    offers = (ARCHITECTURE_STEPS,)
    strength: float = Field(10.0, ge=0)
    """Factor of the zero-one term."""
    kind: Literal["L1", "L2"] = "L2"
    """Its form: squares (`L2`) or absolute values (`L1`)."""
    levels: Literal["one", "two"] = "two"
    """The logits move by the validation loss before the weights do (`two`), or by the training loss after them, with
    its gradient before (`one`)."""

    def initial(self, alphas: Sequence[Tensor], space: Space) -> list[Tensor]:
        found = [torch.zeros_like(a) for a in alphas]
        drop_zero(found, space)
        return found

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        return [a.sigmoid() for a in alphas]

    def derive(self, space: Space, logits: Rows) -> Architecture:
        return space.strongest(logits)

    def zero_one(self, alphas: Sequence[Tensor]) -> Tensor:
        """The zero-one term over all options that there are."""
        flat = torch.cat([a.flatten() for a in alphas])
        there = flat > DROPPED / 2
        distance = (flat.sigmoid() - 0.5) * there
        terms = distance.square() if self.kind == "L2" else distance.abs()
        return -self.strength * terms.sum() / there.sum()

    def penalty(self, alphas: Sequence[Tensor]) -> Tensor:
        return self.zero_one(alphas)

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        batch = step.train if self.levels == "one" else step.valid
        # of one level: published code has both gradients of one pass, so this one leaves nothing behind
        kept = keep_buffers(step.net) if self.levels == "one" else nullcontext()
        with step.constant_weights(), kept:
            loss = step.loss(step.net, self.relax(step.alphas), batch) + self.zero_one(step.alphas)
            return list(torch.autograd.grad(step.penalized(loss), step.alphas))

    def move(self, step: ArchitectureStep, gradients: Sequence[Tensor], optimizer: Optimizer) -> None:
        if self.levels == "two":
            super().move(step, gradients, optimizer)
        else:
            for alpha, gradient in zip(step.alphas, gradients, strict=True):
                alpha.grad = gradient

    def finish(self, alphas: Sequence[Tensor], optimizer: Optimizer) -> None:
        if self.levels == "one":
            optimizer.step()
