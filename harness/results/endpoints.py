"""One row a run: what its trajectory ended at, and what is to be compared between methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.measures import anytime
from harness.results.frames import LeftOut, select_means
from harness.runs.apart import Settings
from harness.runs.preregistration import Declared, Endpoint
from harness.spaces.base import Space
from harness.stats.intervals import Floats
from harness.tables.measure import ACCURACY, SCALES, Scale

if TYPE_CHECKING:
    import pandas as pd


NO_VALUE = "has no value there"
NO_VALUE_AT_ALL = "has no value at any epoch"
Columns = dict[str, NDArray[Any]]
"""Rows in the order of epochs, column by column."""


@dataclass(frozen=True)
class Endpoints:
    """What every run ended at.

    runs: one row a run, with `method`, `seed`, for each endpoint `<endpoint>_error_pct` and its architecture
    `<endpoint>_architecture` (area: `area_regret`, and over seconds `area_regret_seconds`), `degradation`, the
    collapse onsets in epochs (NaN: none) and `failed` (1 or 0; NaN where its last epoch does not tell). left_out: runs
    that are not among them, and why. optimum, random_median: errors in %, NaN where unknown. noise: points that do not
    matter (see `compute_trial_noise`). settings: how each method's network was trained, where that is known. scale:
    what errors are of; they are in its unit. varied: what of the randomness varied by itself, so that runs share draws;
    empty where each has its own. machines: what computed each run, by method and seed, where several did.
    """

    runs: pd.DataFrame
    optimum: float
    random_median: float
    noise: float = float("nan")
    left_out: tuple[LeftOut, ...] = ()
    settings: Mapping[str, Settings] = field(default_factory=dict)
    scale: Scale = ACCURACY
    varied: str = ""
    machines: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def refuse_shared(self) -> None:
        """An error where runs share what they draw: tests are of independent ones."""
        if self.varied:
            raise HarnessError(
                f"runs of this study share what they draw ({self.varied}), so they are no independent ones to test: "
                "harness ledger says what their spread is made of; tests need runs that differ in their seeds"
            )

    @property
    def methods(self) -> list[str]:
        """Those with runs, in their order, and those whose runs are all left out."""
        return list(dict.fromkeys([*self.runs["method"], *(run.method for run in self.left_out)]))

    def by_seed(self, method: str, endpoint: Endpoint) -> dict[int, float]:
        """Error in % (area: mean regret in percentage points) of every run of a method that has a value."""
        values = self._column(method, name_column(endpoint))
        return {seed: value for seed, value in values.items() if not np.isnan(value)}

    def failed_by_seed(self, method: str) -> dict[int, float]:
        """Whether a run of a method failed, 1 or 0, of every one of which that is known."""
        return {seed: failed for seed, failed in self._column(method, "failed").items() if not np.isnan(failed)}

    def _column(self, method: str, column: str) -> dict[int, float]:
        """A column of a method's runs, by seed."""
        if column not in self._columns:
            # once for all methods: of thousands, a look for each at all rows would take minutes
            own: dict[str, dict[int, float]] = {}
            rows = self.runs.sort_values("seed")
            for name, seed, value in zip(rows["method"], rows["seed"], rows[column], strict=True):
                own.setdefault(name, {})[int(seed)] = float(value)
            self._columns[column] = own
        return self._columns[column].get(method, {})

    @cached_property
    def _columns(self) -> dict[str, dict[str, dict[int, float]]]:
        return {}

    @cached_property
    def _left_out(self) -> dict[str, list[LeftOut]]:
        found: dict[str, list[LeftOut]] = {}
        for run in self.left_out:
            found.setdefault(run.method, []).append(run)
        return found

    def values(self, method: str, endpoint: Endpoint) -> Floats:
        """The same as an array [runs], in the order of the seeds."""
        return np.array(list(self.by_seed(method, endpoint).values()))

    def absent(self, method: str, endpoint: Endpoint) -> list[LeftOut]:
        """The runs of a method that have no value, and why."""
        known = self.by_seed(method, endpoint)
        unknown = [LeftOut(method, s, NO_VALUE) for s in self._column(method, name_column(endpoint)) if s not in known]
        return self._left_out.get(method, []) + unknown

    def failures(self, method: str) -> tuple[int, int]:
        """How many runs of a method failed, and of how many of which that is known."""
        failed = self.failed_by_seed(method)
        return int(sum(failed.values())), len(failed)


def name_column(endpoint: Endpoint) -> str:
    """The column of an endpoint's values."""
    return "area_regret" if endpoint == "area" else f"{endpoint}_error_pct"


