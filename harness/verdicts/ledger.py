"""The ledger of a method's spread: which of its draws make how much of it, and what to repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np

from harness.core.errors import HarnessError
from harness.results.endpoints import Endpoints, compute_mean_variances
from harness.results.frames import select_measure
from harness.results.runs import Runs
from harness.runs.preregistration import Declared
from harness.runs.randomness import SEED, Design
from harness.stats.components import NOT_KNOWN, Parts, VariancePart, estimate_crossed, estimate_one_at_a_time
from harness.stats.intervals import Floats, Interval
from harness.tables.measure import ACCURACY, Measure, Scale
from harness.verdicts.compare import describe_left_out

TOGETHER = "together"
"""What two or more kinds of draws have together, and none alone."""
TRIALS = "table trials"
"""What of that is the table's own: an architecture was trained a few times, and its error is their mean."""
DRAWS = 2000
TITLES = {SEED: "the rest (seed)", "implementation": "sums (implementation)", "threads": "sums (threads)"}
NO_PART = VariancePart(*[Interval(0.0, 0.0, 0.0)] * 4)
"""Of a factor at whose levels no run differs."""
NOTHING = Parts({}, NO_PART, NO_PART.whole, normal=True)
"""Where no run differs from another."""


@dataclass(frozen=True)
class Ledger:
    """What the endpoint of one method's runs varies by.

    parts: by factor. together: of crossed factors, None of others. total: variance of a run that draws everything anew;
    of factors that were varied one at a time, the sum of their parts. trials: the variance of the table's mean over
    trials, which is in `together`; NaN where the table has one trial. idle: factors at whose levels no run differs.
    normal: whether effects are taken for normal.
    """

    method: str
    design: Design
    n: int
    parts: Mapping[str, VariancePart]
    together: VariancePart | None
    total: Interval
    trials: Interval
    idle: tuple[str, ...]
    normal: bool
    scale: Scale = ACCURACY

    @property
    def stack(self) -> dict[str, float]:
        """Shares that add up to one, the table's trials apart where they are known; all zero where no run differs."""
        found = {name: part.share.estimate for name, part in self.parts.items()}
        if self.together is None:
            return found
        both, variance = self.together.share.estimate, self.together.alone.estimate
        if isnan(self.trials.estimate):
            return found | {TOGETHER: both}
        trials = both * min(1.0, self.trials.estimate / variance) if variance else 0.0
        return found | {TOGETHER: both - trials, TRIALS: trials}

    @property
    def unit(self) -> str:
        """Of a standard deviation."""
        return self.scale.difference or self.scale.error

    @property
    def verdict(self) -> str:
        """What the spread is made of, and what to repeat."""
        if not self.total.estimate and not any(self.stack.values()):
            return f"{self.method}: no run differs from another"
        spread = f"{self.method}: standard deviation {self.total.estimate**0.5:.3g} {self.unit}"
        if self.together is None:
            spread = f"{self.method}: variances around a seed, which overlap where kinds act together"
        told = [f"{name_of(name)} {100 * share:.0f} %" for name, share in self.stack.items() if share >= LEAST]
        parts = [f"{spread}: {', '.join(told)}", self.advice]
        if self.idle:
            parts.append(f"idle: {', '.join(map(name_of, self.idle))}")
        if not self.normal:
            parts.append("effects are not normal, and intervals rough")
        return "; ".join(filter(None, parts))

    @property
    def advice(self) -> str:
        """What a second draw of each factor is worth."""
        falls = {name: part.falls.estimate for name, part in self.parts.items() if name not in self.idle}
        if self.together is None or not falls:
            return ""
        order = sorted(falls, key=lambda name: -falls[name])
        told = ", ".join(f"of {name_of(name)} {100 * falls[name]:.0f} %" for name in order)
        best, least = order[0], order[-1]
        worth = ""
        if len(order) > 1 and falls[least] >= LEAST and not self.says_nothing:
            worth = f", so one of {name_of(best)} is worth {falls[best] / falls[least]:.1f} of {name_of(least)}"
        return f"a second draw, averaged, takes off the variance: of all 50 %, {told}{worth}"

    @property
    def says_nothing(self) -> bool:
        """Whether every share may be anything from nothing to all, as of two levels of two factors."""
        shares = [part.share for name, part in self.parts.items() if name not in self.idle]
        return all(share.low < LEAST and share.high > 1 - LEAST for share in shares)

    def row(self) -> dict[str, object]:
        """The columns that a terminal or a page has room for: shares in % with intervals."""
        row: dict[str, object] = {"method": self.method, "n": self.n}
        if self.together is not None:
            row[f"sd ({self.unit})"] = format_interval([end**0.5 for end in self.total], 1)
        for name, part in self.parts.items():
            row[f"{name_of(name)} (%)"] = (
                "idle" if name in self.idle else format_interval([100 * end for end in part.share])
            )
        if self.together is not None:
            row[f"{TOGETHER} (%)"] = format_interval([100 * end for end in self.together.share])
            known = not isnan(self.trials.estimate)
            row[f"of it {TRIALS} (%)"] = f"{100 * self.stack[TRIALS]:.0f}" if known else "-"
        return row

    def numbers(self) -> list[dict[str, object]]:
        """One row a part, one number a column: variances in squares of the scale's unit."""
        parts = dict(self.parts) | ({TOGETHER: self.together} if self.together else {})
        parts[TRIALS] = VariancePart(self.trials, NOT_KNOWN, NOT_KNOWN, NOT_KNOWN)
        parts["total"] = VariancePart(NOT_KNOWN, self.total, NOT_KNOWN, NOT_KNOWN)
        rows: list[dict[str, object]] = []
        for name, part in parts.items():
            row: dict[str, object] = {"method": self.method, "n": self.n, "design": self.design.kind, "part": name}
            for what, (estimate, low, high) in vars(part).items():
                row |= {what: estimate, f"{what}_low": low, f"{what}_high": high}
            rows.append(row | {"idle": name in self.idle, "normal": self.normal})
        return rows


