"""The stability gate: are the runs of today those of the baseline, up to a stated margin?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from harness.core.errors import HarnessError, did_you_mean
from harness.core.registry import explain
from harness.core.settings import Settings
from harness.core.text import rounded_p
from harness.results.endpoints import columns_of, of_run, parameter_free
from harness.results.frames import Results
from harness.runs.preregistration import Declared
from harness.spaces.base import Space
from harness.stats.intervals import Floats, Interval, changed_rates, rate_difference
from harness.stats.tests import holm, rank_sum, signed_rank, smallest_rank_sum_p, smallest_signed_rank_p
from harness.verdicts.baseline import baseline_rows, check_same_measure, differences_of

if TYPE_CHECKING:
    import pandas as pd

OPTIONS = {"error": "final error", "failure": "failures", "onset": "collapse onset", "eigenvalue": "log eigenvalue"}
"""The option of each quantity's margin, and what the quantity is called."""
State = Literal["stable", "moved", "inconclusive", "too few"]


class Margins(Settings):
    """What may change. error: final error, percentage points; failure: share of collapsed runs; onset: epochs until
    collapse; eigenvalue: factor by which the last dominant eigenvalue may grow or shrink (where it was measured)."""

    error: float = Field(2.0, gt=0)
    failure: float = Field(0.3, gt=0, le=1)
    onset: float = Field(10.0, gt=0)
    eigenvalue: float = Field(2.0, gt=1)
    level: float = Field(0.05, gt=0, lt=0.5)


def margins_of(given: Mapping[str, float | None]) -> Margins:
    """Margins by name; those that are None are the default's."""
    try:
        return Margins.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        raise HarnessError(explain(error, "the gate", Margins.model_fields)) from None


@dataclass(frozen=True)
class Check:
    """One quantity of one method. moved, equivalent: p-values of beyond the margin, and of within it. needs: the runs
    a side from which it could be shown to be stable at all."""

    method: str
    quantity: str
    baseline: str
    today: str
    margin: str
    moved: float
    equivalent: float
    runs: int
    needs: int
    state: State = "inconclusive"
    identical: bool = False

    def row(self) -> dict[str, object]:
        """What a page has room for."""
        told = {"p moved": rounded_p(self.moved, 2), "p stable": rounded_p(self.equivalent, 2)}
        return self.numbers() | told

    def numbers(self) -> dict[str, object]:
        """The same, with every p a number."""
        return {
            "method": self.method,
            "quantity": f"{self.quantity} (margin {self.margin})",
            "before": self.baseline,
            "today": self.today,
            "p moved": self.moved,
            "p stable": self.equivalent,
            "verdict": self.verdict,
        }

    @property
    def verdict(self) -> str:
        if self.identical:
            return "stable: identical"
        return f"too few runs: {self.runs}, needs {self.needs}" if self.state == "too few" else self.state


def gate(
    today: Results, baseline: pd.DataFrame, margins: Margins, declared: Declared, only: Sequence[str] = ()
) -> list[Check]:
    """Every quantity of every method of the baseline.

    Args:
        only: names of methods or quantities (as checks call them, or as their margins are called); none: all.

    Returns:
        Checks. Stable: the rows of the method's runs are the same to the last bit, or two one-sided tests show that
        the quantity is within its margin (Schuirmann 1987). Moved: the shift is beyond the margin, Holm over all
        checks. Too few: so many runs could show neither, whatever they give. Inconclusive: none of these. Runs are
        compared seed by seed where both sides have the same seeds.
    """
    now = baseline_rows(today)
    check_same_measure(now, baseline)
    missing = [m for m in baseline["method"].unique() if m not in set(now["method"])]
    if missing:
        raise HarnessError(
            f"no finished run of the baseline's {missing[0]!r}: {did_you_mean(missing[0], now['method'].unique())}"
        )
    tests: list[Check] = []
    level = margins.level
    for method in baseline["method"].unique():
        sides = [rows[rows["method"] == method] for rows in (baseline, now)]
        paired = set(sides[0]["seed"]) == set(sides[1]["seed"])
        before, after = (quantities(rows, declared, today.space) for rows in sides)
        sizes = {"error": margins.error}
        if before["failed"].any() or after["failed"].any():
            sizes["onset"] = margins.onset
        if "eigenvalue" in before and "eigenvalue" in after:
            sizes["eigenvalue"] = float(np.log(margins.eigenvalue))
        tests += [
            shift(method, OPTIONS[name], before[name], after[name], margin=size, level=level, paired=paired)
            for name, size in sizes.items()
        ]
        # the margin of an eigenvalue is given, and told, as a factor
        told = f"factor {margins.eigenvalue:g}"
        tests = [replace(t, margin=told) if t.quantity == OPTIONS["eigenvalue"] else t for t in tests]
        tests.append(rates(method, before["failed"], after["failed"], margins, paired=paired))
        if paired and not differences_of(sides[1], sides[0]):
            tests = [replace(t, identical=True) if t.method == method else t for t in tests]
    tests = chosen(tests, only)
    adjusted = holm([t.moved for t in tests])
    return [judged(t, p, margins.level) for t, p in zip(tests, adjusted, strict=True)]


def chosen(checks: list[Check], only: Sequence[str]) -> list[Check]:
    """The checks of these methods or quantities."""
    wanted = {OPTIONS.get(name, name) for name in only}
    known = {c.method for c in checks} | {c.quantity for c in checks}
    if unknown := sorted(wanted - known - set(OPTIONS.values())):
        raise HarnessError(f"--only {unknown[0]!r} is no method or quantity here: {did_you_mean(unknown[0], known)}")
    methods = wanted & {c.method for c in checks}
    quantities = wanted - methods
    found = [c for c in checks if (not methods or c.method in methods) and (not quantities or c.quantity in quantities)]
    if not found:
        raise HarnessError(
            f"--only {', '.join(only)}: these runs have no such quantity; they have {', '.join(sorted(known))}"
        )
    return found


