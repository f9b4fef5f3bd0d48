"""The stability gate: are the runs of today those of the baseline, up to a stated margin?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, ValidationError

from harness.core.arguments import spell_argument
from harness.core.errors import HarnessError, suggest_names
from harness.core.registry import explain
from harness.core.settings import Settings
from harness.core.text import round_p
from harness.results.endpoints import compute_run_endpoints, count_operations, extract_columns
from harness.results.runs import Runs
from harness.runs.preregistration import Declared
from harness.spaces.base import Space
from harness.stats.intervals import Floats, rate
from harness.stats.shares import Shares, compute_p_beyond, compute_p_within
from harness.stats.tests import (
    adjust_holm,
    compare_signed_rank,
    compute_smallest_rank_sum_p,
    compute_smallest_signed_rank_p,
    rank_sum,
)
from harness.verdicts.baseline import check_same_measure, find_differences, select_baseline_rows

if TYPE_CHECKING:
    import pandas as pd

OPTIONS = {
    "error": "final error",
    "tail": "runs beyond the worst",
    "failure": "failures",
    "onset": "collapse onset",
    "eigenvalue": "log eigenvalue",
}
"""What may be asked of --only, and what each quantity is called; each but the tail has a margin of its own."""
State = Literal["stable", "moved", "inconclusive", "too few"]
Reach = Callable[[int], tuple[float, float]]
"""The smallest p that a number of runs on both sides can give, of within the margin and of beyond it."""
SHARE_OF_EPOCHS = 0.25
"""The margin of the collapse's epoch, where none is said."""


class Margins(Settings):
    """What may change. error: final error, percentage points; failure: share of collapsed runs, and of runs whose
    error is higher than the baseline's worst by more than `error`; onset: epochs until collapse (a quarter of a run's
    epochs, if not said); eigenvalue: factor by which the last dominant eigenvalue may grow or shrink (where it was
    measured)."""

    error: float = Field(2.0, gt=0)
    failure: float = Field(0.3, gt=0, lt=1)
    onset: float | None = Field(None, gt=0)
    eigenvalue: float = Field(2.0, gt=1)
    level: float = Field(0.05, gt=0, lt=0.5)


def build_margins(given: Mapping[str, float | None]) -> Margins:
    """Margins by name; those that are None are the default's."""
    try:
        return Margins.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        raise HarnessError(explain(error, "the gate", Margins.model_fields)) from None


@dataclass(frozen=True)
class GateCheck:
    """One quantity of one method. moved, equivalent: p-values of beyond the margin, and of within it. runs: on the
    smaller side. reach: what so many runs can show at best. needs: the runs a side from which both could be shown.
    lacking: what of the baseline is not there, so that nothing is shown to be stable."""

    method: str
    quantity: str
    baseline: str
    today: str
    margin: str
    moved: float
    equivalent: float
    runs: int
    reach: Reach
    needs: int = 0
    state: State = "inconclusive"
    identical: bool = False
    lacking: str = ""

    def row(self) -> dict[str, object]:
        """The columns that a terminal or a page has room for."""
        told = {"p moved": round_p(self.moved, 2), "p stable": round_p(self.equivalent, 2)}
        return self.numbers() | told

    def numbers(self) -> dict[str, object]:
        """The row of a terminal with every p as a number, for JSON and CSV."""
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
        if self.state != "too few":
            return self.state
        return f"too few runs: {self.lacking or f'{self.runs}, needs {self.needs}'}"


def gate(today: Runs, baseline: pd.DataFrame, margins: Margins, only: Sequence[str] = ()) -> list[GateCheck]:
    """Every quantity of every method of the baseline.

    Args:
        only: names of methods or quantities (as checks call them, or as their options are called); none: all.

    Returns:
        Checks. Stable: the rows of the method's runs are the same to the last bit, or two one-sided tests show that
        the quantity is within its margin (Schuirmann 1987), and every run of the baseline is there again. Moved: it is
        beyond the margin, Holm over all checks. Too few: a run of the baseline is not there, or so many could not show
        both, whatever they give. Inconclusive: none of these. Where the two sides have seeds in common the baseline's
        seeds are compared, each with itself; else all runs of both.

    Raises:
        HarnessError: a method of the baseline has no run, a margin is so wide that nothing could be beyond it, or runs
            share what they draw.
    """
    if today.design and today.design.varied:
        raise HarnessError(f"a gate is of runs that differ in their seeds, and these share draws ({today.design.told})")
    now = select_baseline_rows(today)
    check_same_measure(now, baseline)
    baseline = select_methods(baseline, only)
    missing = [m for m in baseline["method"].unique() if m not in set(now["method"])]
    if missing:
        raise HarnessError(
            f"no finished run of the baseline's {missing[0]!r}: {suggest_names(missing[0], now['method'].unique())}"
        )
    check_margins(margins, baseline, today)
    methods = baseline["method"].unique()
    tests = [
        check
        for method in methods
        for check in check_method(method, now, baseline, margins, declared=today.declared, space=today.space)
    ]
    tests = select_checks(tests, only)
    adjusted = adjust_holm([t.moved for t in tests])
    return [judge_check(t, p, margins.level, len(tests)) for t, p in zip(tests, adjusted, strict=True)]


