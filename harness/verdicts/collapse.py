"""What counts as a collapsed run, and how often a cell that nobody searched for would count as one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.text import format_p
from harness.results.endpoints import Endpoints
from harness.results.runs import Runs
from harness.runs.preregistration import Declared
from harness.stats.intervals import compute_p_of_more, rate
from harness.stats.random_search import compute_chance_of_best
from harness.tables.measure import Measure
from harness.tables.table import Table

Flags = NDArray[np.bool_]


def describe_rule(declared: Declared, base: BaseRate | None = None) -> str:
    """What counts as collapsed, in words, with how often random cells do, where it is asked for and known."""
    rule = {
        "above-random": "worse than the table's median cell from some epoch to the end",
        "parameter-free": f"{declared.parameter_free} or more operations without parameters at the end",
        "skips": f"{declared.skips} or more skip connections at the end",
        "degraded": f"{declared.degraded:g} points or more above the run's own best at the end",
    }[declared.failure]
    return f"{rule}; so are {base.told()}" if base and base.told() else rule


@dataclass(frozen=True)
class BaseRate:
    """The share of random cells that the rule calls collapsed, and of what random search derives; NaN where unknown.
    of_runs: the first is of runs that derive a random cell at every epoch, since the rule looks back."""

    cells: float
    random_search: float = float("nan")
    of_runs: bool = False

    def told(self) -> str:
        """As a clause; empty where it is not known."""
        if np.isnan(self.cells):
            return ""
        if self.of_runs:
            return f"{100 * self.cells:.3g} % of runs that derive a random cell at every epoch"
        known = not np.isnan(self.random_search)
        return f"{100 * self.cells:.3g} % of random cells" + (
            f" and {100 * self.random_search:.3g} % of random searches" if known else ""
        )


UNKNOWN = BaseRate(float("nan"))


def compute_base_rate(runs: Runs, measure: Measure | None = None) -> BaseRate:
    """How often the declared rule calls a random cell collapsed, by all cells of the table that judged the runs, in the
    measure that judges (its test, if none is named)."""
    table, declared = runs.table, runs.declared
    if table is None or not table.knows_all(measure or table.test):
        return UNKNOWN
    measure = measure or table.test
    judged = runs.errors(measure).groupby(["method", "seed"])["error_pct"].count()
    epochs = int(judged.median())
    error = table.scale.error_of(table.row_values(measure))
    if declared.failure == "degraded":
        return BaseRate(compute_share_degraded(error, declared.degraded, epochs), of_runs=True)
    flags = find_collapsed_cells(table, declared, measure)
    if table.validation is None or not table.knows_all(table.validation) or epochs < 1:
        return BaseRate(float(flags.mean()))
    chance = compute_chance_of_best(-table.scale.places_of(table.row_values(table.validation)), epochs)
    return BaseRate(float(flags.mean()), float((chance * flags).sum()))


def find_collapsed_cells(table: Table, declared: Declared, measure: Measure) -> Flags:
    """Of every cell of a table, whether the rule calls it collapsed."""
    if declared.failure == "above-random":
        error = table.scale.error_of(table.row_values(measure))
        found: Flags = error > np.nanmedian(error)
        return found
    kinds, most = {
        "parameter-free": (table.space.parameter_free, declared.parameter_free),
        "skips": ((table.space.skip,), declared.skips),
    }[declared.failure]
    return count_in_cells(table, tuple(k for k in kinds if k)) >= most


def count_in_cells(table: Table, operations: tuple[str, ...]) -> NDArray[np.int_]:
    """How many operations of these every cell of a table has."""
    return _count_in_cells(table.folder.as_posix(), operations)


@cache
def _count_in_cells(folder: str, operations: tuple[str, ...]) -> NDArray[np.int_]:
    from harness.tables.catalog import open_table

    table = open_table(folder)
    cells = (table.space.parse(table.encoding(row)).operations for row in range(len(table)))
    return np.array([sum(o in operations for o in cell) for cell in cells])


def compute_share_degraded(error: Any, points: float, epochs: int) -> float:
    """The share of runs which, deriving a random cell at each of so many epochs, end so far above their best one."""
    ordered = np.sort(error[~np.isnan(error)])
    better_by = np.searchsorted(ordered, ordered - points, side="right") / len(ordered)
    return float((1 - (1 - better_by) ** (epochs - 1)).mean())


def describe_failures(found: Endpoints, method: str, base: BaseRate, level: float) -> str:
    """Collapsed runs of a method with the exact interval of their share, and how likely random cells are to give as
    many: 7/10 [0.35, 0.93], p = 0.25. Of the runs of which that is known."""
    failed, n = found.failures(method)
    if not n:
        return "not known"
    if found.varied:  # runs that share what they draw are not so many
        return f"{failed}/{n}"
    _, low, high = rate(failed, n, level)
    told = f"{failed}/{n} [{low:.2f}, {high:.2f}]"
    return told if np.isnan(base.cells) else f"{told}, {format_p(compute_p_of_more(failed, n, base.cells))}"
