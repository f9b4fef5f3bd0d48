"""The search: architecture step and weight step on every minibatch.

Epochs are counted from 0 here; the record of the state after the first one is called epoch 1 (see `trajectory.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.core.arithmetic import arithmetic
from harness.core.errors import HarnessError
from harness.core.streams import Streams
from harness.datasets.base import Batches, Images, Part
from harness.search.cuda_graph import CUDAGraph, Graph, Replayed
from harness.search.regularizers.base import Regularizer, WeightStep
from harness.search.searchers.base import ARCHITECTURE_STEPS, ArchitectureStep, Batch, Moment, SupernetSearcher
from harness.search.training import Training
from harness.spaces.base import Architecture, Space
from harness.spaces.blocks.build import Preset
from harness.spaces.blocks.supernet import Mix, Supernet, kept_buffers

EVALUATION_BATCH = 500


def cross_entropy(net: Supernet, mix: Mix, batch: Batch) -> Tensor:
    """Mean cross-entropy of a batch, a scalar."""
    return F.cross_entropy(net(batch[0], mix), batch[1])


def frozen_cross_entropy(net: Supernet, batch: Batch) -> Callable[[Mix], Tensor]:
    """The same in eval mode as a function of the mixing weights, differentiable in them alone."""
    logits = net.frozen(batch[0])
    return lambda mix: F.cross_entropy(logits(mix), batch[1])


def evaluated(logits: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy and accuracy in % of a network as a function of images. The device is waited for once."""
    sums = torch.zeros(2, dtype=torch.float64, device=images.device)
    with torch.no_grad():
        for x, y in zip(torch.split(images, EVALUATION_BATCH), torch.split(labels, EVALUATION_BATCH), strict=True):
            found = logits(x)
            sums += torch.stack([F.cross_entropy(found, y, reduction="sum"), (found.argmax(dim=1) == y).sum()])
    loss, right = sums.tolist()
    return loss / len(labels), 100 * right / len(labels)


