"""Comparing the methods of a study with its baseline: effect, interval, exact test, and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np

from harness.core.errors import HarnessError, did_you_mean
from harness.core.seeds import derive_seed
from harness.core.text import rounded_p, told_p
from harness.results.endpoints import Endpoints
from harness.runs.apart import between
from harness.runs.preregistration import Declared, Endpoint
from harness.stats.effects import iqm, normalised_regret, probability_of_improvement
from harness.stats.intervals import Interval, difference, highest_rate_of_none, median, rate, rate_difference, single
from harness.stats.power import smallest_detectable
from harness.stats.rope import Rope, rope
from harness.stats.tests import (
    Test,
    holm,
    rank_sum,
    signed_rank,
    smallest_rank_sum_p,
    smallest_signed_rank_p,
)
from harness.tables.measure import ACCURACY, Scale

CERTAIN = 0.95
"""Posterior probability from which the ROPE's verdict is said."""
UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))
UNKNOWN_NOISE = 0.5
"""Percentage points that do not matter where the table has one trial, or only a mean, and so tells no noise."""


@dataclass(frozen=True)
class Pair:
    """One method against the baseline. Differences are new minus base, so below zero is better.

    points: median error, percentage points; normalised: interquartile mean of normalised regret. p_holm: adjusted
    over all pairs. rates: shares of failed runs, and their difference. apart: how the methods were trained otherwise,
    which every verdict says.
    """

    new: str
    base: str
    endpoint: Endpoint
    paired: bool
    test: Test
    p_holm: float
    level: float
    points: Interval
    normalised: Interval
    improvement: float
    practice: Rope
    width: float
    failures: tuple[tuple[int, int], tuple[int, int]]
    rates: Interval
    pairs: int
    apart: str = ""
    scale: Scale = ACCURACY

    @property
    def reachable(self) -> bool:
        """Whether these numbers of runs could show a difference at all."""
        return self.test.smallest * self.pairs <= self.level

    @property
    def verdict(self) -> str:
        return f"{self.finding}; {self.apart}" if self.apart else self.finding

    @property
    def finding(self) -> str:
        """What the numbers show, whatever the methods were trained with."""
        n = self.told_n
        if not self.reachable:
            among = f", among {self.pairs} comparisons {self.level / self.pairs:.3g}" if self.pairs > 1 else ""
            return (
                f"{self.new} against {self.base}: no claim: with {n} no difference, however large, can be significant "
                f"(the smallest p that they can give is {self.test.smallest:.3g}; it has to be {self.level:g} or less"
                f"{among}); run at least {self.seeds_for_any} seeds a method"
            )
        effect = (
            f"median difference {self.scale.told_difference(self.points.estimate)} "
            f"[{self.points.low:+.2f}, {self.points.high:+.2f}], "
            f"probability of improvement {self.improvement:.2f}, {told_p(self.p_holm)}"
        )
        if self.p_holm <= self.level:
            better = "lower" if self.improvement > 0.5 else "higher"
            return f"{self.new} has a {better} {self.scale.error} than {self.base}: {effect} ({n}){self.none_failed}"
        return f"{self.new} against {self.base}: no difference shown: {effect} ({n}){self.means}{self.none_failed}"

    @property
    def means(self) -> str:
        """What it means that no difference is shown: equality in practice, or that so few runs may miss one."""
        inside = -self.width <= self.points.low and self.points.high <= self.width
        if inside and self.practice.equivalent >= CERTAIN:
            return (
                f"; they are equivalent in practice: within {self.scale.told_width(self.width)} with probability "
                f"{self.practice.equivalent:.2f}"
            )
        seen = 100 * smallest_detectable(min(self.test.n), self.level / self.pairs)
        return (
            f"; that is no proof that there is none: to be noticed in four of five such studies, one method has to win "
            f"{seen:.0f} % of all pairings of runs"
        )

    @property
    def none_failed(self) -> str:
        """What it means that none of the new method's runs failed; nothing where one did."""
        failed, n = self.failures[0]
        if failed:
            return ""
        most = highest_rate_of_none(n, self.level)
        return f"; none of its {n} runs collapsed, which leaves a rate of up to {100 * most:.0f} % possible"

    @property
    def told_n(self) -> str:
        new, base = self.test.n
        return f"{new} pair{'s' * (new > 1)} of runs" if self.paired else f"{new} and {base} runs"

    @property
    def seeds_for_any(self) -> int:
        """The fewest seeds a method whose smallest p reaches the level over all pairs."""
        smallest = smallest_signed_rank_p if self.paired else (lambda n: smallest_rank_sum_p(n, n))
        return next(n for n in count(2) if smallest(n) * self.pairs <= self.level)

    def row(self) -> dict[str, object]:
        """What a page has room for."""
        (a, n), (b, m) = self.failures
        return {
            "method": self.new,
            "against": self.base,
            "n": f"{self.test.n[0]}" if self.paired else f"{self.test.n[0]}+{self.test.n[1]}",
            self.scale.difference_column: shown(self.points),
            "P(better)": round(self.improvement, 2),
            "p": rounded_p(self.p_holm),
            "failed": f"{a}/{n} vs {b}/{m}",
        }

    def numbers(self) -> dict[str, object]:
        """Everything, one number a column."""
        columns: dict[str, object] = {"method": self.new, "against": self.base, "endpoint": self.endpoint}
        columns |= {"paired": self.paired, "n": self.test.n[0], "n_against": self.test.n[1]}
        for name, interval in (("points", self.points), ("normalised", self.normalised), ("failed", self.rates)):
            columns |= {f"{name}_difference": interval.estimate}
            columns |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
        for name, (failed, n) in zip(("failed", "failed_against"), self.failures, strict=True):
            columns |= {name: failed / n}
        columns |= {"improvement": self.improvement, "cliffs_delta": 2 * self.improvement - 1}
        columns |= {"p": self.test.p, "p_holm": self.p_holm, "p_smallest": self.test.smallest, "level": self.level}
        columns |= {f"rope_{name}": value for name, value in self.practice._asdict().items()}
        return columns | {"rope_width": self.width, "verdict": self.verdict}