def select_methods(baseline: pd.DataFrame, only: Sequence[str]) -> pd.DataFrame:
    """The rows of the methods that are among these names; all, where none is."""
    wanted = set(only) & set(baseline["method"])
    return baseline[baseline["method"].isin(wanted)] if wanted else baseline


def list_unchecked(today: Runs, baseline: pd.DataFrame, only: Sequence[str]) -> list[str]:
    """What the checks do not look at, a line each: methods and seeds of one side alone."""
    told = []
    looked_at = select_methods(baseline, only)
    if others := set(baseline["method"]) - set(looked_at["method"]):
        told.append(f"not checked: {', '.join(sorted(others))} ({spell_argument('only')})")
    if new := [m for m in today.epochs["method"].unique() if m not in set(baseline["method"])]:
        told.append(f"not checked: {', '.join(new)}, of which the baseline has no run")
    for method, rows in looked_at.groupby("method", sort=False):
        before, now = (set(side["seed"]) for side in (rows, today.epochs[today.epochs["method"] == method]))
        if now and not before & now:
            told.append(f"{method}: no seed of the baseline is there, so all runs of both sides are compared")
        elif new_seeds := sorted(now - before):
            told.append(f"not checked: {method} seed {', '.join(map(str, new_seeds))}, which the baseline lacks")
    return told


def check_margins(margins: Margins, baseline: pd.DataFrame, today: Runs) -> None:
    """Refuse margins that nothing can be beyond."""
    epochs = int(baseline["epoch"].max())
    if margins.onset is not None and margins.onset >= epochs:
        raise HarnessError(
            f"{spell_argument('onset', margins.onset)} can never be exceeded by runs of {epochs} epochs: give fewer "
            f"than {epochs}"
        )
    if today.table is None or not today.table.complete:
        errors = np.array([0.0, 100.0 if today.scale.higher else np.inf])
    else:
        errors = today.scale.error_of(today.table.row_values(today.table.test))
    span = float(np.nanmax(errors) - np.nanmin(errors))
    if margins.error >= span:
        raise HarnessError(
            f"{spell_argument('error', margins.error)} can never be exceeded: all errors are within {span:.4g} points"
        )


def check_method(
    method: str,
    now: pd.DataFrame,
    baseline: pd.DataFrame,
    margins: Margins,
    *,
    declared: Declared,
    space: Space | None,
) -> list[GateCheck]:
    """The checks of one method, each by itself."""
    sides = [rows[rows["method"] == method] for rows in (baseline, now)]
    paired = bool(set(sides[0]["seed"]) & set(sides[1]["seed"]))
    if paired:
        sides[1] = sides[1][sides[1]["seed"].isin(sides[0]["seed"])]
    runs = [compute_quantities(rows, declared, space) for rows in sides]
    lacking = describe_lacking_runs(sides, runs, paired=paired)
    if paired:
        common = runs[0].index.intersection(runs[1].index)
        runs = [side.loc[common] for side in runs]
    for side, what in zip(runs, ("the baseline", "today's runs"), strict=True):
        if side.empty:
            raise HarnessError(f"{what} have no run of {method!r} with a value after its last epoch")
    before, after = runs
    onset = margins.onset or max(1.0, SHARE_OF_EPOCHS * float(baseline["epoch"].max()))
    sizes = {"error": margins.error}
    known = "failed" in before and "failed" in after
    if known:
        sizes["onset"] = onset
    if "eigenvalue" in before and "eigenvalue" in after:
        sizes["eigenvalue"] = float(np.log(margins.eigenvalue))
    columns = {name: (before[name].to_numpy(), after[name].to_numpy()) for name in [*sizes, *["failed"] * known]}
    tests = [shift(method, OPTIONS[name], *columns[name], margin=size, paired=paired) for name, size in sizes.items()]
    # the margin of an eigenvalue is given, and told, as a factor
    told = f"factor {margins.eigenvalue:g}"
    tests = [replace(t, margin=told) if t.quantity == OPTIONS["eigenvalue"] else t for t in tests]
    tests.append(check_tail(method, *columns["error"], margins))
    if known:
        tests.append(check_rates(method, *columns["failed"], margins, paired=paired))
    identical = paired and not lacking and not find_differences(sides[1], sides[0])
    return [replace(t, identical=identical, lacking=lacking) for t in tests]


