"""Perturbation-based selection: the whole of it after a search, and its decisions alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from harness.search.regularizers.perturbation_selection import PerturbationSelection
from harness.testing.conformance.families.steps import StepReplay
from harness.testing.conformance.records import QuantityCheck, Record
from harness.testing.conformance.searches import find_recorded


def can_replay(record: Record) -> bool:
    runs = record.content.get("runs") if isinstance(record.content, dict) else None
    return (record.has("projection") and find_recorded(record) is not None) or bool(
        runs and "stats_acc_loss" in runs[0]
    )


def replay(record: Record) -> Iterator[QuantityCheck]:
    return replay_decisions(record) if record.content is not None else replay_whole(record)


def replay_whole(record: Record) -> Iterator[QuantityCheck]:
    replayed, kept = StepReplay(record), record.arrays
    search, found = replayed.search, replayed.found
    (selection,) = (r for r in search.regularizers if isinstance(r, PerturbationSelection))
    train, valid = (_read_batches(record, part) for part in ("train", "valid"))
    rate, taken = selection.rate, iter(range(len(kept["tune/loss"])))

    def tune() -> None:
        search.net.train()
        for batch in train:
            number = next(taken)
            loss = search.step(batch, valid[0], 0, rate)
            found.add("training losses", loss, kept["tune/loss"][number])
            found.add("alpha after each step", search.alphas[0], kept["tune/alpha_after"][number])

    order = [(0, int(edge)) for edge in kept["projection/edge"]]
    order += [place for place in ((0, row) for row in range(len(search.alphas[0]))) if place not in order]
    number = 0
    for number, decision in enumerate(selection.project(search, order, lambda: valid, tune)):
        accuracies, losses = (np.array(column) for column in zip(*decision.scores, strict=True))
        found.add("accuracies", np.float32(accuracies), np.float32(kept["projection/acc"][number]))
        found.add("losses", losses, kept["projection/loss"][number])
        found.exactly("decisions", decision.kept == [int(kept["projection/op"][number])])
    found.exactly("number of decisions", number + 1 == len(kept["projection/op"]))
    replayed.final()
    yield from found.checks()


def _read_batches(record: Record, part: str) -> list[tuple[Tensor, Tensor]]:
    return list(zip(record.tensor(f"{part}/x"), record.tensor(f"{part}/y"), strict=True))


def replay_decisions(record: Record) -> Iterator[QuantityCheck]:
    """Made-up accuracies and losses, with many ties."""
    runs: list[dict[str, Any]] = record.content["runs"]
    same = []
    for run in runs:
        criterion: Any = {"acc": "accuracy", "loss": "loss"}[run["proj_crit"]]
        selection = PerturbationSelection(criterion=criterion, tune_epochs=run["proj_intv"], early=True)
        ours = [selection.missed_most([tuple(s) for s in stats])[0] for stats in run["stats_acc_loss"]]
        number = len(selection.plan(len(run["alpha"]))[0])
        same.append((ours, number) == (run["ops"], len(run["edges"])))
    yield record.exactly(f"decisions of {len(runs)} runs", all(same))
