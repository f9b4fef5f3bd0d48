"""Training the network of one derived architecture: a row an epoch, a checkpoint an epoch, in a folder like a run's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.core.errors import HarnessError
from harness.core.optimizers import SGD
from harness.core.streams import Streams
from harness.datasets.base import EVALUATION_BATCH, Batches, Data, cut_out, evaluate_scores
from harness.runs.machine import RunClock, describe_environment
from harness.runs.retraining.job import Retraining, RetrainingFolder
from harness.runs.retraining.language import LanguageRecipe
from harness.runs.retraining.language_fit import LanguageFit
from harness.runs.retraining.recipe import RetrainingRecipe
from harness.runs.store import Rows
from harness.spaces.blocks.derived import build_derived, build_on_meta, measure_size


def train(job: Retraining, folder: RetrainingFolder, device: torch.device) -> None:
    """Train to the end, from the last checkpoint if there is one; `Held` where another process does."""
    lease = folder.lease()
    with lease.held():
        if folder.finished:
            folder.tidy()
            return
        folder.open()
        fit = fit_of(job, device)
        rows: Rows = {"epochs": [], "lookups": [], "timing": []}
        saved = folder.load_checkpoint()
        if saved is not None:
            state, rows = saved
            fit.load_state_dict(state)
        clock = RunClock(rows["timing"])
        for epoch in range(len(rows["epochs"]), job.recipe.epochs):
            rows["epochs"].append({"epoch": epoch + 1} | fit.train_epoch(epoch) | fit.judged(epoch))
            rows["timing"].append(clock.record(epoch + 1, device))
            lease.check()
            folder.save_checkpoint(fit.state_dict(), rows, {"recorded": epoch + 1})
        lease.check()
        folder.finish(rows, build_manifest(job, fit.images, device))


def fit_of(job: Retraining, device: torch.device) -> Fit | LanguageFit:
    """The training in its initial state, of the kind that the recipe is for."""
    data: Data = job.dataset.load(device)
    if data.kind not in job.space.has:
        raise HarnessError(f"{job.space.name} is not trained on {data.kind}, which {job.dataset.name} has")
    if not isinstance(job.recipe, LanguageRecipe):
        return Fit(job, device)
    streams = Streams(job.seed)
    net = build_derived(
        job.space,
        job.architecture,
        generator=streams["weights"],
        device=device,
        channels=job.recipe.channels,
        classes=data.classes,
        last_word_untrained=job.recipe.last_word_untrained,
        regularization=job.recipe.regularization(),
    )
    return LanguageFit(net, job.recipe, job.dataset.load(device), streams)


class Fit:
    """A training in progress. Weights, order of the images and augmentation depend on the seed alone."""

    def __init__(self, job: Retraining, device: torch.device) -> None:
        assert isinstance(job.recipe, RetrainingRecipe)
        self.recipe, self.streams, self.device = job.recipe, Streams(job.seed), device
        self.images = job.dataset.load(device)
        self.tested = self.images.evaluation("test")
        count = self.images.size("train") + self.images.size("valid")
        if count < self.recipe.batch_size:
            raise HarnessError(
                f"{job.dataset.name} has {count} training images, fewer than one batch of {self.recipe.batch_size}: "
                "lower recipe.batch_size"
            )
        self.steps = self.recipe.steps_per_epoch or count // self.recipe.batch_size
        self.batches = Batches(count, self.recipe.batch_size, "pass", self.streams["train-order"])
        self.net = build_derived(
            job.space,
            job.architecture,
            channels=self.recipe.channels,
            cells=self.recipe.cells,
            classes=self.images.classes,
            shape=self.images.shape,
            auxiliary=self.recipe.auxiliary > 0,
            generator=self.streams["weights"],
            device=device,
        )
        self.net.draw = lambda name, make: self.streams.draw(name, make, device)
        self.optimizer = SGD(
            self.net.parameters(),
            lr=self.recipe.learning_rate,
            momentum=self.recipe.momentum,
            weight_decay=self.recipe.weight_decay,
        )

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """The epoch of a number, counted from 0; the means of its training loss and accuracy."""
        rate = self.optimizer.param_groups[0]["lr"] = self.recipe.rate(epoch)
        self.net.drop_path = self.recipe.dropped(epoch)
        self.net.train()
        loss_sum, right = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        for _ in range(self.steps):
            x, y = self._batch()
            logits, extra = self.net(x)
            loss = F.cross_entropy(logits, y)
            whole = loss if extra is None else loss + self.recipe.auxiliary * F.cross_entropy(extra, y)
            self.optimizer.zero_grad()
            whole.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.gradient_clip)
            self.optimizer.step()
            loss_sum += loss.detach()
            right += (logits.detach().argmax(dim=1) == y).sum()
        mean = float(loss_sum) / self.steps
        if not math.isfinite(mean):
            raise HarnessError(f"the training diverged in epoch {epoch + 1}: lower recipe.learning_rate")
        accuracy = 100 * float(right) / (self.steps * self.recipe.batch_size)
        return {"learning_rate": rate, "train_loss": mean, "train_accuracy_pct": accuracy}

    def _batch(self) -> tuple[Tensor, Tensor]:
        """The next images of both halves, augmented, and labels."""
        index, first = self.batches.next(), self.images.size("train")
        draws = self.streams["augmentation"]
        halves = [
            self.images.batch("train", index[index < first], draws),
            self.images.batch("valid", index[index >= first] - first, draws),
        ]
        x, y = (torch.cat(parts) for parts in zip(*halves, strict=True))
        side = round(self.recipe.cutout * x.shape[2])
        if side:
            x = cut_out(x, side, self.streams["squares"])
        return x.contiguous(memory_format=torch.channels_last), y

    def judged(self, epoch: int) -> dict[str, float]:
        """What a row says of the network after an epoch, counted from 0."""
        return self.test()

    def test(self) -> dict[str, float]:
        """Loss and accuracy on the test images, batch norm in eval mode."""
        self.net.eval()
        loss, accuracy = evaluate_scores(
            lambda x: self.net(x.contiguous(memory_format=torch.channels_last))[0], *self.tested
        )
        return {"test_loss": loss, "test_accuracy_pct": accuracy}

    def state_dict(self) -> dict[str, Any]:
        parts: dict[str, Any] = {
            "net": self.net,
            "optimizer": self.optimizer,
            "streams": self.streams,
            "batches": self.batches,
        }
        return {name: part.state_dict() for name, part in parts.items()}

    def seconds(self, now: Callable[[], float], steps: int) -> float:
        """What the whole training takes, reckoned from a few steps and one batch of test images."""
        every, count = self.steps, len(self.tested[1])
        self.steps, self.tested = 1, (self.tested[0][:EVALUATION_BATCH], self.tested[1][:EVALUATION_BATCH])
        self.train_epoch(0)  # the first step warms up
        self.steps = steps
        began = now()
        self.train_epoch(0)
        trained = now()
        self.test()
        judging = (now() - trained) / len(self.tested[1]) * count
        return self.recipe.epochs * ((trained - began) / steps * every + judging)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.streams.load_state_dict(state["streams"])
        self.batches.load_state_dict(state["batches"])


def estimate_seconds(job: Retraining, device: torch.device, now: Callable[[], float], steps: int) -> float:
    """What a training takes, reckoned from a few steps."""
    return fit_of(job, device).seconds(now, steps)


def measure_costs(job: Retraining, images: Any) -> dict[str, float]:
    """Millions of weights, and of multiply-adds an image, or a word."""
    if isinstance(job.recipe, LanguageRecipe):
        net = build_on_meta(job.space, job.architecture, channels=job.recipe.channels, classes=images.classes)
        sizes = [(w.numel(), w.dim() == 2) for w in net.parameters()]
        return {
            "parameters_M": sum(size for size, _ in sizes) / 1e6,
            "flops_M": sum(size for size, matrix in sizes if matrix) / 1e6,
        }
    weights, work = measure_size(
        job.space,
        job.architecture,
        channels=job.recipe.channels,
        cells=job.recipe.cells,
        classes=images.classes,
        shape=images.shape,
    )
    return {"parameters_M": weights / 1e6, "flops_M": work / 1e6}


def build_manifest(job: Retraining, images: Any, device: torch.device) -> dict[str, Any]:
    """The resolved configuration, the network's size, and what it ran on."""
    return {
        "id": job.id,
        "retraining": job.describe(),
        "costs": measure_costs(job, images),
        "environment": describe_environment(device, "fp32"),
        "epoch_convention": "epoch e is after e epochs",
    }
