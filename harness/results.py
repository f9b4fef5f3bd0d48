"""Reading finished runs: tidy frames, and the table of final results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.runner import Planned
from harness.store import frame
from harness.tables.table import Measure, Table

if TYPE_CHECKING:
    import pandas as pd


def load(planned: list[Planned], name: str) -> pd.DataFrame:
    """Rows of one kind ("epochs", "lookups", "timing") of all finished runs, with `method` and `seed`."""
    folders = {f"{p.run.method_name}|{p.run.seed}": p.folder for p in planned if p.finished}
    found: pd.DataFrame = frame(folders, name)
    return found


def error_by_epoch(planned: list[Planned], table: Table | None, measure: Measure | None = None) -> pd.DataFrame:
    """One row a run and epoch: `method`, `seed`, `epoch`, `seconds`, `error_pct`.

    With a table: 100 - accuracy of the derived architecture in `measure` (default: the table's test), mean over the
    trials that it has, NaN where there is none. Without: the supernet's error on the search-validation half.
    """
    timing = load(planned, "timing")
    if timing.empty:
        return timing
    timing = timing.rename(columns={"wall_s": "seconds"})[["method", "seed", "epoch", "seconds"]]
    keys = ["method", "seed", "epoch"]
    if table is None:
        rows = load(planned, "epochs")
        rows["error_pct"] = 100 - rows["supernet_accuracy_pct"]
    else:
        rows = lookups_of(load(planned, "lookups"), measure or table.test)
        rows = trial_mean(rows, keys)
        rows["error_pct"] = 100 - rows["accuracy_pct"]
    return timing.merge(rows[[*keys, "error_pct"]], on=keys, how="left", validate="one_to_one")


def lookups_of(lookups: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The lookup rows of one measure."""
    columns = ("dataset", "split", "table_epochs")
    for column, value in zip(columns, measure, strict=True):
        lookups = lookups[lookups[column] == value]
    return lookups


def trial_mean(lookups: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Mean accuracy over trials; where the source itself gives a mean, that."""
    own = lookups[lookups["trial"].eq("mean")]
    chosen = own if len(own) else lookups
    return chosen.groupby(keys, sort=False)["accuracy_pct"].mean().reset_index()


def final_results(planned: list[Planned], table: Table | None) -> list[dict[str, Any]]:
    """One row a method: n seeds, median and range of the final error, of the best epoch's, and the floors."""
    errors = error_by_epoch(planned, table)
    if errors.empty:
        return []
    rows = []
    what = "supernet error" if table is None else "test error"
    for name, part in errors.groupby("method", sort=False):
        last = part[part["epoch"] == part["epoch"].max()]["error_pct"]
        best = part.groupby("seed")["error_pct"].min()
        row: dict[str, Any] = {
            "method": name,
            "n": len(last),
            f"final {what} % (median)": round(float(last.median()), 3),
            "lowest": round(float(last.min()), 3),
            "highest": round(float(last.max()), 3),
            "best epoch (median)": round(float(best.median()), 3),
            "seconds a run": round(float(part.groupby("seed")["seconds"].max().median()), 1),
        }
        if table is not None:
            row["percentile"] = round(float(np.median([percentile(table, 100 - e) for e in last])), 1)
        rows.append(row)
    return rows


def percentile(table: Table, accuracy: float) -> float:
    """Share in % of the table's architectures with a lower test accuracy, ties counting half."""
    values = table.vector(table.test)
    known = values[~np.isnan(values)]
    close = np.isclose(known, accuracy, rtol=0, atol=1e-9)
    return float(100 * (((known < accuracy) & ~close).sum() + close.sum() / 2) / len(known))
