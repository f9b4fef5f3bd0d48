"""The search: an architecture step and a weight step on every minibatch. It reads from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from harness.core.arithmetic import use_precision
from harness.core.errors import HarnessError
from harness.datasets.base import Batch, Part
from harness.search.clipping import clip, fill_with_zeros, select_alpha_gradients
from harness.search.regularizers.base import Regularizer, compute_penalty
from harness.search.state import SearchState
from harness.search.steps import (
    ArchitectureStep,
    WeightStep,
    compute_cross_entropy,
    make_batch_cross_entropy,
    make_frozen_cross_entropy,
)
from harness.search.training import Training
from harness.spaces.base import Architecture
from harness.spaces.blocks.mix import Mix

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
        training = state["searcher"].settings(training)
        for regularizer in self.regularizers:
            training = regularizer.settings(training)
        super().__init__(training=training, **state)
        self.last_mix: list[Tensor] = []
        """Mixing weights of the last weight step."""
        self.last_norm = torch.zeros(())
        """The norm of its gradients before clipping."""
        self.last_descended = torch.zeros(())
        """What it descended: the loss, with the terms that the network adds."""
        named = [r.counts for r in self.regularizers if r.counts is not None]
        self.counts = [*named, self.searcher.counts][0] if self.preset.clip_counts_alpha else "none"
        """Which gradient of alpha is among those that are clipped (see `Counted`)."""

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
        self.feed.begin_epoch()
        while self.feed.more():
            with use_precision(self.training.precision, self.device):
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
        parts: list[Any] = [self.net, self.searcher, *self.regularizers]
        allowed = all(p.replays for p in parts) and self.training.weight_steps == 1 and self.net.evaluates == "all"
        return self.replayed(step) if self.replayed and allowed else step

    def batches(self, epoch: int) -> tuple[Batch, Batch]:
        """The next minibatches of the training and of the validation half."""
        return self.batch("train", epoch), self.batch("valid", epoch)

    def batch(self, part: Part, epoch: int) -> Batch:
        """The next minibatch of a half."""
        return self.augmented(self.feed.next(part), part, epoch)

    def further_batch(self, epoch: int) -> Batch:
        """A minibatch from a fresh shuffle of the training half, by streams that no weight step draws from."""
        return self.augmented(self.feed.further(), "further", epoch)

    def augmented(self, batch: Batch, streams: str, epoch: int) -> Batch:
        """A batch of the data set, augmented by the regularizers. streams: how the names of the streams of these draws
        begin."""
        images, labels = batch
        for regularizer in self.regularizers:
            images = regularizer.augment(images, self.streams[f"{streams}-{regularizer.name}"], self.moment(epoch))
        return images, labels

    # -- one minibatch ---------------------------------------------------------------------------------------

    def advance(self, epoch: int, learning_rate: float) -> Tensor:
        return self.step(*self.batches(epoch), epoch, learning_rate)

    def step(self, train: Batch, valid: Batch, epoch: int, learning_rate: float) -> Tensor:
        """One architecture step and one weight step, in the configured order. Returns the training loss, detached."""
        learning_rate *= self.feed.rate(train)
        weights_first = self.training.order == "weights-first"
        moves = self.training.weight_steps == 1 or self.training.alpha_moves_at(self.count_minibatch())
        if moves and not weights_first:
            self.architecture_step(train, valid, epoch, learning_rate)
        loss = self.weight_step(train, valid, epoch, learning_rate)
        if moves and weights_first:
            self.architecture_step(train, valid, epoch, learning_rate)
        self.searcher.finish(self.alphas, self.alpha_optimizer)
        return loss

    def architecture_step(self, train: Batch, valid: Batch, epoch: int, learning_rate: float) -> None:
        moment = self.moment(epoch)
        if not (self.searcher.moves(moment) and all(r.alpha_moves(moment) for r in self.regularizers)):
            return
        step = self.architecture_step_of(train, valid, epoch, learning_rate)
        with self.net.evaluating(self.searcher.architecture_evaluates):
            for regularizer in self.regularizers:
                regularizer.before_architecture_step(step, partial(self.searcher.mean, self.alphas, moment))
            gradients = self.searcher.gradient(step)
        for regularizer in self.regularizers:
            gradients = regularizer.alpha_gradients(gradients)
        with self.frozen_choices():
            self.searcher.move(step, gradients, self.alpha_optimizer)
        self.feed.carry("valid", valid)

    def architecture_step_of(self, train: Batch, valid: Batch, epoch: int, learning_rate: float) -> ArchitectureStep:
        """The architecture step on these batches, not yet taken."""
        moment = self.moment(epoch)
        return ArchitectureStep(
            net=self.net,
            alphas=self.alphas,
            weights=self.weights,
            train=train,
            valid=valid,
            loss=compute_cross_entropy,
            penalty=partial(compute_penalty, self.regularizers, moment),
            learning_rate=learning_rate,
            momentum=self.training.momentum,
            weight_decay=self.weight_optimizer.param_groups[0]["weight_decay"],
            momentum_buffers=[self.weight_optimizer.state[w].get("momentum_buffer") for w in self.weights],
            gradient_clip=self.training.gradient_clip,
            finite_difference_moves_bn=self.preset.finite_difference_moves_bn,
            virtual_clip=self.preset.virtual_clip,
            tied_weights_stay=self.preset.tied_weights_stay,
            further=partial(self.further_batch, epoch),
            moment=moment,
        )

    def weight_step(self, train: Batch, valid: Batch, epoch: int, learning_rate: float) -> Tensor:
        step = WeightStep(
            net=self.net,
            loss=lambda m: compute_cross_entropy(self.net, m, train),
            valid_loss=lambda m: compute_cross_entropy(self.net, m, valid),
            frozen_loss=partial(self.attacked_loss, train),
            memory=self.memory,
            moment=self.moment(epoch),
        )
        with torch.set_grad_enabled(self.counts in ("logits", "stale")):
            sample = self.searcher.sample(self.alphas, step.moment)
        mix = self.last_mix = self.perturbed_mix(sample, step)
        leaves = [m.requires_grad_() for m in mix] if self.counts != "none" else []
        loss, descended = self.net.training_loss(train, self.net.constrained(mix))
        self.last_descended = descended.detach()
        found = self.net.gradients(descended, [*self.weights, *leaves], allow_unused=self.net.evaluates != "all")
        gradients: list[Tensor | None] = list(found[: len(self.weights)])
        for regularizer in self.regularizers:
            gradients = regularizer.weight_gradients(gradients, mix, step)
        if self.preset.unevaluated_weights_move:
            every = self.searcher.architecture_evaluates == "all"
            gradients = fill_with_zeros(self.net, self.weights, gradients, self.memory, every=every)
        beside = select_alpha_gradients(self.counts, sample, self.alphas, found[len(self.weights) :])
        self.last_norm = clip(self.weights, gradients, beside, self.training.gradient_clip)
        for group in self.weight_optimizer.param_groups:
            group["lr"] = learning_rate
        if self.searcher.trains_weights:
            self.weight_optimizer.step()
        self.feed.carry("train", train)
        return loss.detach()

    def attacked_loss(self, batch: Batch) -> Callable[[Mix], Tensor]:
        """The loss of a batch as a function of the mixing weights that an attack raises (see `Preset`)."""
        if self.preset.ascends_in_eval_mode:
            return make_frozen_cross_entropy(self.net, batch)
        return make_batch_cross_entropy(self.net, batch)

    def perturbed_mix(self, sample: Sequence[Tensor], step: WeightStep) -> list[Tensor]:
        """The mixing weights of the weight step: a sample, perturbed by each regularizer in turn, detached."""
        mix = [m.detach() for m in sample]
        for regularizer in self.regularizers:
            mix = regularizer.perturb(mix, step)
        return [m.detach() for m in mix]

    # -- what is recorded ------------------------------------------------------------------------------------

    def derive(self) -> Architecture:
        for regularizer in self.regularizers:
            if (found := regularizer.derive(self)) is not None:
                return found
        return super().derive()

    def select(self) -> Architecture:
        """The architecture to record after the epochs that were trained: the derived one, or what a regularizer
        selects."""
        for regularizer in self.regularizers:
            if (selected := regularizer.select(self)) is not None:
                return selected
        return self.derive()