def describe_lacking_runs(sides: Sequence[pd.DataFrame], runs: Sequence[pd.DataFrame], *, paired: bool) -> str:
    """Which runs of the baseline are not there today, or have no value on a side; nothing where all are."""
    told = []
    for rows, side, when in zip(sides, runs, ("in the baseline", "today"), strict=True):
        if absent := sorted(set(rows["seed"]) - set(side.index)):
            told.append(f"seed {', '.join(map(str, absent))} has no value after its last epoch {when}")
    if paired and (absent := sorted(set(sides[0]["seed"]) - set(sides[1]["seed"]))):
        told.append(f"seed {', '.join(map(str, absent))} of the baseline is missing")
    elif not paired and (fewer := sides[0]["seed"].nunique() - sides[1]["seed"].nunique()) > 0:
        told.append(f"{fewer} fewer than in the baseline")
    return "; ".join(told)


def select_checks(checks: list[GateCheck], only: Sequence[str]) -> list[GateCheck]:
    """The checks of these quantities, of methods that were chosen before (`select_methods`)."""
    wanted = {OPTIONS.get(name, name) for name in only}
    known = {c.method for c in checks} | {c.quantity for c in checks}
    if unknown := sorted(wanted - known - set(OPTIONS.values())):
        raise HarnessError(
            f"{spell_argument('only', unknown[0])} is no method or quantity here: {suggest_names(unknown[0], known)}"
        )
    quantities = wanted - {c.method for c in checks}
    found = [c for c in checks if not quantities or c.quantity in quantities]
    if not found:
        raise HarnessError(
            f"{', '.join(spell_argument('only', name) for name in only)}: these runs have no such quantity; they have "
            f"{', '.join(sorted(known))}"
        )
    return found


def compute_quantities(rows: pd.DataFrame, declared: Declared, space: Space | None) -> pd.DataFrame:
    """Of every run, by seed: final error, whether it failed and the epoch of its collapse where its rule can tell, and,
    where it was measured in all of them, the logarithm of its last dominant eigenvalue. Runs without an error after
    the method's last epoch are left out."""
    import pandas as pd

    found = {}
    rows = count_operations(rows, space)
    last = rows["epoch"].max()
    for seed, run in rows.sort_values("epoch").groupby("seed"):
        if run["epoch"].iloc[-1] < last or np.isnan(run["error_pct"].iloc[-1]):
            continue
        ends = compute_run_endpoints(
            extract_columns(run), run["optimum"].iloc[0], run["random_median"].iloc[0], declared
        )
        onset = ends[f"onset_{declared.failure.replace('-', '_')}"]
        found[seed] = {
            "error": ends["final_error_pct"],
            "failed": ends["failed"],
            "onset": len(run) if np.isnan(onset) else onset,  # none: as if right after the last epoch
        }
        measured = run["hessian_largest"].dropna().tolist() if "hessian_largest" in run else []
        if measured:
            found[seed]["eigenvalue"] = float(np.log(max(measured[-1], 1e-12)))
    return pd.DataFrame.from_dict(found, orient="index").dropna(axis="columns")


def shift(
    method: str, quantity: str, before: Floats, after: Floats, *, margin: float, paired: bool = False
) -> GateCheck:
    """Rank tests of today's values, moved by the margin, against the baseline's: signed ranks if paired."""
    test = compare_signed_rank if paired else rank_sum
    above, below = test(after - margin, before), test(after + margin, before)

    def reach(n: int) -> tuple[float, float]:
        smallest = compute_smallest_signed_rank_p(n) if paired else compute_smallest_rank_sum_p(n, n)
        return smallest / 2, smallest

    return GateCheck(
        method,
        quantity,
        describe_middle(before),
        describe_middle(after),
        f"{margin:g}",
        min(1.0, 2 * min(above.greater, below.less)),
        max(above.less, below.greater),
        runs=min(len(before), len(after)),
        reach=reach,
    )


