"""Training the language model of one derived cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from harness.core.errors import HarnessError
from harness.core.streams import Streams
from harness.datasets.texts import (
    EVALUATION_COLUMNS,
    Text,
    compute_perplexity,
    cut_into_columns,
    evaluate_text,
    stretch_of,
)
from harness.runs.retraining.language import BEYOND, LEAST, SHARE, SPREAD, LanguageRecipe
from harness.search.clipping import compute_norm_and_scale

COLUMNS = {"valid": EVALUATION_COLUMNS["valid"], "test": EVALUATION_COLUMNS["test"]}
Weights = dict[str, Tensor]
HOST = torch.device("cpu")
READ = 4
"""Stretches of the validation text that are read to reckon what all of it takes."""


class LanguageFit:
    """A training in progress. Weights, lengths and dropout depend on the seed alone.

    net: takes a `Stretch`, and has `training_loss`. texts: by part, [rows, columns]. averages: of the weights since
    ASGD began, None before. losses: of validation, one an epoch. kept: the weights with the lowest.
    """

    def __init__(
        self, net: Any, recipe: LanguageRecipe, text: Text, streams: Streams, columns: dict[str, int] = COLUMNS
    ) -> None:
        self.net, self.recipe, self.streams, self.rows, self.images = net, recipe, streams, text.rows, text
        cuts: dict[Any, int] = {"train": recipe.batch_size, **columns}
        self.texts = {part: cut_into_columns(text.parts[part], count) for part, count in cuts.items()}
        for part, tokens in self.texts.items():
            if len(tokens) < 3:
                raise HarnessError(
                    f"the {part} text has {text.size(part)} words, fewer than three rows of {cuts[part]} columns: give "
                    "a longer text, or lower recipe.batch_size"
                )
        self.device = text.parts["train"].device
        net.draw = lambda name, make: streams.draw(name, make, self.device)
        self.weights: list[nn.Parameter] = list(net.parameters())
        self.averages: list[Tensor] | None = None
        self.averaged = 0
        """Steps of ASGD so far."""
        self.rate = 0.0
        """The learning rate that belongs to the last step."""
        self.losses: list[float] = []
        self.kept: Weights | None = None
        self.last_norm = torch.zeros(())
        self.last_descended = torch.zeros(())

    # -- one epoch -------------------------------------------------------------------------------------------

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """The epoch of a number, counted from 0: one reading of the text. An epoch that ends in no number goes back to
        the weights that are kept."""
        total, rows = torch.zeros((), device=self.device, dtype=torch.float64), 0
        averaging = self.averages is not None
        for loss, count in self.steps():
            total, rows = total + loss * count, rows + count
        mean = float(total) / rows
        if not math.isfinite(mean):
            if self.kept is None:
                raise HarnessError(f"the training diverged in epoch {epoch + 1}: lower recipe.learning_rate")
            self.put(self.kept)
        return {"learning_rate": self.recipe.learning_rate, "train_loss": mean, "averaging": float(averaging)}

    def steps(self) -> Iterator[tuple[Tensor, int]]:
        """The loss of each step of an epoch, and its rows."""
        text, first, state, taken = self.texts["train"], 0, None, 0
        self.net.train()
        while first < len(text) - 2 and taken != self.recipe.steps_per_epoch:
            length = self.draw_length()
            batch = stretch_of(text, first, length)
            batch[0].state = state
            yield self.step(batch, length), len(batch[0].tokens)
            state, first, taken = batch[0].left, first + length, taken + 1

    def draw_length(self) -> int:
        """The rows of the next stretch."""
        double = torch.float64
        usual = self.streams.draw("lengths", lambda g: torch.rand((), generator=g, dtype=double), HOST).item()
        mean = self.rows if usual < SHARE else self.rows / 2
        drawn = self.streams.draw(
            "spread", lambda g: mean + SPREAD * torch.randn((), generator=g, dtype=double), HOST
        ).item()
        return min(max(LEAST, int(drawn)), self.rows + BEYOND)

    def step(self, batch: Any, length: int) -> Tensor:
        """One step on a stretch of this drawn length. Returns the cross-entropy, detached."""
        loss, descended = self.net.training_loss(batch)
        gradients = torch.autograd.grad(descended, self.weights)
        self.last_norm, scale = compute_norm_and_scale(gradients, self.recipe.gradient_clip)
        self.last_descended = descended.detach()
        own = self.recipe.learning_rate * length / self.rows
        lags = self.recipe.average_lags and self.averaged > 0
        rate, self.rate = self.rate if lags else own, own
        with torch.no_grad():
            for weight, gradient in zip(self.weights, gradients, strict=True):
                weight.sub_(rate * (gradient * scale + self.recipe.weight_decay * weight))
        if self.averages is not None:
            self.average(self.averages)
        detached: Tensor = loss.detach()
        return detached

    def average(self, averages: list[Tensor]) -> None:
        """Take the weights into the averages; the first one is left out, as in PyTorch's ASGD."""
        self.averaged += 1
        share = 1 / max(1, self.averaged - 1)
        with torch.no_grad():
            for mean, weight in zip(averages, self.weights, strict=True):
                mean.add_(share * (weight - mean)) if share != 1 else mean.copy_(weight)

    # -- judged ----------------------------------------------------------------------------------------------

    def judged(self, epoch: int) -> dict[str, float]:
        """The validation loss after an epoch, counted from 0, and the perplexity of what is kept; after the last one,
        that on the test text. Averages begin where the loss no longer falls."""
        with self.averaged_weights():
            loss = self.evaluate("valid")
            if math.isfinite(loss) and loss < min(self.losses, default=math.inf):
                self.kept = {name: value.detach().clone() for name, value in self.net.state_dict().items()}
        patience = self.recipe.patience
        earlier = self.losses[:-patience] if patience else self.losses
        if self.averages is None and len(self.losses) > patience and loss > min(earlier):
            self.averages = [weight.detach().clone() for weight in self.weights]
        self.losses.append(loss)
        found = {
            "valid_loss": loss,
            "valid_perplexity": compute_perplexity(min(self.losses)),
            "test_perplexity": math.nan,
        }
        if epoch + 1 == self.recipe.epochs:
            found["test_perplexity"] = compute_perplexity(self.test())
        return found

    def test(self) -> float:
        """The loss of what is kept on the test text."""
        own = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.put(self.kept or own)
        loss = self.evaluate("test")
        self.put(own)
        return loss

    def evaluate(self, part: str) -> float:
        """The mean loss of a text in nats."""
        self.net.eval()
        counts_all = self.recipe.evaluation_counts_all_rows
        return evaluate_text(self.net, self.texts[part], self.rows, counts_all_rows=counts_all)

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """The network has the averages while the block runs, where there are any."""
        if self.averages is None or not self.averaged:
            yield
            return
        own = [weight.detach().clone() for weight in self.weights]
        self.set(self.averages)
        yield
        self.set(own)

    def set(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            for weight, value in zip(self.weights, values, strict=True):
                weight.copy_(value)

    def put(self, state: Weights) -> None:
        self.net.load_state_dict(state)

    # -- kept ------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "streams": self.streams.state_dict(),
            "averages": self.averages,
            "averaged": self.averaged,
            "rate": self.rate,
            "losses": self.losses,
            "kept": self.kept,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.put(state["net"])
        self.streams.load_state_dict(state["streams"])
        self.averages, self.averaged, self.rate = state["averages"], state["averaged"], state["rate"]
        self.losses, self.kept = list(state["losses"]), state["kept"]

    # -- priced ----------------------------------------------------------------------------------------------

    def seconds(self, now: Callable[[], float], steps: int) -> float:
        """What the whole training takes, reckoned from a few steps and the beginning of the validation text."""
        every = len(self.texts["train"]) / self.rows
        taken = self.steps()
        next(taken)  # the first step warms up
        began = now()
        done = sum(1 for _ in zip(range(steps), taken, strict=False))
        trained = now()
        whole = self.texts["valid"]
        self.texts["valid"] = whole[: READ * self.rows]
        self.evaluate("valid")
        share = len(whole) / len(self.texts["valid"])
        self.texts["valid"] = whole
        return self.recipe.epochs * ((trained - began) / max(1, done) * every + (now() - trained) * share)
