"""What every exporter offers, and the one frame that all of them write."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.core.errors import HarnessError
from harness.core.files import join_inside, write_file
from harness.core.registry import Registry
from harness.results.frames import average_trials, select_measure
from harness.results.runs import Runs

if TYPE_CHECKING:
    import pandas as pd

EXPORTERS = Registry("exporters", "harness.results.exporters")
NAMES = {
    "architecture": "arch",
    "train_loss": "loss",
    "search_valid_loss": "valid_loss",
    "supernet_accuracy_pct": "accuracy",
}
"""Columns of the rows of epochs, and what they are called outside: as `harness import csv` reads them."""
FIRST = ("method", "seed", "epoch", "arch", "seconds", "error_pct", "loss", "valid_loss", "accuracy")


class Exporter(ABC):
    """One foreign format. The first line of the docstring is what listings show."""

    name: ClassVar[str] = ""

    @abstractmethod
    def write(self, runs: Runs, study: str, to: str | None) -> str:
        """Write finished runs; what is already there is kept, so that a killed export goes on with the same command.

        Args:
            study: its name. to: a file, folder or address, as it was typed; None is the format's own default.

        Returns:
            Where they are.
        """


@dataclass(frozen=True)
class Part:
    """Epochs of one run, in the columns of `tabulate_epochs`: the first ones of a run that is being computed, or all
    (whole). id: what tells its configuration from those of other runs of this method and seed."""

    method: str
    seed: int
    id: str
    rows: pd.DataFrame
    whole: bool


@dataclass
class Board:
    """What a tracker holds of a run that is not whole there. sent: numbers by their names, an epoch each. handle: what
    the tracker writes it by."""

    handle: Any
    sent: dict[int, dict[str, float]] = field(default_factory=dict)


class Tracker(Exporter):
    """A format that takes epochs one after the other, also while their run is computed.

    What was sent is read from the tracker itself, so that a process which goes on after another one was killed neither
    sends an epoch twice nor leaves one out. Where what is there is not what the run says now, the run is sent anew.
    """

    def __init__(self) -> None:
        self.boards: dict[tuple[str, int], Board] = {}
        self.replaced: list[str] = []

    def write(self, runs: Runs, study: str, to: str | None) -> str:
        place = self.open(study, to)
        try:
            for part in iterate_parts(runs, whole=True):
                self.send(part)
        finally:
            self.close()
        return place

    def send(self, part: Part) -> int:
        """Send the epochs of a run that are not there yet. Returns: how many epochs are known to be there now."""
        key = part.method, part.seed
        board = self.boards.get(key)
        if board is None:
            if self.holds(part):
                return len(part.rows)
            board = self.boards[key] = self.begin(part)
        rows = {int(row["epoch"]): row for row in map(convert_keys_to_texts, part.rows.to_dict("records"))}
        numbers = {epoch: self.numbers(row) for epoch, row in rows.items()}
        if has_changed(board.sent, numbers, part.whole):
            self.replaced.append(f"{part.method} seed {part.seed}")
            self.drop(board, part)
            board = self.boards[key] = self.begin(part)
        missing = []
        for epoch in sorted(numbers):
            there = board.sent.get(epoch)
            new = {name: value for name, value in numbers[epoch].items() if there is None or name not in there}
            if new or there is None:
                missing.append((rows[epoch], new))
        if missing:
            self.add(board, missing)
            board.sent.update({int(row["epoch"]): numbers[int(row["epoch"])] for row, _ in missing})
        if part.whole:
            self.finish(board, part)
            del self.boards[key]
        return len(board.sent)

    def numbers(self, row: dict[str, Any]) -> dict[str, float]:
        """The numbers of a row as this format names and keeps them."""
        return select_numbers(row)

    def close(self) -> None:
        """Leave what is not whole so that it can be gone on with."""
        self.boards.clear()

    @abstractmethod
    def open(self, study: str, to: str | None) -> str:
        """Get ready to send runs of a study; where they will be."""

    @abstractmethod
    def holds(self, part: Part) -> bool:
        """Whether the whole run is there, and nothing is to be done."""

    @abstractmethod
    def begin(self, part: Part) -> Board:
        """A run to send epochs to, with what is there of it."""

    @abstractmethod
    def add(self, board: Board, rows: list[tuple[dict[str, Any], dict[str, float]]]) -> None:
        """Send epochs: rows, and those of their numbers that are not there."""

    @abstractmethod
    def finish(self, board: Board, part: Part) -> None:
        """Mark a run as whole."""

    @abstractmethod
    def drop(self, board: Board, part: Part) -> None:
        """Remove what is there of a run, which other rows were computed for."""


def has_changed(sent: dict[int, dict[str, float]], told: dict[int, dict[str, float]], whole: bool) -> bool:
    """Whether something was sent that a run does not say. A run that is computed anew may not be as far again."""
    beyond = bool(sent.keys() - told.keys()) and whole
    return beyond or any(
        told[epoch].get(name) != value for epoch in sent.keys() & told.keys() for name, value in sent[epoch].items()
    )


class FileExporter(Exporter):
    """A format that is one file, which ends in its name; the study's name is the file's where no other is asked."""

    def write(self, runs: Runs, study: str, to: str | None) -> str:
        path = Path(to) if to else join_inside(Path(), f"{study}.{self.name}")
        write_file(path, self.encoded(tabulate_epochs(runs)))
        return str(path)

    @abstractmethod
    def encoded(self, rows: pd.DataFrame) -> bytes:
        """The file's bytes, of the rows that `tabulate_epochs` gives."""


