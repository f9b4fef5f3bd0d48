"""What every exporter offers, and the one frame that all of them write."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.core.errors import HarnessError
from harness.core.files import join_inside, write_file
from harness.core.registry import Registry
from harness.results.frames import Results, average_trials, select

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
    def write(self, results: Results, study: str, to: str | None) -> str:
        """Write finished runs; what is already there is kept, so that a killed export goes on with the same command.

        Args:
            study: its name. to: a file, folder or address, as it was typed; None is the format's own default.

        Returns:
            Where they are.
        """


class FileExporter(Exporter):
    """A format that is one file, which ends in its name; the study's name is the file's where no other is asked."""

    def write(self, results: Results, study: str, to: str | None) -> str:
        path = Path(to) if to else join_inside(Path(), f"{study}.{self.name}")
        write_file(path, self.encoded(tabulate_epochs(results)))
        return str(path)

    @abstractmethod
    def encoded(self, rows: pd.DataFrame) -> bytes:
        """The file's bytes, of the rows that `tabulate_epochs` gives."""


def tabulate_epochs(results: Results) -> pd.DataFrame:
    """One row a run and epoch, of all that is known.

    Columns: method, seed, epoch, arch, seconds (of the search), error_pct (of the derived architecture in the table's
    test measure; without a table the supernet's on validation data), loss, valid_loss, accuracy (the supernet's, %),
    what probes measured, counts of operations, alphas (logits, flat), and for each measure of the table
    `<dataset>/<split>@<epochs>`: accuracy in % (or perplexity), mean over the trials that the architecture has. Missing
    is NaN.
    """
    if not len(results):
        raise HarnessError("there are no finished runs to export")
    keys = ["method", "seed", "epoch"]
    rows = results.rows().rename(columns=NAMES).drop(columns=["key"], errors="ignore")
    rows["alphas"] = [" ".join(f"{float(v)!r}" for v in values) for values in rows["alphas"]]
    for measure in [] if results.table is None else results.table.measures:
        means = average_trials(select(results.lookups, measure), keys, results.scale)
        means = means.rename(columns={results.scale.column: str(measure)})
        rows = rows.merge(means, on=keys, how="left", validate="one_to_one")
    rest = [c for c in rows.columns if c not in FIRST]
    return rows[[*(c for c in FIRST if c in rows), *rest]]


def iterate_runs(frame: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Method, seed and rows of each run of a tidy frame."""
    for (method, seed), run in frame.groupby(["method", "seed"], sort=False):
        yield str(method), int(str(seed)), run.sort_values("epoch")


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