def iterate_runs(rows: pd.DataFrame) -> Iterator[tuple[str, int, Columns]]:
    """Method, seed and columns of each run, in the order of its epochs. Arrays, as a DataFrame a run would take longer
    than all that is computed of it."""
    import pandas as pd

    (number, names), seed = pd.factorize(rows["method"]), rows["seed"].to_numpy()
    columns = extract_columns(rows)
    order = np.lexsort((columns["epoch"], seed, number))
    if not (order[1:] > order[:-1]).all():
        number, seed = number[order], seed[order]
        columns = {name: column[order] for name, column in columns.items()}
    first = np.flatnonzero((number[1:] != number[:-1]) | (seed[1:] != seed[:-1])) + 1
    for start, end in pairwise([0, *first.tolist(), len(rows)]):
        run = {name: column[start:end] for name, column in columns.items()}
        yield names[number[start]], int(seed[start]), run


def extract_columns(rows: pd.DataFrame) -> Columns:
    """The columns that `compute_run_endpoints` looks at."""
    found: Columns = {
        name: rows[name].to_numpy() for name in ("epoch", "seconds", "error_pct", "parameter_free", "skips")
    }
    found["architecture"] = rows["architecture"].array  # as NumPy's, every text would be an object of its own
    scales = {f"supernet_{column}": scale for column, scale in SCALES.items()}
    known = {name: scale.places_of(rows[name].to_numpy()) for name, scale in scales.items() if name in rows}
    measured = (places for places in known.values() if not np.isnan(places).all())
    return found | {"supernet_place": next(measured, np.full(len(rows), np.nan))}


def count_operations(rows: pd.DataFrame, space: Space | None) -> pd.DataFrame:
    """The rows with how many operations of each architecture are without parameters, and how many are skips; NaN where
    the space is unknown, or has none of the kind."""
    kinds = {
        "parameter_free": space.parameter_free if space else (),
        "skips": (space.skip,) if space and space.skip else (),
    }
    columns = {kind: [f"count_{o}" for o in operations if f"count_{o}" in rows] for kind, operations in kinds.items()}
    return rows.assign(**{kind: rows[names].sum(axis=1) if names else np.nan for kind, names in columns.items()})


def compute_run_endpoints(run: Columns, optimum: float, random_median: float, declared: Declared) -> dict[str, Any]:
    """The endpoints of one run, whose rows are in the order of its epochs; one of them has an error at least."""
    error = run["error_pct"]
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
        "above-random": anytime.find_onset_above_random(error, random_median),
        "parameter-free": anytime.find_onset_of_many(run["parameter_free"], declared.parameter_free),
        "skips": anytime.find_onset_of_many(run["skips"], declared.skips),
        "degraded": anytime.find_onset_degraded(error, declared.degraded),
    }
    told_by = {
        "above-random": error - random_median,
        "parameter-free": run["parameter_free"],
        "skips": run["skips"],
        "degraded": error,
    }[declared.failure]
    failed = float("nan") if np.isnan(told_by[-1]) else float(not np.isnan(onsets[declared.failure]))
    return row | {
        "area_regret": anytime.compute_area_under(error - base, run["epoch"]),
        "area_regret_seconds": anytime.compute_area_under(error - base, run["seconds"]),
        "degradation": anytime.compute_degradation(error),
        **{f"onset_{name.replace('-', '_')}": onset for name, onset in onsets.items()},
        "failed": failed,
    }


def compute_trial_noise(lookups: pd.DataFrame, epochs: pd.DataFrame, scale: Scale) -> float:
    """Twice the standard error of the table's mean over trials, percentage points: the median over the cells that the
    runs derived (that of one cell, from three trials, may be anything). NaN where the table does not tell its noise.

    Where the source gives its own mean the noise stays unknown: the distance between a mean and one of the trials in it
    is not a difference between two trials.

    Args:
        lookups: rows of one measure, one a trial.
        epochs: which architecture each is of.
    """
    errors = compute_mean_variances(select_means(lookups), epochs, scale) ** 0.5
    return 2 * float(errors.median()) if len(errors) else float("nan")


def compute_mean_variances(lookups: pd.DataFrame, epochs: pd.DataFrame, scale: Scale) -> pd.Series[float]:
    """The variance of the table's mean over trials of every derived architecture of which several are known; arguments
    as of `compute_trial_noise`."""
    import pandas as pd

    keys, derived = ["method", "seed", "epoch"], epochs.dropna(subset=["architecture"])
    # by number, as the texts of every trial would be the largest column of all
    numbers, named = pd.factorize(derived["architecture"])
    cells = lookups[[*keys, "trial", scale.column]].merge(derived[keys].assign(architecture=numbers), on=keys)
    trials = cells.drop_duplicates(["architecture", "trial"]).groupby("architecture")[scale.column]
    variances = (trials.var(ddof=1) / trials.count())[trials.count() > 1]
    return variances.set_axis(named[variances.index])
