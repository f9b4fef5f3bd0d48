"""How alpha becomes mixing weights, and how alpha moves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.core.lazy import torch
from harness.core.registry import Plugin, Registry
from harness.search.naming import Recipes
from harness.search.steps import ArchitectureStep, Moment
from harness.search.training import Training
from harness.spaces.base import Architecture, Rows, Space
from harness.spaces.blocks.mix import Evaluated

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

SEARCHERS = Registry("searchers", "harness.search.searchers")

SIMPLEX = "mixing weights that sum to one"
SOFTMAX = "logits under a softmax"
ARCHITECTURE_STEPS = "architecture steps"

Counted = Literal["mixing", "logits", "stale", "none"]
"""The gradient over the mixing weights; over the logits; over the logits, with what the last architecture step left;
none."""


class SupernetSearcher(Plugin):
    """A searcher that trains a one-shot network.

    recipes: how its paper trains. offers: what regularizers may build on, of `SIMPLEX`, `SOFTMAX` and
    `ARCHITECTURE_STEPS`. counts: which gradient of alpha is among those of a weight step whose norm is clipped, where
    the published code counts one (see `Counted`, `Preset.clip_counts_alpha`). replays: whether a step may be captured
    and replayed (`cuda_graph.py`): not where the host looks at what the device computed, nor where
    weights move to another place in memory. role: whether it can be
    combined with another one (see `compose_searchers`). asks: what the networks of a space must have (see `Space.has`).
    stacks: whether its steps can be taken beside those of other searches (`search/together.py`): what differentiates a
    loss of the network in a step does so by `Supernet.gradients`.
    """

    recipes: ClassVar[Recipes] = {}
    offers: ClassVar[tuple[str, ...]] = ()
    counts: ClassVar[Counted] = "mixing"
    replays: ClassVar[bool] = True
    role: ClassVar[Literal["relaxation", "estimator", "whole"]] = "whole"
    asks: ClassVar[tuple[str, ...]] = ()

    @property
    def stacks(self) -> bool:
        """See the class."""
        return False

    def passes(self) -> tuple[int, int]:
        """Forward and backward passes of an architecture step."""
        return (1, 1)

    @property
    def trains_weights(self) -> bool:
        """Whether weight steps move the network's weights."""
        return True

    @property
    def evaluates(self) -> Evaluated:
        """Which operations the network computes in a step."""
        return "all"

    @property
    def omits(self) -> bool:
        """Whether steps leave operations out, which then have no gradient."""
        return self.evaluates != "all"

    @property
    def architecture_evaluates(self) -> Evaluated | None:
        """Which it computes in an architecture step, where that differs."""
        return None

    def initial(self, alphas: Sequence[Tensor], space: Space) -> list[Tensor]:
        """The initial logits, given normal ones."""
        return list(alphas)

    def settings(self, training: Training) -> Training:
        """The training settings as this searcher changes them."""
        return training

    @abstractmethod
    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        """Mixing weights of logits, differentiable, same shapes."""

    def mean(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        """Mixing weights at which the network is looked at: those of `relax`, where they are the same for every kind of
        choice."""
        return self.relax(alphas)

    def sample(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        """Mixing weights of one step, differentiable, same shapes; drawn at random by some searchers."""
        return self.relax(alphas)

    def move(self, step: ArchitectureStep, gradients: Sequence[Tensor], optimizer: Optimizer) -> None:
        """Move the step's logits by their gradient."""
        for alpha, gradient in zip(step.alphas, gradients, strict=True):
            alpha.grad = gradient
        optimizer.step()

    def penalty(self, alphas: Sequence[Tensor]) -> Tensor | None:
        """A term of its own in the validation loss of the architecture step."""
        return None

    def moves(self, moment: Moment) -> bool:
        """Whether architecture steps are taken in this epoch."""
        return ARCHITECTURE_STEPS in self.offers

    def finish(self, alphas: Sequence[Tensor], optimizer: Optimizer) -> None:
        """Change the logits once both steps of a minibatch have been taken."""

    def derive(self, space: Space, logits: Rows) -> Architecture:
        """The architecture that these logits stand for."""
        return space.derive(logits)

    @abstractmethod
    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        """The gradient by which the architecture optimizer moves alpha, same shapes."""


class SoftmaxSearcher(SupernetSearcher):
    """A searcher whose mixing weights are the softmax of its logits."""

    offers: ClassVar[tuple[str, ...]] = (SIMPLEX, SOFTMAX, ARCHITECTURE_STEPS)

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        return [a.softmax(dim=-1) for a in alphas]

    def validation_gradients(self, step: ArchitectureStep, wanted: Sequence[Tensor]) -> list[Tensor]:
        """d(L_valid + penalty)/d`wanted` at a sample of the mixing weights."""
        loss = self.validation_loss(step)
        if not loss.requires_grad:  # every choice is decided
            return [torch.zeros_like(w) for w in wanted]
        return list(step.net.gradients(loss, list(wanted), materialize_grads=True))

    def validation_loss(self, step: ArchitectureStep) -> Tensor:
        """L_valid + penalties at a sample of the mixing weights."""
        loss = step.penalized(step.loss(step.net, self.sample(step.alphas, step.moment), step.valid))
        own = self.penalty(step.alphas)
        return loss if own is None else loss + own

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        with step.constant_weights():
            return self.validation_gradients(step, step.alphas)


def compose_searchers(relaxation: SoftmaxSearcher, estimator: SoftmaxSearcher) -> SoftmaxSearcher:
    """A searcher with the mixing weights of one and the gradient of another, with the fields of both."""
    kinds: Any = (type(estimator), type(relaxation))
    name = f"{relaxation.name} x {estimator.name}"
    cls = type("Composed", kinds, {"name": name, "status": "specified", "__doc__": f"{name}, composed."})
    found: SoftmaxSearcher = cls(**relaxation.model_dump(), **estimator.model_dump())
    return found
