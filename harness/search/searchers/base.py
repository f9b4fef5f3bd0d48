"""How alpha becomes mixing weights, and how alpha moves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from harness.core.registry import Plugin
from harness.core.streams import Streams
from harness.spaces.base import Space
from harness.spaces.blocks.supernet import Mix, Supernet

Batch = tuple[Tensor, Tensor]
"""Images [batch, channels, height, width] and labels [batch]."""


@dataclass(frozen=True)
class Moment:
    """When a step is taken, in which space, and where its random draws come from. epoch is 0-based."""

    streams: Streams
    space: Space
    epoch: int
    epochs: int

    def between(self, start: float, end: float) -> float:
        """A value that goes linearly from `start` in the first epoch to `end` in the last."""
        return start + (end - start) * self.epoch / max(1, self.epochs - 1)


@dataclass(frozen=True)
class ArchitectureStep:
    """The architecture step that is about to run.

    alphas: the logits, leaves that require gradients. weights: the network's, in its order. loss(net, mix, batch):
    cross-entropy. penalty(alphas): the regularizers' terms, or None. learning_rate: that of the weights, for virtual
    steps. momentum_buffers: the weight optimiser's, in the weights' order (None before its first step).
    finite_difference_moves_bn: see `Preset`.
    """

    net: Supernet
    alphas: list[Tensor]
    weights: list[nn.Parameter]
    train: Batch
    valid: Batch
    loss: Callable[[Supernet, Mix, Batch], Tensor]
    penalty: Callable[[Sequence[Tensor]], Tensor | None]
    learning_rate: float
    momentum: float
    weight_decay: float
    momentum_buffers: list[Tensor | None]
    finite_difference_moves_bn: bool
    moment: Moment

    @contextmanager
    def constant_weights(self) -> Iterator[None]:
        """While the block runs, no gradient of the weights is computed, nor anything kept for it."""
        for weight in self.weights:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in self.weights:
                weight.requires_grad_(True)

    def penalised(self, loss: Tensor) -> Tensor:
        """A loss with the regularizers' terms."""
        penalty = self.penalty(self.alphas)
        return loss if penalty is None else loss + penalty


SIMPLEX = "mixing weights that sum to one"
SOFTMAX = "logits under a softmax"
ARCHITECTURE_STEPS = "architecture steps"


class SupernetSearcher(Plugin):
    """A searcher that trains a one-shot network.

    offers: what regularizers may build on, of `SIMPLEX`, `SOFTMAX` and `ARCHITECTURE_STEPS`. replays: whether a step
    may be captured and replayed (`replay.py`): not where the host has to look at what the device computed, nor where
    weights move to another place in memory. role: whether it can be
    combined with another one (see `composed`).
    """

    offers: ClassVar[tuple[str, ...]] = ()
    replays: ClassVar[bool] = True
    role: ClassVar[Literal["relaxation", "estimator", "whole"]] = "whole"

    def passes(self) -> tuple[int, int]:
        """Forward and backward passes of an architecture step."""
        return (1, 1)

    @abstractmethod
    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        """Mixing weights of logits, differentiable, same shapes."""

    def sample(self, alphas: Sequence[Tensor], moment: Moment) -> list[Tensor]:
        """Mixing weights of one step, differentiable, same shapes; drawn at random by some searchers."""
        return self.relax(alphas)

    def move(self, alphas: Sequence[Tensor], gradients: Sequence[Tensor], optimizer: Optimizer) -> None:
        """Move alpha by its gradient."""
        for alpha, gradient in zip(alphas, gradients, strict=True):
            alpha.grad = gradient
        optimizer.step()

    @abstractmethod
    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        """The gradient by which the architecture optimiser moves alpha, same shapes."""


class SoftmaxSearcher(SupernetSearcher):
    """A searcher whose mixing weights are the softmax of its logits."""

    offers: ClassVar[tuple[str, ...]] = (SIMPLEX, SOFTMAX, ARCHITECTURE_STEPS)

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        return [a.softmax(dim=-1) for a in alphas]

    def validation_gradients(self, step: ArchitectureStep, wanted: Sequence[Tensor]) -> list[Tensor]:
        """d(L_valid + penalty)/d`wanted` at a sample of the mixing weights."""
        loss = step.loss(step.net, self.sample(step.alphas, step.moment), step.valid)
        return list(torch.autograd.grad(step.penalised(loss), list(wanted)))

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        with step.constant_weights():
            return self.validation_gradients(step, step.alphas)


def composed(relaxation: SoftmaxSearcher, estimator: SoftmaxSearcher) -> SoftmaxSearcher:
    """A searcher with the mixing weights of one and the gradient of another, with the fields of both."""
    kinds: Any = (type(estimator), type(relaxation))
    name = f"{relaxation.name} x {estimator.name}"
    cls = type("Composed", kinds, {"name": name, "status": "specified", "__doc__": f"{name}, composed."})
    found: SoftmaxSearcher = cls(**relaxation.model_dump(), **estimator.model_dump())
    return found