def shown(interval: Interval, sign: str = "+") -> str:
    estimate, low, high = (f"{value:{sign}.2f}" for value in interval)
    return f"{estimate} [{low}, {high}]"


def compare(found: Endpoints, declared: Declared, endpoint: Endpoint | None = None) -> list[Pair]:
    """Every pair that is declared, at an endpoint (the declared one)."""
    endpoint = endpoint or declared.primary
    named = declared_pairs(found, declared)
    same = all(found.seeds(new) == found.seeds(base) for new, base in named)
    if declared.paired and not same:
        raise HarnessError("paired = true needs the same finished seeds of both methods: run what is missing")
    paired = same if declared.paired is None else declared.paired
    test = signed_rank if paired else rank_sum
    tests = [test(found.values(new, endpoint), found.values(base, endpoint)) for new, base in named]
    adjusted = holm([t.p for t in tests])
    return [
        compare_two(found, declared, pair, endpoint=endpoint, test=t, p_holm=p, paired=paired, pairs=len(named))
        for pair, t, p in zip(named, tests, adjusted, strict=True)
    ]


def declared_pairs(found: Endpoints, declared: Declared) -> list[tuple[str, str]]:
    """The pairs (new, base) to compare, all of which have finished runs."""
    methods = list(found.runs["method"].unique())
    base = declared.baseline or methods[0]
    pairs = list(declared.pairs) or [(m, base) for m in methods if m != base]
    for name in [base, *(m for pair in pairs for m in pair)]:
        if name not in methods:
            raise HarnessError(f"there is no finished run of {name!r} to compare: {did_you_mean(name, methods)}")
    if not pairs:
        raise HarnessError(f"{base!r} is the only method with finished runs: there is nothing to compare it with")
    return pairs


def compare_two(
    found: Endpoints,
    declared: Declared,
    names: tuple[str, str],
    *,
    endpoint: Endpoint,
    test: Test,
    p_holm: float,
    paired: bool,
    pairs: int,
) -> Pair:
    """The card of one pair (new, base)."""
    new, base = names
    # a seed of its own for each pair, so that a report gives the same digits again
    rng = np.random.default_rng(derive_seed("compare", new, base, endpoint))
    (x, y), trials = found.coded(names, endpoint)
    values = found.values(new, endpoint), found.values(base, endpoint)
    width = declared.rope if declared.rope is not None else trial_noise(found)
    errors = trials + found.optimum if endpoint == "area" else trials
    scaled = normalised_regret(errors, found.optimum, found.random_median)
    failed = [found.runs[found.runs["method"] == m]["failed"] for m in names]
    counts = [(int(f.sum()), len(f)) for f in failed]
    return Pair(
        new=new,
        base=base,
        endpoint=endpoint,
        paired=paired,
        test=test,
        p_holm=p_holm,
        level=declared.level,
        points=difference(x, y, trials, median, rng, level=declared.level, paired=paired),
        normalised=UNKNOWN
        if np.isnan(found.optimum)
        else difference(x, y, scaled, iqm, rng, level=declared.level, paired=paired),
        improvement=probability_of_improvement(*values),
        practice=rope(*values, width, rng, paired=paired),
        width=width,
        failures=(counts[0], counts[1]),
        rates=rate_difference(counts[0], counts[1], declared.level),
        pairs=pairs,
        apart=between(found.settings, names),
        scale=found.scale,
    )


def describe(found: Endpoints, declared: Declared) -> list[dict[str, object]]:
    """One row a method, at the declared endpoint: median error and interquartile mean of normalised regret, with
    intervals over seeds and trials, and the rate of failures with its exact interval."""
    rows: list[dict[str, object]] = []
    for name in found.runs["method"].unique():
        rng = np.random.default_rng(derive_seed("describe", name, declared.primary))
        (codes,), trials = found.coded((name,), declared.primary)
        errors = trials + found.optimum if declared.primary == "area" else trials
        scaled = normalised_regret(errors, found.optimum, found.random_median)
        failed = found.runs[found.runs["method"] == name]["failed"]
        row: dict[str, object] = {"method": name, "n": len(codes)}
        what = found.scale.regret_axis if declared.primary == "area" else found.scale.axis
        row[what] = shown(single(codes, trials, median, rng, level=declared.level), sign="")
        if not np.isnan(found.optimum):
            row["normalised regret"] = shown(single(codes, scaled, iqm, rng, level=declared.level), sign="")
        row["collapsed"] = shown(rate(int(failed.sum()), len(failed), declared.level), sign="")
        rows.append(row)
    return rows


def trial_noise(found: Endpoints) -> float:
    """Twice the standard error of the table's mean over trials, percentage points: the median over the architectures
    that the runs derived (one architecture's, from three trials, may be anything)."""
    known = found.trials.notna().sum(axis=1)
    errors = (found.trials.std(axis=1, ddof=1) / known**0.5)[known > 1]
    return 2 * float(errors.median()) if len(errors) else UNKNOWN_NOISE
