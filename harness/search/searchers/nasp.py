"""NASP (Yao et al., AAAI 2020, arXiv 1905.13577)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.lazy import torch
from harness.search.naming import NamedUse
from harness.search.regularizers.random_smoothing import SMOOTHDARTS
from harness.search.searchers.base import ARCHITECTURE_STEPS, SIMPLEX, SoftmaxSearcher
from harness.search.state import DROPPED, drop_zero
from harness.search.steps import ArchitectureStep, Moment
from harness.spaces.base import Choices, Space
from harness.spaces.blocks.mix import Evaluated, make_one_hot

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


def find_nearest_vertex(alpha: Tensor, choices: Choices) -> Tensor:
    """One at the largest value of each row, the first of equal ones, where the edge is one of those with the largest
    such value that its node keeps; zero elsewhere. alpha: [choices, options]."""
    found = make_one_hot(alpha.detach())
    if choices.keeps is None:
        return found
    nodes, best = torch.tensor(choices.nodes), alpha.detach().amax(dim=1).cpu()
    for node in dict.fromkeys(choices.nodes):
        edges = (nodes == node).nonzero().flatten()
        order = best[edges].argsort(descending=True, stable=True)
        found[edges[order[choices.keeps :]]] = 0.0
    return found


class NASP(SoftmaxSearcher):
    """Proximal steps: the network runs at the one-hot point nearest to alpha, its gradient moves the continuous alpha,
    which is then clipped to [0, 1] (paper, algorithm 2). Alpha begins at `begin`. The operation that gives nothing is
    no option, as in the paper's spaces: it gets no gradient, and would be taken where all others have fallen below
    it.

    Operations alone are made one-hot, and of a node that keeps some of its edges only those with the largest values
    are left; parents are mixed by the softmax of their values.
    """

    name = "nasp"
    paper = "Yao et al., AAAI 2020 (1905.13577)"
    methods: ClassVar = {
        "nasp": NamedUse(),
        "nasp-1shot1": NamedUse({"softened": True, "clip": "weights"}, recipes=SMOOTHDARTS),
    }
    revision = 3
    decisions = ("decision_nasp_proximal",)
    status = "conforms"
    offers = (SIMPLEX, ARCHITECTURE_STEPS)
    counts = "none"
    begin: float = Field(0.5, ge=0, le=1)
    """Alpha at the beginning."""
    clip: Literal["architecture", "weights"] = "architecture"
    """After the architecture step, or once the weight step has been taken too."""
    softened: bool = False
    """A softmax over the one-hot row, so that every operation runs in every step; as SmoothDARTS' code for
    NAS-Bench-1Shot1 has it, which also clips late. Else the weight step computes the chosen operations alone."""
    l2: float = Field(0.0, ge=0)
    """What the validation loss charges for the operations of the first tensor that run, by their shares of all
    operations' weights; the paper's size of the architecture, as its code has it."""

    @property
    def evaluates(self) -> Evaluated:
        return "all" if self.softened else "drawn"

    @property
    def architecture_evaluates(self) -> Evaluated | None:
        return None if self.softened else "all"

    def initial(self, alphas: Sequence[Tensor], space: Space) -> list[Tensor]:
        if self.l2 and not space.weights:
            raise HarnessError(
                f"{self.name}.l2 charges for an operation's weights, which {space.name} does not count: leave it out"
            )
        found = [torch.full_like(a, self.begin) for a in alphas]
        drop_zero(found, space)
        return found

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        return self._at(alphas, [make_one_hot(a.detach()) for a in alphas])

    def mean(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        return self.sample(alphas, moment)

    def sample(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        """The one-hot point, with the identity as its derivative."""
        pairs = zip(alphas, moment.space.tensors, strict=True)
        return self._at(alphas, [find_nearest_vertex(a, t) if t.kind == "operations" else None for a, t in pairs])

    def _at(self, alphas: Sequence[Tensor], points: Sequence[Tensor | None]) -> list[Tensor]:
        found = []
        for alpha, point in zip(alphas, points, strict=True):
            hard = alpha if point is None else point + (alpha - alpha.detach())
            found.append(hard if point is not None and not self.softened else hard.softmax(dim=-1))
        return found

    def validation_loss(self, step: ArchitectureStep) -> Tensor:
        loss = super().validation_loss(step)
        return loss + self.l2 * self.size(step.alphas, step.moment) if self.l2 else loss

    def size(self, alphas: Sequence[Tensor], moment: Moment) -> Tensor:
        """The sum of the first tensor's squared mixing weights, each times its operation's share of all weights."""
        space, point = moment.space, self.sample(alphas, moment)[0]
        shares = [[space.weights[name] for name in options] for options in space.tensors[0].options]
        return (point.square() * point.new_tensor(shares)).sum() / sum(space.weights.values())

    def move(self, step: ArchitectureStep, gradients: Sequence[Tensor], optimizer: Optimizer) -> None:
        super().move(step, gradients, optimizer)
        if self.clip == "architecture":
            self._clip(step.alphas)

    def finish(self, alphas: Sequence[Tensor], optimizer: Optimizer) -> None:
        if self.clip == "weights":
            self._clip(alphas)

    @staticmethod
    def _clip(alphas: Sequence[Any]) -> None:
        with torch.no_grad():
            for alpha in alphas:
                alpha.copy_(alpha.clamp(0.0, 1.0).where(alpha > DROPPED / 2, alpha))
