"""How alpha becomes mixing weights, and how alpha moves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from harness.registry import Plugin
from harness.supernets.base import Mix, Supernet

Batch = tuple[Tensor, Tensor]
"""Images [batch, channels, height, width] and labels [batch]."""


@dataclass(frozen=True)
class ArchitectureStep:
    """The architecture step that is about to run.

    alphas: the logits, leaves that require gradients. loss(net, mix, batch): cross-entropy. penalty(alphas): the
    regularizers' terms, or None. learning_rate: that of the weights, for virtual steps. momentum_buffers: the
    weight optimiser's, in parameter order (None before its first step). finite_difference_moves_bn: see `Preset`.
    """

    net: Supernet
    alphas: list[Tensor]
    train: Batch
    valid: Batch
    loss: Callable[[Supernet, Mix, Batch], Tensor]
    penalty: Callable[[Sequence[Tensor]], Tensor | None]
    learning_rate: float
    momentum: float
    weight_decay: float
    momentum_buffers: list[Tensor | None]
    finite_difference_moves_bn: bool


class SupernetSearcher(Plugin):
    """A searcher that trains a one-shot network."""

    @abstractmethod
    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        """Mixing weights of logits, differentiable, same shapes."""

    @abstractmethod
    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        """The gradient by which the architecture optimiser moves alpha, same shapes."""
