"""The search: an architecture step and a weight step on every minibatch. It reads from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from harness.core.arithmetic import arithmetic
from harness.core.errors import HarnessError
from harness.datasets.base import Batches, Part
from harness.search.regularizers.base import Regularizer
from harness.search.searchers.base import ARCHITECTURE_STEPS
from harness.search.state import SearchState
from harness.search.steps import ArchitectureStep, Batch, WeightStep, cross_entropy, frozen_cross_entropy
from harness.search.training import Training
from harness.spaces.base import Architecture

Step = Callable[[Batch, Batch], Tensor]
"""A step on a training and a validation batch; returns the training loss, detached."""


class SupernetSearch(SearchState):
    """A search that can be trained, epoch after epoch.

    replayed: makes a step faster where the device can (see `cuda_graph.py`); None: steps are run as they are.
    """

    def __init__(
        self,
        *,
        regularizers: Sequence[Regularizer],
        training: Training,
        replayed: Callable[[Step], Step] | None = None,
        **state: Any,
    ) -> None:
        self.regularizers, self.replayed = list(regularizers), replayed
        for regularizer in self.regularizers:
            training = regularizer.settings(training)
        super().__init__(training=training, **state)
        self.last_mix: list[Tensor] = []
        """Mixing weights of the last weight step."""

    # -- one epoch -------------------------------------------------------------------------------------------

    def train_epoch(self, epoch: int, on_step: Callable[[], None]) -> dict[str, float]:
        """All steps of a 0-based epoch, none after the search has stopped. Returns the mean training loss (NaN where
        there is none). on_step is called after each step."""
        self.trained = epoch + 1
        if self.stopped:
            return {"train_loss": float("nan")}
        moment, rate = self.moment(epoch), self.training.rate(epoch, self.epochs)
        self.net.train()
        for regularizer in self.regularizers:
            regularizer.begin_epoch(self.net, moment)
        step = self.stepper(epoch, rate)
        losses = []
        for _ in range(self.steps_per_epoch):
            with arithmetic(self.training.precision, self.device):
                losses.append(step(*self.batches(epoch)))
            on_step()
        loss = torch.stack(losses).mean().item()
        if not (math.isfinite(loss) and all(torch.isfinite(a).all() for a in self.alphas)):
            raise HarnessError(
                f"the search diverged in epoch {epoch + 1} (training loss {loss:g}): its rows up to epoch {epoch} are "
                "kept; lower a learning rate or a strength"
            )
        for regularizer in self.regularizers:
            if not self.stopped:
                regularizer.after_epoch(self, moment)
        return {"train_loss": loss}

    def stepper(self, epoch: int, learning_rate: float) -> Step:
        """`step` in this epoch, replayed where the device can and every part of the method allows it."""
        step: Step = partial(self.step, epoch=epoch, learning_rate=learning_rate)
        allowed = self.searcher.replays and all(r.replays for r in self.regularizers)
        return self.replayed(step) if self.replayed and allowed else step

    def batches(self, epoch: int) -> tuple[Batch, Batch]:
        """The next minibatches of the training and of the validation half."""
        return self.batch("train", self.train_batches, epoch), self.batch("valid", self.valid_batches, epoch)

    def batch(self, part: Part, batches: Batches, epoch: int) -> Batch:
        """The next minibatch of a half, augmented by the data set and then by the regularizers."""
        images, labels = self.images.batch(part, batches.next(), self.streams[f"{part}-augment"])
        for regularizer in self.regularizers:
            images = regularizer.augment(images, self.streams[f"{part}-{regularizer.name}"], self.moment(epoch))
        return images, labels

    # -- one minibatch ---------------------------------------------------------------------------------------

    def advance(self, epoch: int, learning_rate: float) -> Tensor:
        return self.step(*self.batches(epoch), epoch, learning_rate)

    def step(self, train: Batch, valid: Batch, epoch: int, learning_rate: float) -> Tensor:
        """One architecture step and one weight step, in the configured order. Returns the training loss, detached."""
        if self.training.order == "weights-first":
            loss = self.weight_step(train, valid, epoch, learning_rate)
            self.architecture_step(train, valid, epoch, learning_rate)
            return loss
        self.architecture_step(train, valid, epoch, learning_rate)
        return self.weight_step(train, valid, epoch, learning_rate)

    def architecture_step(self, train: Batch, valid: Batch, epoch: int, learning_rate: float) -> None:
        moment = self.moment(epoch)
        moves = ARCHITECTURE_STEPS in self.searcher.offers
        if not (moves and all(r.alpha_moves(moment) for r in self.regularizers)):
            return

        def penalty(alphas: Sequence[Tensor]) -> Tensor | None:
            terms = [r.alpha_loss(list(alphas), moment) for r in self.regularizers]
            present = [t for t in terms if t is not None]
            return torch.stack(present).sum() if present else None

        step = ArchitectureStep(
            net=self.net,
            alphas=self.alphas,
            weights=self.weights,
            train=train,
            valid=valid,
            loss=cross_entropy,
            penalty=penalty,
            learning_rate=learning_rate,
            momentum=self.training.momentum,
            weight_decay=self.weight_optimizer.param_groups[0]["weight_decay"],
            momentum_buffers=[self.weight_optimizer.state[w].get("momentum_buffer") for w in self.weights],
            finite_difference_moves_bn=self.preset.finite_difference_moves_bn,
            moment=moment,
        )
        self.searcher.move(self.alphas, self.searcher.gradient(step), self.alpha_optimizer)

    def weight_step(self, train: Batch, valid: Batch, epoch: int, learning_rate: float) -> Tensor:
        step = WeightStep(
            net=self.net,
            loss=lambda m: cross_entropy(self.net, m, train),
            valid_loss=lambda m: cross_entropy(self.net, m, valid),
            frozen_loss=lambda: frozen_cross_entropy(self.net, train),
            memory=self.memory,
            moment=self.moment(epoch),
        )
        mix = self.last_mix = self.perturbed_mix(step)
        leaves = [m.requires_grad_() for m in mix] if self.preset.clip_counts_alpha else []
        loss = step.loss(mix)
        found = torch.autograd.grad(loss, [*self.weights, *leaves])
        gradients: list[Tensor | None] = list(found[: len(self.weights)])
        for regularizer in self.regularizers:
            gradients = regularizer.weight_gradients(gradients, mix, step)
        clipped = [g for g in gradients if g is not None]
        norm = torch.nn.utils.get_total_norm([*clipped, *found[len(self.weights) :]])
        scale = (self.training.gradient_clip / (norm + 1e-6)).clamp(max=1.0)
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.grad = None if gradient is None else gradient * scale
        for group in self.weight_optimizer.param_groups:
            group["lr"] = learning_rate
        self.weight_optimizer.step()
        return loss.detach()

    def perturbed_mix(self, step: WeightStep) -> list[Tensor]:
        """The mixing weights of the weight step: relaxed, then perturbed by each regularizer in turn, detached."""
        with torch.no_grad():
            mix = self.searcher.sample(self.alphas, step.moment)
        for regularizer in self.regularizers:
            mix = regularizer.perturb(mix, step)
        return [m.detach() for m in mix]

    # -- what is recorded ------------------------------------------------------------------------------------

    def select(self) -> Architecture:
        """The architecture to record after the epochs that were trained: the derived one, or what a regularizer
        selects."""
        for regularizer in self.regularizers:
            if (selected := regularizer.select(self)) is not None:
                return selected
        return self.derive()