def tabulate_epochs(runs: Runs) -> pd.DataFrame:
    """One row a run and epoch, of all that is known.

    Columns: method, seed, epoch, arch, seconds (of the search), error_pct (of the derived architecture in the table's
    test measure; without a table the supernet's on validation data), loss, valid_loss, accuracy (the supernet's, %),
    what probes measured, counts of operations, alphas (logits, flat), and for each measure of the table
    `<dataset>/<split>@<epochs>`: accuracy in % (or perplexity), mean over the trials that the architecture has. Missing
    is NaN.
    """
    if not len(runs):
        raise HarnessError("there are no finished runs to export")
    keys = ["method", "seed", "epoch"]
    rows = runs.rows().rename(columns=NAMES).drop(columns=["key"], errors="ignore")
    rows["alphas"] = [" ".join(f"{float(v)!r}" for v in values) for values in rows["alphas"]]
    for measure in [] if runs.table is None else runs.table.measures:
        means = average_trials(select_measure(runs.lookups, measure), keys, runs.scale)
        means = means.rename(columns={runs.scale.column: str(measure)})
        rows = rows.merge(means, on=keys, how="left", validate="one_to_one")
    rest = [c for c in rows.columns if c not in FIRST]
    return rows[[*(c for c in FIRST if c in rows), *rest]]


def iterate_runs(frame: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Method, seed and rows of each run of a tidy frame."""
    for (method, seed), run in frame.groupby(["method", "seed"], sort=False):
        yield str(method), int(str(seed)), run.sort_values("epoch")


def iterate_parts(runs: Runs, whole: bool) -> Iterator[Part]:
    """Each run of the results, to be sent."""
    for method, seed, run in iterate_runs(tabulate_epochs(runs)):
        yield Part(method, seed, runs.ids.get((method, seed)) or hash_run(run), run, whole)


def convert_keys_to_texts(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in row.items()}


def select_numbers(row: dict[str, Any]) -> dict[str, float]:
    """The numbers of a row that trackers show as curves; what is missing is left out."""
    left_out = ("seed", "epoch")
    return {
        str(k): float(v)
        for k, v in row.items()
        if k not in left_out and isinstance(v, int | float | np.number) and not np.isnan(v)
    }


def hash_run(run: pd.DataFrame) -> str:
    """What tells a run from another of the same name: a hash of method, seed, architectures and losses."""
    import hashlib

    told = json.dumps(
        [
            *run[["method", "seed"]].iloc[0].astype(str),
            run["arch"].tolist(),
            run["loss"].tolist(),
            run["alphas"].tolist(),
        ]
    )
    return hashlib.sha256(told.encode()).hexdigest()[:12]
