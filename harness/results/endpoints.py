"""One row a run: what its trajectory ended at, and what is to be compared between methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.measures import anytime
from harness.results.frames import Results, one_mean, select
from harness.runs.apart import Settings
from harness.runs.preregistration import Declared, Endpoint
from harness.spaces.base import Space
from harness.stats.intervals import Codes, Floats, as_codes
from harness.tables.measure import ACCURACY, SCALES, Measure, Scale

if TYPE_CHECKING:
    import pandas as pd


Columns = dict[str, NDArray[Any]]
"""Rows in the order of epochs, column by column."""


@dataclass(frozen=True)
class Endpoints:
    """runs: one row a run, with `method`, `seed`, for each endpoint `<endpoint>_error_pct` and its architecture
    `<endpoint>_architecture` (area: `area_regret`, and over seconds `area_regret_seconds`), `degradation`, the three
    collapse onsets in epochs (NaN: none) and `failed`. trials: error in % of every architecture that occurs, one
    column a trial of the table, indexed by architecture; empty without a table. optimum, random_median: errors in %,
    NaN where unknown. settings: how each method's network was trained, where that is known. scale: what errors are of;
    they are in its unit."""

    runs: pd.DataFrame
    trials: pd.DataFrame
    optimum: float
    random_median: float
    settings: Mapping[str, Settings] = field(default_factory=dict)
    scale: Scale = ACCURACY

    def values(self, method: str, endpoint: Endpoint) -> Floats:
        """Error in % (area: mean regret in percentage points) of every run of a method, in the order of its seeds."""
        part = self.runs[self.runs["method"] == method].sort_values("seed")
        found: Floats = part["area_regret" if endpoint == "area" else f"{endpoint}_error_pct"].to_numpy()
        return found

    def coded(self, methods: tuple[str, ...], endpoint: Endpoint) -> tuple[list[Codes], Floats]:
        """The runs of each method as rows of a matrix [architectures, trials] of errors in %."""
        import pandas as pd

        if endpoint == "area" or self.trials.empty:
            return as_codes(*(self.values(m, endpoint) for m in methods))
        codes = []
        for method in methods:
            part = self.runs[self.runs["method"] == method].sort_values("seed")
            codes.append(self.trials.index.get_indexer(pd.Index(part[f"{endpoint}_architecture"])))
        return codes, self.trials.to_numpy()

    def seeds(self, method: str) -> list[int]:
        return sorted(self.runs[self.runs["method"] == method]["seed"].tolist())


def endpoints(results: Results, declared: Declared, measure: Measure | None = None) -> Endpoints:
    """The endpoints of every finished run, in a measure of the table (its test, if none is named)."""
    import pandas as pd

    if not len(results):
        raise HarnessError("there are no finished runs to compare")
    optimum, random = results.levels(measure)
    rows = results.rows(measure).sort_values(["method", "seed", "epoch"])
    rows["parameter_free"] = parameter_free(rows, results.space)
    found = [
        {"method": method, "seed": seed, **of_run(run, optimum, random, declared)}
        for method, seed, run in runs_in(rows)
    ]
    runs = pd.DataFrame(found)
    order = {name: place for place, name in enumerate(results.epochs["method"].unique())}
    runs = runs.sort_values(["method", "seed"], key=lambda c: c.map(order) if c.name == "method" else c)
    return Endpoints(
        runs.reset_index(drop=True), trial_errors(results, measure), optimum, random, results.settings, results.scale
    )


def runs_in(rows: pd.DataFrame) -> Iterator[tuple[str, int, Columns]]:
    """Method, seed and columns of each run in rows that are sorted by method, seed and epoch. Arrays, as a DataFrame a
    run would take longer than all that is computed of it."""
    method, seed = rows["method"].to_numpy(), rows["seed"].to_numpy()
    columns = columns_of(rows)
    first = np.flatnonzero((method[1:] != method[:-1]) | (seed[1:] != seed[:-1])) + 1
    for start, end in pairwise([0, *first.tolist(), len(rows)]):
        yield method[start], int(seed[start]), {name: column[start:end] for name, column in columns.items()}


def columns_of(rows: pd.DataFrame) -> Columns:
    """The columns that `of_run` looks at."""
    found = {
        name: rows[name].to_numpy() for name in ("epoch", "seconds", "error_pct", "architecture", "parameter_free")
    }
    scales = {f"supernet_{column}": scale for column, scale in SCALES.items()}
    known = {name: scale.places_of(rows[name].to_numpy()) for name, scale in scales.items() if name in rows}
    measured = (places for places in known.values() if not np.isnan(places).all())
    return found | {"supernet_place": next(measured, np.full(len(rows), np.nan))}


def parameter_free(rows: pd.DataFrame, space: Space | None) -> pd.Series[Any]:
    """How many operations of each row's architecture are without parameters; none where the space is unknown, so that
    no run is told to have collapsed by them."""
    known = (f"count_{operation}" for operation in (space.parameter_free if space else ()))
    return rows[[column for column in known if column in rows]].sum(axis=1)


def of_run(run: Columns, optimum: float, random_median: float, declared: Declared) -> dict[str, Any]:
    """The endpoints of one run, whose rows are in the order of its epochs, with `parameter_free` of them."""
    error = run["error_pct"]
    if np.isnan(error).all():
        raise HarnessError("a run has no error at any epoch: its table holds nothing of what it derived")
    supernet = run["supernet_place"]
    places = {
        "final": len(error) - 1,
        "selected": len(error) - 1 if np.isnan(supernet).all() else int(np.nanargmin(supernet)),
        "oracle": int(np.nanargmin(error)),
    }
    row: dict[str, Any] = {}
    for name, place in places.items():
        row[f"{name}_error_pct"] = float(error[place])
        row[f"{name}_architecture"] = run["architecture"][place]
    base = 0.0 if np.isnan(optimum) else optimum
    onsets = {
        "above-random": anytime.onset_above_random(error, random_median),
        "parameter-free": anytime.onset_parameter_free(run["parameter_free"], declared.parameter_free),
        "degraded": anytime.onset_degraded(error, declared.degraded),
    }
    return row | {
        "area_regret": anytime.area_under(error - base, run["epoch"]),
        "area_regret_seconds": anytime.area_under(error - base, run["seconds"]),
        "degradation": anytime.degradation(error),
        **{f"onset_{name.replace('-', '_')}": onset for name, onset in onsets.items()},
        "failed": not np.isnan(onsets[declared.failure]),
    }


def trial_errors(results: Results, measure: Measure | None = None) -> pd.DataFrame:
    """Error in % of every architecture that was derived, [architectures, trials], in a measure (the table's test).

    Where the source gives its own mean, that is the one column, and the noise of the table stays unknown: the distance
    between a mean and one of the trials in it is not a difference between two trials.
    """
    import pandas as pd

    if results.table is None:
        return pd.DataFrame()
    keys = ["method", "seed", "epoch"]
    rows = select(results.lookups, measure or results.table.test).merge(
        results.epochs[[*keys, "architecture"]], on=keys
    )
    rows = one_mean(rows).drop_duplicates(["architecture", "trial"])
    values = rows.pivot(index="architecture", columns="trial", values=results.scale.column)
    found: pd.DataFrame = results.scale.error_of(values)
    return found