LEAST = 0.005
"""The least share that is told."""


def format_interval(ends: Sequence[float], digits: int = 0) -> str:
    """A number with its interval: 31 [12, 55]."""
    estimate, low, high = (f"{end:.{digits}f}" for end in ends)
    return f"{estimate} [{low}, {high}]"


def name_of(factor: str) -> str:
    """A factor in words."""
    return TITLES.get(factor, factor)


def compute_ledgers(runs: Runs, measure: Measure | None = None) -> list[Ledger]:
    """The ledger of every method of a study that varies kinds of draws by themselves.

    Args:
        runs: the finished ones of the study, whose comparison says the endpoint, and the level of the intervals.
        measure: of the table; its test, if none is named.

    Raises:
        HarnessError: nothing varies by itself, or a run of the design has no value.
    """
    design = runs.design
    if design is None or not design.varied:
        raise HarnessError(
            "nothing here varies by itself: a ledger needs a study with [randomness], such as weights = "
            '"0..4" and order = "0..4", of which `harness plan` shows the runs'
        )
    ends = runs.endpoints(measure)
    noise = collect_trial_variances(runs, measure or (runs.table.test if runs.table else None))
    return [compute_ledger(ends, runs.declared, design, method, noise) for method in ends.methods]


def compute_ledger(
    ends: Endpoints, declared: Declared, design: Design, method: str, noise: Mapping[str, float]
) -> Ledger:
    """The ledger of one method. noise: see `collect_trial_variances`."""
    values = ends.by_seed(method, declared.endpoint)
    missing = [point for point in design.points if point.number not in values]
    if missing:
        absent = ends.absent(method, declared.endpoint)
        why = f": {describe_left_out(absent[:3])}" if absent else ""
        raise HarnessError(
            f"{len(missing)} of {len(design.points)} runs of {method}'s design are not there, or have no value (the "
            f"first: point {missing[0].number}{why}): a ledger needs all of them, harness run computes what is missing"
        )
    sets = group_around(design, values)
    idle = tuple(name for name, groups in sets.items() if all(np.ptp(group) == 0 for group in groups))
    if design.kind == "crossed":
        active = [factor for factor in design.factors if factor not in idle]
        parts = estimate_crossed(lay_out(design, active, values), active, declared.level) if active else NOTHING
        by_factor = {factor: parts.factors.get(factor, NO_PART) for factor in design.factors}
        together, total, normal = parts.together, parts.total, parts.normal
    else:
        by_factor, normal = estimate_one_at_a_time(sets, declared.level)
        together, total = None, Interval(sum(p.whole.estimate for p in by_factor.values()), *NOT_KNOWN[1:])
    return Ledger(
        method=method,
        design=design,
        n=len(design.points),
        parts=by_factor,
        together=together,
        total=total,
        trials=estimate_trials(ends, declared, method, noise),
        idle=idle,
        normal=normal,
        scale=ends.scale,
    )


