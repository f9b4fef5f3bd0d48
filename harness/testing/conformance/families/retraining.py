"""Training the language models of derived cells: every step, the switch to averages, and what is kept and tested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.runs.retraining.language import BEYOND, LEAST, SPREAD, LanguageRecipe
from harness.runs.retraining.language_fit import LanguageFit
from harness.spaces.recurrent.derived import RecurrentModel
from harness.testing.conformance.families.passes import name_published_weight
from harness.testing.conformance.languages import (
    build_text,
    expect,
    lacks_gradient,
    queue_draws,
    read_masks,
    read_regularization,
    refuse_unknown,
)
from harness.testing.conformance.records import Found, QuantityCheck, Record, Skipped
from harness.testing.conformance.searches import ReplayedStreams

KNOWN = (
    *("source", "torch", "space", "method", "steps", "seed", "train_rows", "valid_tokens", "test_tokens", "arch"),
    *("genotype", "token_without_input_gradient", "eval_batch", "test_batch", "length_sd", "length_min", "asgd"),
    *("ntokens", "nhid", "batch", "bptt", "epochs", "nonmono", "lr", "clip", "wdecay", "act_alpha", "act_beta"),
    *("max_seq_len_delta", "dropout", "dropouth", "dropoutx", "dropouti", "dropoute"),
)


def can_replay(record: Record) -> bool:
    return "nonmono" in record.meta and record.has("step0")


def replay(record: Record) -> Iterator[QuantityCheck | Skipped]:
    refuse_unknown(record.meta, KNOWN)
    expect(record.meta, length_sd=SPREAD, length_min=LEAST, max_seq_len_delta=BEYOND, asgd={"t0": 0, "lambd": 0.0})
    replayed = RetrainingReplay(record)
    number = 0
    for epoch in range(1, record.meta["epochs"] + 1):
        number = replayed.epoch(epoch, number)
    replayed.found.exactly("steps", number == record.meta["steps"])
    replayed.final()
    yield from replayed.found.checks()


class RetrainingReplay:
    """A training that is being replayed."""

    def __init__(self, record: Record) -> None:
        meta = record.meta
        self.record, self.streams, self.found = record, ReplayedStreams(), Found(record)
        recipe = LanguageRecipe(
            channels=meta["nhid"],
            epochs=meta["epochs"],
            batch_size=meta["batch"],
            learning_rate=meta["lr"],
            weight_decay=meta["wdecay"],
            gradient_clip=meta["clip"],
            patience=meta["nonmono"],
            last_word_untrained=lacks_gradient(meta),
            **read_regularization(meta),
        )
        net = RecurrentModel(
            tuple((str(operation), int(state)) for operation, state in meta["genotype"]["recurrent"]),
            channels=meta["nhid"],
            classes=meta["ntokens"],
            put_out=meta["genotype"]["concat"],
            last_word_untrained=recipe.last_word_untrained,
            regularization=recipe.regularization(),
        ).double()
        net.load_state_dict(
            {name: record.tensor(f"init/weights/{name_published_weight(name)}") for name in net.state_dict()}
        )
        columns = {"valid": meta["eval_batch"], "test": meta["test_batch"]}
        self.fit = LanguageFit(net, recipe, build_text(record), self.streams, columns)
        self.saved: list[int] = []

    def epoch(self, epoch: int, number: int) -> int:
        """An epoch, whose first step has this number. Returns that of the next one's."""
        fit, kept, found = self.fit, self.record.arrays, self.found
        averaging = fit.averages is not None
        steps = fit.steps()
        while True:
            prefix = f"step{number}"
            self.streams.queues = self.draws(prefix) if f"{prefix}/x" in kept else {}
            self.watch(prefix)
            loss = next(steps, None)
            if loss is None:
                break
            found.add("training losses", loss[0], kept[f"{prefix}/loss"])
            found.add("losses with their terms", fit.last_descended, kept[f"{prefix}/loss_with_reg"])
            found.add("gradient norms", fit.last_norm, kept[f"{prefix}/grad_norm"])
            found.add("learning rates", fit.rate, kept[f"{prefix}/lr"])
            found.exactly("epochs", int(kept[f"{prefix}/epoch"]) == epoch)
            found.exactly("switch to averages", averaging == bool(kept[f"{prefix}/averaging"]))
            found.exactly("all random numbers are used", not any(self.streams.queues.values()))
            number += 1
        self.after(epoch)
        return number

    def draws(self, prefix: str) -> dict[str, list[Tensor]]:
        record = self.record
        lengths = {
            "lengths": [record.tensor(f"{prefix}/bptt_draw")],
            "spread": [record.tensor(f"{prefix}/length_draw")],
        }
        return queue_draws(lengths, read_masks(record, prefix))

    def watch(self, prefix: str) -> None:
        """Compare the next step's stretch, and what it leaves, with the recorded ones."""
        fit, record = self.fit, self.record
        plain = type(fit).step

        def step(batch: Any, length: int) -> Tensor:
            x, y = batch
            same = torch.equal(x.tokens, record.tensor(f"{prefix}/x"))
            same = same and torch.equal(y, record.tensor(f"{prefix}/y").flatten())
            self.found.exactly("stretches of text", same)
            self.found.exactly("lengths", length == int(record.arrays[f"{prefix}/seq_len"]))
            hidden = record.tensor(f"{prefix}/hidden")[0]
            self.found.add("hidden states that enter", torch.zeros_like(hidden) if x.state is None else x.state, hidden)
            loss = plain(fit, batch, length)
            self.found.add("hidden states that leave", x.left, record.tensor(f"{prefix}/hidden_after")[0])
            return loss

        fit.step = step  # type: ignore[method-assign]

    def after(self, epoch: int) -> None:
        """The end of an epoch."""
        fit, kept, found, key = self.fit, self.record.arrays, self.found, f"epoch{epoch}"
        self.weights("weights after each epoch", dict(fit.net.named_parameters()), f"{key}/weights_after")
        names = [name for name, _ in fit.net.named_parameters()]
        found.exactly("switch to averages", (fit.averages is not None) == self.record.has(f"{key}/average"))
        if fit.averages is not None:
            self.weights("averages", dict(zip(names, fit.averages, strict=True)), f"{key}/average")
        lowest = min(fit.losses, default=np.inf)
        fit.judged(epoch - 1)
        found.add("validation losses", fit.losses[-1], kept[f"{key}/valid_loss"])
        if fit.losses[-1] < lowest:
            self.saved.append(epoch)

    def weights(self, quantity: str, values: dict[str, Tensor], prefix: str) -> None:
        for name, value in values.items():
            self.found.add(quantity, value, self.record.arrays[f"{prefix}/{name_published_weight(name)}"])

    def final(self) -> None:
        kept = self.record.arrays
        self.found.exactly("epochs that are kept", self.saved == kept["saved_epochs"].tolist())
        assert self.fit.kept is not None
        self.weights("kept weights", self.fit.kept, "best/weights")
        self.found.add("test loss", self.fit.test(), kept["test_loss"])
