"""What a regularizer may do, and what it is given to do it with. Every hook is a no-op by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from harness.core.registry import Plugin
from harness.core.streams import Streams
from harness.search.training import Training
from harness.spaces.base import Architecture
from harness.spaces.blocks.supernet import Mix, Supernet, one_hot

if TYPE_CHECKING:
    from harness.search.loop import SupernetSearch


@dataclass(frozen=True)
class WeightStep:
    """The weight step that is about to run.

    loss: cross-entropy of the step's training batch as a function of mixing weights, in the network's current mode;
    valid_loss: that of its validation batch. frozen_loss: makes a function like `loss`, but in eval mode and without
    gradients of the weights, which is fast where it is called many times (see `Supernet.frozen`). memory:
    `SupernetSearch.memory`. epoch: 0-based epoch; epochs: number of epochs of the search.
    """

    net: Supernet
    loss: Callable[[Mix], Tensor]
    valid_loss: Callable[[Mix], Tensor]
    frozen_loss: Callable[[], Callable[[Mix], Tensor]]
    memory: dict[str, Any]
    streams: Streams
    epoch: int
    epochs: int


class Regularizer(Plugin):
    """A stabiliser of the search. Fields are its hyperparameters.

    neutral: fields with which the search is DARTS, bit for bit. needs: what the searcher must offer (see
    `SupernetSearcher`) for the combination to mean something. replays: whether a step with it may be captured and
    replayed (see there, too).
    """

    neutral: ClassVar[dict[str, Any]]
    needs: ClassVar[tuple[str, ...]] = ()
    replays: ClassVar[bool] = True

    def passes(self) -> tuple[int, int]:
        """Forward and backward passes that it adds to a step."""
        return (0, 0)

    def settings(self, training: Training) -> Training:
        """The training settings, changed."""
        return training

    def supernet_options(self) -> dict[str, Any]:
        """Options of `build_supernet`."""
        return {}

    def begin_epoch(self, net: Supernet, epoch: int, epochs: int) -> None:
        """Set what changes in the network from epoch to epoch."""

    def after_epoch(self, search: SupernetSearch, epoch: int) -> None:
        """Look at the search after a 0-based epoch; keep what is to be remembered in `search.memory`, stop it by
        `search.stop_at`."""

    def select(self, search: SupernetSearch, epoch: int) -> Architecture | None:
        """The architecture to record after a 1-based epoch (0: before the first), where it is not the derived one.
        Leaves the search as it was."""
        return None

    def alpha_moves(self, epoch: int, epochs: int) -> bool:
        """Whether architecture steps are taken in this 0-based epoch."""
        return True

    def augment(self, images: Tensor, generator: torch.Generator, epoch: int, epochs: int) -> Tensor:
        """The images [batch, channels, height, width] of a training batch, changed."""
        return images

    def perturb(self, mix: list[Tensor], step: WeightStep) -> list[Tensor]:
        """The mixing weights at which the weight step is taken, given the unperturbed ones (without gradient)."""
        return mix

    def weight_gradients(
        self, gradients: list[Tensor | None], mix: list[Tensor], step: WeightStep
    ) -> list[Tensor | None]:
        """The gradient of each weight, changed before it is clipped; None leaves the weight as it is, without decay."""
        return gradients

    def alpha_loss(self, alphas: list[Tensor], epoch: int, epochs: int) -> Tensor | None:
        """A term added to the validation loss of the architecture step, differentiable in the logits."""
        return None


DROPPED = -1e4
"""The logit of a dropped option: its softmax is exactly zero, and so is its gradient."""


def keep_only(search: SupernetSearch, tensor: int, row: int, kept: Sequence[int]) -> None:
    """Drop every option of a choice but these, and put the logits of these at zero."""
    with torch.no_grad():
        search.alphas[tensor][row] = DROPPED
        search.alphas[tensor][row, list(kept)] = 0.0


def onto_simplex(rows: Tensor) -> Tensor:
    """Rows clamped to [0, 1] and divided by their sum; a row that clamps to zero becomes one at its largest entry.

    The published `clip` of SmoothDARTS. rows: [choices, options].
    """
    clamped = rows.clamp(0.0, 1.0)
    empty = clamped.sum(dim=-1, keepdim=True) == 0
    clamped = clamped.where(~empty, one_hot(rows))
    return clamped / clamped.sum(dim=-1, keepdim=True)
