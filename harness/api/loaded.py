"""Runs that are there, as a notebook reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.arguments import check_path
from harness.core.errors import HarnessError
from harness.results.folders import load_folder
from harness.results.frames import Results, label_machines
from harness.results.load import Finished
from harness.runs.schema import TABLES
from harness.runs.store import read_owner
from harness.spaces.base import Space
from harness.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from harness.tables.measure import Measure


class Runs:
    """Finished runs: their rows, and what is asked of them.

    Attributes:
        epochs: one row an epoch of every run (losses, supernet accuracy, logits, derived architecture), with `method`
            and `seed`.
        lookups: one row for every value that the table holds of an epoch's architecture, accuracies in %.
        timing: seconds and memory of every epoch.
        table: the table that was asked, or None.
        space: what was searched.
        manifests: the configuration and environment of every run; empty for imported logs.
    """

    def __init__(self, found: Finished) -> None:
        self.found = found

    def __repr__(self) -> str:
        results = self.found.results
        methods = ", ".join(map(str, results.epochs["method"].unique())) if len(results) else "none"
        return f"<Runs {self.found.name}: {len(results)} runs; methods {methods}>"

    def __len__(self) -> int:
        return len(self.results)

    @property
    def results(self) -> Results:
        return self.found.results

    @property
    def epochs(self) -> pd.DataFrame:
        return self.results.epochs

    @property
    def lookups(self) -> pd.DataFrame:
        return self.results.lookups

    @property
    def timing(self) -> pd.DataFrame:
        return self.results.timing

    @property
    def table(self) -> Table | None:
        return self.results.table

    @property
    def space(self) -> Space | None:
        return self.results.space

    @property
    def manifests(self) -> list[dict[str, Any]]:
        return self.found.manifests

    def final(self) -> pd.DataFrame:
        """One row a method: n, the last error in % (median and range over seeds), the best epoch's, its percentile."""
        return self.results.final()

    def errors(self, measure: str | None = None) -> pd.DataFrame:
        """One row a run and epoch: `method`, `seed`, `epoch`, `seconds`, `error_pct`.

        Args:
            measure: "dataset/split@epochs" of the table; its test, if not said.
        """
        return self.results.error_by_epoch(measure_of(measure))

    def compare(
        self, baseline: str | None = None, endpoint: str | None = None, measure: str | None = None
    ) -> pd.DataFrame:
        """One row a pair of methods: see `harness.compare`."""
        from harness.api.verdicts import compare

        return compare(self, baseline=baseline, endpoint=endpoint, measure=measure)

    def plot(self, name: str = "trajectory", **options: Any) -> Any:
        """A figure: see `harness.plot`."""
        from harness.api.verdicts import plot

        return plot(self, name, **options)

    def report(self, to: str | Path) -> Path:
        """Write one HTML page that opens offline; returns its path."""
        from harness.api.verdicts import report

        return report(self, to)


def measure_of(measure: Any) -> Measure | None:
    """A measure of a table, as an argument says it; None is the table's test."""
    from harness.tables.measure import Measure

    return None if measure is None else Measure.of(measure)


def load(*folders: str | Path) -> Runs:
    """Read finished runs, without the study file that made them.

    Args:
        folders: a study's folder of runs, one run's folder, or a folder of published or imported results; several are
            read as one, and then must be of one space and table.

    Raises:
        HarnessError: a folder holds no finished runs, or is damaged, or folders do not fit together.
    """
    if not folders:
        raise HarnessError("harness.load needs a folder of runs, such as results/runs/digits")
    found = [load_folder(check_path(folder, "folder")) for folder in folders]
    return Runs(found[0] if len(found) == 1 else join_finished(found))


def join_finished(found: Sequence[Finished]) -> Finished:
    """Runs of several folders as one, each method by the name that it has there."""
    import pandas as pd

    first = found[0]
    folders = ", ".join(str(f.folder) for f in found)
    if len({f.results.table.fingerprint if f.results.table else None for f in found}) > 1:
        raise HarnessError(f"the runs of {folders} were looked up in different tables")
    if len({f.results.space.name if f.results.space else None for f in found}) > 1:
        raise HarnessError(f"the runs of {folders} searched different spaces: load them apart")
    frames = {name: pd.concat([getattr(f.results, name) for f in found], ignore_index=True) for name in TABLES}
    keys = frames["epochs"][["method", "seed", "epoch"]]
    if keys.duplicated().any():
        twice = keys[keys.duplicated()].iloc[0]
        raise HarnessError(
            f"two of the folders hold a run of {twice['method']!r} with seed {twice['seed']}: load them apart"
        )
    settings = {method: each for f in found for method, each in f.results.settings.items()}
    varied = [f for f in found if f.results.design and f.results.design.varied]
    if varied:
        raise HarnessError(f"runs in {varied[0].folder} vary by a design ([randomness]): load them apart")
    manifests = [m for f in found for m in f.manifests]
    by = label_machines([read_owner(m) for m in manifests], manifests)
    results = Results(**frames, table=first.results.table, space=first.results.space, settings=settings, machines=by)
    names = " and ".join(f.name for f in found)
    told = "exploratory: runs of several folders are compared"
    missing = sum(f.missing for f in found)
    return Finished(names, first.source, results, missing, first.declared, told, first.folder, manifests)