def check_tail(method: str, before: Floats, after: Floats, margins: Margins) -> GateCheck:
    """The share of today's runs whose error is higher than the baseline's worst by more than its margin: a median does
    not feel the few runs that end far away."""
    beyond, n = int((after > before.max() + margins.error).sum()), len(after)
    most = margins.failure
    return GateCheck(
        method,
        OPTIONS["tail"],
        f"0/{len(before)}",
        f"{beyond}/{n}",
        f"{most:g}",
        find_smallest_level(lambda level: rate(beyond, n, level).low > most),
        find_smallest_level(lambda level: rate(beyond, n, 2 * level).high <= most),
        runs=min(len(before), n),
        reach=lambda runs: ((1 - most) ** runs, 2 * most**runs),
    )


def check_rates(method: str, before: Floats, after: Floats, margins: Margins, *, paired: bool = False) -> GateCheck:
    """The difference in failure rates, exactly: within the margin, or beyond. If paired, of the runs that changed."""
    n, m, most = len(after), len(before), margins.failure
    new, base = int(after.sum()), int(before.sum())
    worse, better = int((after > before).sum()) if paired else new, int((after < before).sum()) if paired else base
    seen = Shares(worse, n, better, m, paired)
    return GateCheck(
        method,
        OPTIONS["failure"],
        f"{base}/{m}",
        f"{new}/{n}",
        f"{most:g}",
        compute_p_beyond(seen, most),
        compute_p_within(seen, most),
        runs=min(n, m),
        reach=lambda runs: (
            compute_p_within(Shares(0, runs, 0, runs, paired), most),
            compute_p_beyond(Shares(runs, runs, 0, runs, paired), most),
        ),
    )


def find_smallest_level(shows: Callable[[float], bool]) -> float:
    """The smallest level at which an interval shows something, by bisection: its p-value; 1 if it never does."""
    low, high = 0.0, 0.4999
    if not shows(high):
        return 1.0
    for _ in range(30):
        middle_ = (low + high) / 2
        low, high = (low, middle_) if shows(middle_) else (middle_, high)
    return high


def judge_check(check: GateCheck, p_moved: float, level: float, checks: int) -> GateCheck:
    """The check with its state. p_moved: corrected for so many checks."""
    needs = next(n for n in count(2) if (best := check.reach(n))[0] <= level and checks * best[1] <= level)
    state: State = "inconclusive"
    if check.identical or (check.equivalent <= level and not check.lacking):
        state = "stable"
    elif p_moved <= level:
        state = "moved"
    elif check.lacking or check.runs < needs:
        state = "too few"
    return replace(check, moved=p_moved, state=state, needs=needs)


def describe_middle(values: Floats) -> str:
    return f"{np.median(values):.3g}"


def judge_overall(checks: Sequence[GateCheck]) -> State:
    """Moved if anything has; stable only if everything is; too few where that holds of any other."""
    order: tuple[State, ...] = ("moved", "too few", "inconclusive", "stable")
    return next(state for state in order if any(c.state == state for c in checks))


def summarize_checks(checks: Sequence[GateCheck]) -> str:
    """What the checks say together, and what to do."""
    state = judge_overall(checks)
    those = [c for c in checks if c.state == state]
    told = "; ".join(f"{c.method}: {c.quantity}" for c in those)
    if state == "stable":
        if all(c.identical for c in checks):
            checked = ", ".join(dict.fromkeys(c.method for c in checks))
            return f"stable: identical: every row of the baseline's runs of {checked} is there again, to the last bit"
        return "stable: every quantity is shown to be within its margin"
    if state == "moved":
        return f"MOVED beyond the margin: {told}"
    if state == "inconclusive":
        return (
            f"inconclusive: neither moved nor stable is shown of {told}. The runs differ too much among themselves: "
            "more seeds on both sides would tell, or a wider margin"
        )
    lacking = dict.fromkeys(f"{c.method}: {c.lacking}" for c in those if c.lacking)
    if lacking:
        return f"too few runs: {'; '.join(lacking)}: run what is missing, nothing is stable without it"
    return f"too few runs: {describe_needs(those)}. Run them, and write the baseline anew with as many"


def describe_needs(checks: Sequence[GateCheck]) -> str:
    """How many seeds each quantity needs."""
    needs = {c.quantity: c.needs for c in checks}
    each = ", ".join(f"{quantity} needs {n}" for quantity, n in needs.items())
    most = max(needs.values())
    needed = spell_argument("seeds", f"0..{most - 1}")
    return f"{each} seeds a method, on both sides, before both answers can be given ({needed})"


def warn_of_few(runs: Runs, margins: Margins) -> str:
    """What a baseline of these runs could not answer, and how many seeds could; nothing where it can."""
    checks = gate(runs, select_baseline_rows(runs), margins)
    few = [c for c in checks if c.runs < c.needs]
    return f"{min(c.runs for c in few)} seeds are too few for every answer: {describe_needs(few)}" if few else ""