def quantities(rows: pd.DataFrame, declared: Declared, space: Space | None) -> dict[str, Floats]:
    """Of every run: final error, whether it failed, the epoch of its collapse, and, where it was measured in all of
    them, the logarithm of its last dominant eigenvalue."""
    found = []
    rows = rows.assign(parameter_free=parameter_free(rows, space))
    for _, run in rows.sort_values("epoch").groupby("seed"):
        ends = of_run(columns_of(run), run["optimum"].iloc[0], run["random_median"].iloc[0], declared)
        onset = ends[f"onset_{declared.failure.replace('-', '_')}"]
        row = {
            "error": ends["final_error_pct"],
            "failed": float(ends["failed"]),
            "onset": len(run) if np.isnan(onset) else onset,  # none: as if right after the last epoch
        }
        measured = run["hessian_largest"].dropna().tolist() if "hessian_largest" in run else []
        if measured:
            row["eigenvalue"] = float(np.log(max(measured[-1], 1e-12)))
        found.append(row)
    shared = [key for key in found[0] if all(key in row for row in found)]
    return {key: np.array([row[key] for row in found]) for key in shared}


def shift(
    method: str, quantity: str, before: Floats, after: Floats, *, margin: float, level: float, paired: bool = False
) -> Check:
    """Rank tests of today's values, moved by the margin, against the baseline's: signed ranks if paired."""
    test = signed_rank if paired else rank_sum
    above, below = test(after - margin, before), test(after + margin, before)
    smallest = smallest_signed_rank_p if paired else (lambda n: smallest_rank_sum_p(n, n))
    return Check(
        method,
        quantity,
        middle(before),
        middle(after),
        f"{margin:g}",
        min(1.0, 2 * min(above.greater, below.less)),
        max(above.less, below.greater),
        runs=min(len(before), len(after)),
        needs=next(n for n in count(1) if smallest(n) / 2 <= level),
    )


def rates(method: str, before: Floats, after: Floats, margins: Margins, *, paired: bool = False) -> Check:
    """Intervals of the difference in failure rates: within the margin, or beyond it. Newcombe's, or if paired that of
    the runs that changed."""
    counts = (int(after.sum()), len(after)), (int(before.sum()), len(before))
    more, fewer = int((after > before).sum()) if paired else 0, int((after < before).sum()) if paired else 0

    def interval(level: float) -> Interval:
        return changed_rates(more, fewer, len(after), level) if paired else rate_difference(*counts, level)

    def beyond(level: float) -> bool:
        found = interval(level)
        return found.low > margins.failure or found.high < -margins.failure

    def within(level: float) -> bool:
        found = interval(2 * level)
        return -margins.failure <= found.low and found.high <= margins.failure

    def best(n: int) -> float:
        """The widest side of the interval where no run collapses, or none changes."""
        level = 2 * margins.level
        found = changed_rates(0, 0, n, level) if paired else rate_difference((0, n), (0, n), level)
        return max(abs(found.low), abs(found.high))

    return Check(
        method,
        "failures",
        "{}/{}".format(*counts[1]),
        "{}/{}".format(*counts[0]),
        f"{margins.failure:g}",
        smallest_level(beyond),
        smallest_level(within),
        runs=min(len(before), len(after)),
        needs=next(n for n in count(1) if best(n) <= margins.failure),
    )


def smallest_level(shows: Any) -> float:
    """The smallest level at which an interval shows something, by bisection: its p-value; 1 if it never does."""
    low, high = 0.0, 0.4999
    if not shows(high):
        return 1.0
    for _ in range(30):
        middle_ = (low + high) / 2
        low, high = (low, middle_) if shows(middle_) else (middle_, high)
    return high


def judged(check: Check, p_moved: float, level: float) -> Check:
    state: State = "too few" if check.runs < check.needs else "inconclusive"
    if check.identical or check.equivalent <= level:
        state = "stable"
    if not check.identical and p_moved <= level:
        state = "moved"
    return replace(check, moved=p_moved, state=state)


def middle(values: Floats) -> str:
    return f"{np.median(values):.3g}"


def overall(checks: list[Check]) -> State:
    """Moved if anything has; stable only if everything is; too few where that holds of any other."""
    order: tuple[State, ...] = ("moved", "too few", "inconclusive", "stable")
    return next(state for state in order if any(c.state == state for c in checks))


def summary(checks: list[Check]) -> str:
    """What the checks say together, and what to do."""
    state = overall(checks)
    told = "; ".join(f"{c.method}: {c.quantity}" for c in checks if c.state == state)
    if state == "stable":
        if all(c.identical for c in checks):
            return "stable: identical: every row of every run is that of the baseline, to the last bit"
        return "stable: every quantity is shown to be within its margin"
    if state == "moved":
        return f"MOVED beyond the margin: {told}"
    if state == "inconclusive":
        return (
            f"inconclusive: neither moved nor stable is shown of {told}. The runs differ too much among themselves: "
            "more seeds on both sides would tell, or a wider margin"
        )
    needed = max(c.needs for c in checks if c.state == state)
    few = {c.quantity: c.needs for c in checks if c.state == state}
    each = ", ".join(f"{quantity} needs {n}" for quantity, n in few.items())
    return (
        f"too few runs: {each} seeds a method, on both sides, before anything can be shown of it. Run them (--seeds "
        f"0..{needed - 1}), and write the baseline anew with as many"
    )