class SupernetSearch:
    """One differentiable search: a one-shot network, architecture logits, their two optimisers, and the streams."""

    def __init__(
        self,
        *,
        space: Space,
        net: Supernet,
        alphas: Sequence[Tensor],
        searcher: SupernetSearcher,
        regularizers: Sequence[Regularizer],
        training: Training,
        choices: Preset,
        streams: Streams,
        epochs: int,
    ) -> None:
        self.space, self.net, self.searcher = space, net, searcher
        self.regularizers, self.choices = list(regularizers), choices
        for regularizer in self.regularizers:
            training = regularizer.settings(training)
        self.training, self.streams, self.epochs = training, streams, epochs
        device = alphas[0].device
        net.draw = lambda make: streams.draw("drop-path", make, device)
        self.alphas = [a.detach().clone().requires_grad_() for a in alphas]
        self.weights: list[nn.Parameter] = list(net.parameters())
        self.stopped = False
        on_cuda = device.type == "cuda"
        self.graph: Callable[[], Graph] | None = partial(CUDAGraph, device) if on_cuda else None
        """What captures steps, where the device has such a thing."""
        self.memory: dict[str, Any] = {}
        """What regularizers remember from epoch to epoch, by their names."""
        self.last_mix: list[Tensor] = []
        """Mixing weights of the last weight step."""
        self.weight_optimizer = torch.optim.SGD(
            self.weights, lr=training.learning_rate, momentum=training.momentum, weight_decay=training.weight_decay
        )
        self.alpha_optimizer = torch.optim.Adam(
            self.alphas,
            lr=training.alpha_learning_rate,
            betas=training.alpha_betas,
            weight_decay=training.alpha_weight_decay,
            capturable=on_cuda,
        )
        # PyTorch would warn that the first step of an epoch, which makes the optimisers' state, is not captured
        self.alpha_optimizer._warned_capturable_if_run_uncaptured = True

    # -- one epoch -------------------------------------------------------------------------------------------

    def bind(self, images: Images) -> None:
        """Draw batches from this data set, each half by its own stream."""
        self.images = images
        size, sampling = self.training.batch_size, self.training.sampling
        # each weight step uses new training images until all were seen, whatever the validation sampling
        self.train_batches = Batches(images.size("train"), size, "pass", self.streams["train-order"])
        self.valid_batches = Batches(images.size("valid"), size, sampling, self.streams["valid-order"])

    @property
    def steps_per_epoch(self) -> int:
        return self.training.steps_per_epoch or self.images.size("train") // self.training.batch_size

    def train_epoch(self, epoch: int, on_step: Callable[[], None]) -> dict[str, float]:
        """All steps of a 0-based epoch, none after the search has stopped. Returns the mean training loss (NaN where
        there is none). on_step is called after each step."""
        if self.stopped:
            return {"train_loss": float("nan")}
        steps = self.steps_per_epoch
        rate = self.training.rate(epoch, self.epochs)
        self.net.train()
        for regularizer in self.regularizers:
            regularizer.begin_epoch(self.net, epoch, self.epochs)
        step = self.stepper(epoch, rate)
        losses = []
        for _ in range(steps):
            with arithmetic(self.training.precision, self.alphas[0].device):
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
                regularizer.after_epoch(self, epoch)
        return {"train_loss": loss}

    def stop_at(self, alphas: Sequence[Tensor]) -> None:
        """End the search at these logits."""
        self.stopped = True
        with torch.no_grad():
            for alpha, value in zip(self.alphas, alphas, strict=True):
                alpha.copy_(value)

    def loss_at(self, alphas: Sequence[Tensor], batch: Batch) -> Tensor:
        """Cross-entropy of the one-shot network at these logits, differentiable in them, in the network's mode."""
        return cross_entropy(self.net, self.searcher.relax(alphas), batch)

    def batch(self, part: Part, batches: Batches, epoch: int) -> Batch:
        """The next minibatch of a half, augmented by the data set and then by the regularizers."""
        images, labels = self.images.batch(part, batches.next(), self.streams[f"{part}-augment"])
        for regularizer in self.regularizers:
            stream = self.streams[f"{part}-{regularizer.name}"]
            images = regularizer.augment(images, stream, epoch, self.epochs)
        return images, labels

    def evaluate(self) -> dict[str, float]:
        """Loss and accuracy of the one-shot network on the search-validation half, eval-mode batch norm."""
        mix = self.searcher.relax(self.alphas)
        loss, accuracy = evaluated(lambda x: self.net.frozen(x)(mix), *self.images.evaluation("valid"))
        return {"search_valid_loss": loss, "supernet_accuracy_pct": accuracy}

    def accuracy(self, mix: Mix, images: Tensor, labels: Tensor) -> float:
        """Accuracy in % at these mixing weights, with the batch norm of train mode; its running statistics are kept."""
        self.net.train()
        with kept_buffers(self.net):
            return evaluated(lambda x: self.net(x, mix), images, labels)[1]

    def derive(self) -> Architecture:
        return self.space.derive([a.detach().cpu().numpy() for a in self.alphas])

    def select(self, epoch: int) -> Architecture:
        """The architecture to record after a 1-based epoch: the derived one, or what a regularizer selects."""
        for regularizer in self.regularizers:
            if (selected := regularizer.select(self, epoch)) is not None:
                return selected
        return self.derive()

    def state_dict(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "alphas": [a.detach() for a in self.alphas],
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "alpha_optimizer": self.alpha_optimizer.state_dict(),
            "stopped": self.stopped,
            "memory": self.memory,
            "streams": self.streams.state_dict(),
            "train_batches": self.train_batches.state_dict(),
            "valid_batches": self.valid_batches.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        with torch.no_grad():
            for alpha, value in zip(self.alphas, state["alphas"], strict=True):
                alpha.copy_(value)
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        for group in state["alpha_optimizer"]["param_groups"]:
            group["capturable"] = self.alpha_optimizer.defaults["capturable"]  # of this device, not of the file's
        self.alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        self.stopped, self.memory = state["stopped"], state["memory"]
        self.streams.load_state_dict(state["streams"])
        self.bind(self.images)  # the streams' generators are new objects
        self.train_batches.load_state_dict(state["train_batches"])
        self.valid_batches.load_state_dict(state["valid_batches"])

    # -- one minibatch ---------------------------------------------------------------------------------------

    def batches(self, epoch: int) -> tuple[Batch, Batch]:
        """The next minibatches of the training and of the validation half."""
        return self.batch("train", self.train_batches, epoch), self.batch("valid", self.valid_batches, epoch)

    def advance(self, epoch: int, learning_rate: float) -> Tensor:
        """One step on the next minibatches. Returns the training loss, detached."""
        return self.step(*self.batches(epoch), epoch, learning_rate)

    def stepper(self, epoch: int, learning_rate: float) -> Callable[[Batch, Batch], Tensor]:
        """`step` in this epoch, replayed where the device can and every part of the method allows it."""
        step = partial(self.step, epoch=epoch, learning_rate=learning_rate)
        replays = self.searcher.replays and all(r.replays for r in self.regularizers)
        if self.graph is None or not replays:
            return step
        return Replayed(step, self.streams, self.graph())

    def step(self, train: Batch, valid: Batch, epoch: int, learning_rate: float) -> Tensor:
        """One architecture step and one weight step, in the configured order. Returns the training loss, detached."""
        if self.training.order == "weights-first":
            loss = self.weight_step(train, valid, epoch, learning_rate)
            self.architecture_step(train, valid, epoch, learning_rate)
            return loss
        self.architecture_step(train, valid, epoch, learning_rate)
        return self.weight_step(train, valid, epoch, learning_rate)

    def architecture_step(self, train: Batch, valid: Batch, epoch: int, learning_rate: float) -> None:
        moves = ARCHITECTURE_STEPS in self.searcher.offers
        if not (moves and all(r.alpha_moves(epoch, self.epochs) for r in self.regularizers)):
            return

        def penalty(alphas: Sequence[Tensor]) -> Tensor | None:
            terms = [r.alpha_loss(list(alphas), epoch, self.epochs) for r in self.regularizers]
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
            finite_difference_moves_bn=self.choices.finite_difference_moves_bn,
            moment=self.moment(epoch),
        )
        self.searcher.move(self.alphas, self.searcher.gradient(step), self.alpha_optimizer)

    def moment(self, epoch: int) -> Moment:
        return Moment(self.streams, self.space, epoch, self.epochs)

    def weight_step(self, train: Batch, valid: Batch, epoch: int, learning_rate: float) -> Tensor:
        step = WeightStep(
            net=self.net,
            loss=lambda m: cross_entropy(self.net, m, train),
            valid_loss=lambda m: cross_entropy(self.net, m, valid),
            frozen_loss=lambda: frozen_cross_entropy(self.net, train),
            memory=self.memory,
            streams=self.streams,
            epoch=epoch,
            epochs=self.epochs,
        )
        mix = self.last_mix = self.perturbed_mix(step)
        leaves = [m.requires_grad_() for m in mix] if self.choices.clip_counts_alpha else []
        loss = step.loss(mix)
        found = torch.autograd.grad(loss, [*self.weights, *leaves])
        gradients: list[Tensor | None] = list(found[: len(self.weights)])
        for regularizer in self.regularizers:
            gradients = regularizer.weight_gradients(gradients, mix, step)
        clipped = [g for g in gradients if g is not None]
        norm = torch.stack(torch._foreach_norm([*clipped, *found[len(self.weights) :]])).norm()
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
            mix = self.searcher.sample(self.alphas, self.moment(step.epoch))
        for regularizer in self.regularizers:
            mix = regularizer.perturb(mix, step)
        return [m.detach() for m in mix]