def lay_out(design: Design, factors: Sequence[str], values: Mapping[int, float]) -> Floats:
    """The values of a crossed design, an axis a factor; at the first level of all others, which change none."""
    levels = {factor: list(dict.fromkeys(p.level(factor) for p in design.points)) for factor in factors}
    found = np.full([len(own) for own in levels.values()], np.nan)
    for point in reversed(design.points):
        found[tuple(own.index(point.level(factor)) for factor, own in levels.items())] = values[point.number]
    return found


def group_around(design: Design, values: Mapping[int, float]) -> dict[str, list[list[float]]]:
    """Of each factor, the values at its levels where all else is the same, a list for each of the rest's levels."""
    found: dict[str, list[list[float]]] = {}
    for factor in design.factors if design.kind == "crossed" else design.varied:
        others = [f for f in (SEED, *design.varied) if f != factor]
        groups: dict[tuple[Any, ...], list[float]] = {}
        for point in design.points:
            groups.setdefault(tuple(point.level(f) for f in others), []).append(values[point.number])
        found[factor] = [group for group in groups.values() if len(group) > 1]
    return found


def write_caption(made: Sequence[Ledger], declared: Declared) -> str:
    """What stands under a table of ledgers."""
    design = made[0].design
    levels = {f: len({p.level(f) for p in design.points}) for f in design.factors}
    counts = ", ".join(f"{name_of(f)} {n}" for f, n in levels.items())
    what = (
        "parts of the variance, which add up: each kind alone, and what two or more have together"
        if design.kind == "crossed"
        else "variance around each seed, as shares of their sum, in which what two kinds have together is counted twice"
    )
    return (
        f"Endpoint {declared.endpoint}; levels: {counts}, {design.kind}; {what}. Estimates of an analysis of variance, "
        f"[intervals of {100 * (1 - declared.level):.0f} %]; a part that is estimated below zero is told as zero."
    )


def collect_trial_variances(runs: Runs, measure: Measure | None) -> dict[str, float]:
    """The variance of the table's mean over trials of every architecture of which several are known."""
    if runs.table is None or measure is None:
        return {}
    rows = select_measure(runs.lookups, measure)
    known = compute_mean_variances(rows[rows["trial"].str.isdigit()], runs.epochs, runs.scale)
    return {str(cell): float(variance) for cell, variance in known.items()}


def estimate_trials(ends: Endpoints, declared: Declared, method: str, noise: Mapping[str, float]) -> Interval:
    """The mean of these variances over the runs of a method, with an interval over the different architectures that
    they ended at; NaN where none is known, or the endpoint is no architecture's."""
    if declared.endpoint == "area":
        return NOT_KNOWN
    own = ends.runs[ends.runs["method"] == method][f"{declared.endpoint}_architecture"]
    times = Counter(cell for cell in own if cell in noise)
    if not times:
        return NOT_KNOWN
    variances, weights = np.array([noise[cell] for cell in times]), np.array(list(times.values()))
    again = np.random.default_rng(0).integers(len(weights), size=(DRAWS, len(weights)))
    drawn = (variances[again] * weights[again]).sum(axis=1) / weights[again].sum(axis=1)
    low, high = np.quantile(drawn, [declared.level / 2, 1 - declared.level / 2])
    return Interval(float(np.average(variances, weights=weights)), float(low), float(high))
