"""Comparing the methods of a study with its baseline: one shift, its interval and test, and a sentence about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from harness.core.errors import HarnessError, suggest_names
from harness.core.text import format_p, round_p
from harness.results.endpoints import Endpoints
from harness.results.frames import LeftOut
from harness.runs.apart import describe_between
from harness.runs.preregistration import Declared, Endpoint
from harness.stats.blocks import shift_within_blocks
from harness.stats.effects import compute_a12, compute_iqm, normalize_regret
from harness.stats.intervals import Interval, estimate_median, estimate_quantile, rate, rate_difference
from harness.stats.sequential import estimate_sequential_shift
from harness.stats.shift import Shift, shift_of
from harness.stats.tests import compute_holm_multipliers, find_fewest_runs
from harness.tables.measure import ACCURACY, Scale
from harness.verdicts.collapse import BaseRate, describe_failures

State = Literal["lower", "higher", "equivalent", "open", "too few"]
"""What is shown of the error of one method against another's; open: nothing."""
Matched = tuple[Shift, tuple[LeftOut, ...]]
"""The shift between the runs of two methods that are compared, and the runs that are not."""
REGRET = "normalized regret (IQM)"
"""The column that tells it."""
MOST_TOLD = 1000
"""Runs beyond which it does not matter how many would be needed."""
CLEAR = 0.9
"""The share of comparisons that a method wins which is told to be worth noticing."""


@dataclass(frozen=True)
class Pair:
    """One method against the baseline. Shifts are new minus base, so below zero is better.

    shift: of the error, in the scale's unit. interval: of it, at the level divided by `multiplier`, which is what the
    correction for the number of pairs multiplies this p by; so it is without zero where the corrected p is at most the
    level. a12: the chance that a run of the new method beats one of the baseline, whatever their seeds, ties half.
    width: what does not matter in practice, NaN where nobody knows. failures: (failed, runs) of both. rates: the
    difference of their shares. left_out: runs that are not compared. apart: how the methods were trained otherwise.
    machines: how runs of several machines are compared. scale: what errors are of. exploratory: it is not what was
    declared, which its sentence says first.
    """

    new: str
    base: str
    endpoint: Endpoint
    shift: Shift
    interval: Interval
    multiplier: float
    level: float
    pairs: int
    a12: float
    width: float
    failures: tuple[tuple[int, int], tuple[int, int]]
    rates: Interval
    left_out: tuple[LeftOut, ...] = ()
    apart: str = ""
    machines: str = ""
    scale: Scale = ACCURACY
    exploratory: bool = False

    @property
    def paired(self) -> bool:
        return self.shift.paired

    @property
    def n(self) -> tuple[int, int]:
        return self.shift.test.n

    @property
    def p_holm(self) -> float:
        """p, corrected for the number of pairs."""
        return min(1.0, self.multiplier * self.shift.test.p)

    @property
    def reachable(self) -> bool:
        """Whether these numbers of runs could show a difference at all."""
        return self.shift.test.smallest * self.pairs <= self.level

    @property
    def state(self) -> State:
        if not self.reachable:
            return "too few"
        if self.contradictory:
            return "open"
        if self.p_holm <= self.level:
            return "lower" if self.shift.direction == "lower" else "higher"
        inside = -self.width <= self.among_all.low and self.among_all.high <= self.width
        return "equivalent" if inside else "open"

    @property
    def contradictory(self) -> bool:
        """Whether looks at different numbers of seeds show what no one shift can be: zero is rejected then, and yet the
        interval leaves no shift out."""
        return self.p_holm <= self.level and self.interval.low == -np.inf and self.interval.high == np.inf

    @cached_property
    def among_all(self) -> Interval:
        """The interval by which a pair is called equivalent: at the level divided by the number of pairs, since the one
        nearest to zero is chosen among all of them."""
        return self.interval if self.multiplier == self.pairs else self.shift.interval(self.level / self.pairs)

    @property
    def verdict(self) -> str:
        parts = [self.finding, self.other_summary, self.none_failed, self.told_left_out, self.apart, self.machines]
        return ("exploratory: " if self.exploratory else "") + "; ".join(filter(None, parts))

    @property
    def finding(self) -> str:
        """What the numbers show, whatever the methods were trained with."""
        if self.state in ("lower", "higher"):
            return f"{self.new} has a {self.state} {self.scale.error} than {self.base}: {self.numbers_told}"
        if self.state == "too few":
            return f"{self.new} against {self.base}: no claim: {self.too_few}"
        if self.state == "equivalent":
            return (
                f"{self.new} and {self.base} are equivalent in practice, within {self.scale.told_width(self.width)}: "
                f"shift {format_interval(self.among_all)}{self.unit}, {format_p(self.p_holm)} ({self.told_n})"
            )
        if self.contradictory:
            return (
                f"{self.new} against {self.base}: no claim: the pairs that came first and those that came later show "
                f"different shifts ({self.told_n}, {self.interval.estimate:+.2f}{self.unit} over all of them), and a "
                "test that may be looked at at any time is of pairs that are alike: look at the errors by seed"
            )
        if self.interval.low == self.interval.high == 0:
            return f"{self.new} against {self.base}: no difference: both are the same in every run ({self.told_n})"
        return f"{self.new} against {self.base}: no difference shown: {self.numbers_told}; {self.overlooked}"

    @property
    def unit(self) -> str:
        """Of a shift, behind its number."""
        return f" {self.scale.difference}" if self.scale.difference else ""

    @property
    def numbers_told(self) -> str:
        return f"shift {format_interval(self.interval)}{self.unit}, {format_p(self.p_holm)} ({self.told_n})"

    @property
    def too_few(self) -> str:
        """Why so few runs show nothing, and how many would."""
        smallest = f"the smallest p that they can give is {self.shift.test.smallest:.3g}"
        among = f", divided by {self.pairs} comparisons" if self.pairs > 1 else ""
        unit = "pairs of runs" if self.paired else "runs of each method"
        better = "pairs" if self.paired else "comparisons of two runs"
        return (
            f"{self.told_n} cannot show a difference, however large ({smallest}, and it has to be at most "
            f"{self.level:g}{among}); {self.n_fewest} {unit} are the fewest that can, and {self.n_for_clear} are "
            f"needed to find, in four of five studies, a method that is better in nine of ten {better}"
        )

    @property
    def overlooked(self) -> str:
        """What so many runs may have missed."""
        missed = self.shift.detectable(self.level / self.multiplier)
        if np.isinf(missed):
            told = "a difference of any size may have been missed"
        else:
            told = f"a difference of less than {missed:.2g}{self.unit} may well have been missed"
        return f"{told}; {self.told_needed}"

    @property
    def n_for_seen(self) -> float:
        """How many pairs, or runs of each method, would have been needed for what was seen; infinite where nothing
        was."""
        return max(self.n_fewest, self.shift.estimate_n_for_seen(self.level / self.multiplier))

    @property
    def told_needed(self) -> str:
        """How many runs would be needed, as a clause."""
        if np.isinf(self.n_for_seen):
            return "no number of runs finds what was seen"
        unit = "pairs" if self.paired else "runs of each"
        if self.n_for_seen > MOST_TOLD:
            return f"what was seen would need more than {MOST_TOLD:,} {unit}"
        return f"what was seen would need about {self.n_for_seen:.0f} {unit}"

    @property
    def other_summary(self) -> str:
        """That runs without their pairs point to the other side, where they do."""
        against = (self.a12 - 0.5) * (-1 if self.shift.direction == "lower" else 1)
        if not self.paired or self.shift.direction == "neither" or against <= 0:
            return ""
        side = "lower" if self.a12 > 0.5 else "higher"
        return f"without the pairs the runs of {self.new} tend to the {side} {self.scale.error} (A12 = {self.a12:.2f})"

    @property
    def none_failed(self) -> str:
        """What it means that none of the new method's runs failed; nothing where one did."""
        failed, n = self.failures[0]
        if failed or not n or self.state == "too few":
            return ""
        most = 100 * rate(0, n, self.level).high
        return f"none of its {n} runs collapsed, which leaves a rate of up to {most:.0f} % possible"

    @property
    def told_left_out(self) -> str:
        return f"left out: {describe_left_out(self.left_out)}" if self.left_out else ""

    @property
    def told_n(self) -> str:
        new, base = self.n
        return f"{new} pair{'s' * (new != 1)} of runs" if self.paired else f"{new} and {base} runs"

    @property
    def n_fewest(self) -> int:
        """The fewest runs of each method whose smallest p reaches the level over all pairs."""
        return find_fewest_runs(self.shift.smallest_p, self.level, self.pairs)

    @property
    def n_for_clear(self) -> int:
        """Runs of each method that find one that is clearly better, in four of five studies."""
        return max(self.n_fewest, self.shift.estimate_n_for_share(CLEAR, self.level / self.pairs))

    def row(self) -> dict[str, object]:
        """The columns that a terminal or a page has room for."""
        return {
            "method": self.new,
            "against": self.base,
            "n": f"{self.n[0]}" if self.paired else f"{self.n[0]}+{self.n[1]}",
            f"shift ({self.scale.difference})" if self.scale.difference else "shift": format_interval(self.interval),
            "A12": round(self.a12, 2),
            "p": round_p(self.p_holm),
            "collapsed": " vs ".join(f"{k}/{of}" if of else "not known" for k, of in self.failures),
        }

    def numbers(self) -> dict[str, object]:
        """Everything, one number a column."""
        columns: dict[str, object] = {"method": self.new, "against": self.base, "endpoint": self.endpoint}
        columns |= {"paired": self.paired, "n": self.n[0], "n_against": self.n[1]}
        columns |= {"shift": self.interval.estimate, "shift_low": self.interval.low, "shift_high": self.interval.high}
        columns |= {"interval_level": self.level / self.multiplier}
        test = self.shift.test
        columns |= {"p": test.p, "p_holm": self.p_holm, "p_lower": test.less, "p_higher": test.greater}
        columns |= {"p_smallest": test.smallest, "level": self.level, "state": self.state, "needed": self.n_for_seen}
        columns |= {"a12": self.a12, "cliffs_delta": 2 * self.a12 - 1, "equivalent_within": self.width}
        columns |= {"failed_difference": self.rates.estimate}
        columns |= {"failed_low": self.rates.low, "failed_high": self.rates.high}
        for name, (failed, n) in zip(("failed", "failed_against"), self.failures, strict=True):
            columns |= {name: failed / n if n else float("nan")}
        return columns | {"left_out": describe_left_out(self.left_out), "verdict": self.verdict}


def format_interval(interval: Interval, sign: str = "+", digits: int = 2) -> str:
    """-0.75 [-1.20, -0.10]; an end that is not zero is never told as zero."""
    estimate, low, high = (format_end(value, sign, digits) for value in interval)
    return f"{estimate} [{low}, {high}]"


def format_end(value: float, sign: str = "+", digits: int = 2) -> str:
    text = f"{value:{sign}.{digits}f}"
    if value and not np.isinf(value) and float(text) == 0:
        return f"{'-' if value < 0 else sign}0.{'0' * digits}.."
    return text


def describe_left_out(runs: Sequence[LeftOut]) -> str:
    """m seed 3 (has no value there), b seed 4 (has no partner)."""
    return ", ".join(f"{run.method} seed {run.seed} ({run.why})" for run in runs)


def compare(found: Endpoints, declared: Declared, endpoint: Endpoint | None = None) -> list[Pair]:
    """Every pair that is declared, at an endpoint (the declared one, if none is named).

    Raises:
        HarnessError: a method has no finished run, or none with a value, or runs share what they draw.
    """
    endpoint = endpoint or declared.endpoint
    named = list_declared_pairs(found, declared)
    matched = [match_runs(found, declared, names, endpoint) for names in named]
    multipliers = compute_holm_multipliers([shift.test.p for shift, _ in matched])
    return [
        compare_two(found, declared, names, endpoint, runs, multiplier=multiplier, pairs=len(named))
        for names, runs, multiplier in zip(named, matched, multipliers, strict=True)
    ]


def compare_two(
    found: Endpoints,
    declared: Declared,
    names: tuple[str, str],
    endpoint: Endpoint,
    matched: Matched | None = None,
    *,
    multiplier: float = 1.0,
    pairs: int = 1,
) -> Pair:
    """One pair (new, base). matched: its runs, where they are matched already. multiplier: of its p, by the correction
    for so many pairs."""
    new, base = names
    shift, left_out = matched or match_runs(found, declared, names, endpoint)
    if shift.test.smallest * pairs > declared.level:  # nothing can be shown of the first pair, so of none after it
        multiplier = pairs
    return Pair(
        new=new,
        base=base,
        endpoint=endpoint,
        shift=shift,
        interval=shift.interval(declared.level / multiplier),
        multiplier=multiplier,
        level=declared.level,
        pairs=pairs,
        a12=compute_a12(found.values(new, endpoint), found.values(base, endpoint)),
        width=declared.rope if declared.rope is not None else found.noise,
        failures=(found.failures(new), found.failures(base)),
        rates=estimate_failure_difference(found, names, shift.paired, declared.level),
        left_out=left_out,
        apart="; ".join(
            filter(None, [describe_infinite(found, names, endpoint), describe_between(found.settings, names)])
        ),
        machines=describe_machines(found, names, shift.paired),
        scale=found.scale,
    )


def list_declared_pairs(found: Endpoints, declared: Declared) -> list[tuple[str, str]]:
    """The pairs (new, base) to compare, all of which have finished runs."""
    methods = found.methods
    base = declared.baseline or methods[0]
    pairs = list(declared.pairs) or [(m, base) for m in methods if m != base]
    for name in [base, *(m for pair in pairs for m in pair)]:
        if name not in methods:
            raise HarnessError(f"there is no finished run of {name!r} to compare: {suggest_names(name, methods)}")
    if not pairs:
        raise HarnessError(f"{base!r} is the only method with finished runs: there is nothing to compare it with")
    return pairs


def match_runs(found: Endpoints, declared: Declared, names: tuple[str, str], endpoint: Endpoint) -> Matched:
    """The runs of two methods that are compared, and those of them that are not.

    Paired, by the seeds that both have, where these are at least half of the seeds of each, or where the study says so.
    """
    found.refuse_shared()
    new, base = rank_infinite_last(*(found.by_seed(method, endpoint) for method in names))
    left_out = [run for method in names for run in found.absent(method, endpoint)]
    for method, values in zip(names, (new, base), strict=True):
        if not values:
            raise HarnessError(
                f"no run of {method!r} has a value to compare: {describe_left_out(found.absent(method, endpoint)[:3])}"
            )
    common = sorted(set(new) & set(base))
    if declared.paired and not common:
        raise HarnessError(
            f"paired = true needs seeds that both {names[0]!r} and {names[1]!r} have finished: run what is missing"
        )
    if declared.until_decided:
        if not common:
            raise HarnessError(f"until_decided pairs runs by seed, and {names[0]!r} and {names[1]!r} share none")
    elif declared.paired is False or (declared.paired is None and 2 * len(common) < max(len(new), len(base))):
        shift, elsewhere = shift_unpaired(found, names, (new, base))
        return shift, (*left_out, *elsewhere)
    known = {(run.method, run.seed) for run in left_out}
    for method, other, values in ((names[0], names[1], new), (names[1], names[0], base)):
        left_out += [
            LeftOut(method, seed, f"its pair of {other} is not there")
            for seed in values
            if seed not in common and (method, seed) not in known
        ]
    x, y = [new[s] for s in common], [base[s] for s in common]
    return estimate_sequential_shift(x, y) if declared.until_decided else shift_of(x, y, paired=True), tuple(left_out)


def rank_infinite_last(*groups: dict[int, float]) -> tuple[dict[int, float], ...]:
    """Values by seed, of which infinite ones lie one range of all finite ones above the largest: tests rank them last,
    and a shift has a size."""
    finite = [value for group in groups for value in group.values() if np.isfinite(value)]
    if sum(map(len, groups)) == len(finite) or not finite:
        return groups
    last = max(finite) + ((max(finite) - min(finite)) or abs(max(finite)) or 1.0)
    return tuple({seed: min(value, last) for seed, value in group.items()} for group in groups)


def describe_infinite(found: Endpoints, names: tuple[str, str], endpoint: Endpoint) -> str:
    """Which runs have an infinite value, which counts as the worst, as a clause."""
    runs = [f"{m} seed {s}" for m in names for s, value in found.by_seed(m, endpoint).items() if np.isinf(value)]
    return f"infinite, and ranked last: {', '.join(runs)}" if runs else ""


def shift_unpaired(
    found: Endpoints, names: tuple[str, str], values: tuple[dict[int, float], dict[int, float]]
) -> tuple[Shift, list[LeftOut]]:
    """The shift between runs that are no pairs, and the runs that it leaves out: within machines, where several have
    runs of both methods."""
    every = [
        {seed: found.machines.get((name, seed), "") for seed in own} for name, own in zip(names, values, strict=True)
    ]
    common = set(every[0].values()) & set(every[1].values())
    if not common or len({*every[0].values(), *every[1].values()}) < 2:
        return shift_of(list(values[0].values()), list(values[1].values()), paired=False), []
    left_out = [
        LeftOut(name, seed, f"its machine has no run of {other}")
        for name, other, own in zip(names, names[::-1], every, strict=True)
        for seed, machine in own.items()
        if machine not in common
    ]
    x, y = ([v for s, v in own.items() if of[s] in common] for own, of in zip(values, every, strict=True))
    of_new, of_base = ([machine for machine in of.values() if machine in common] for of in every)
    return shift_within_blocks(x, y, of_new, of_base), left_out


def describe_machines(found: Endpoints, names: tuple[str, str], paired: bool) -> str:
    """Where runs of several machines are compared, how, as a clause. A difference between machines is in neither pairs
    of one machine nor ranks within machines; pairs across machines have it, and share no more than their seed."""
    new, base = ({s: machine for (m, s), machine in found.machines.items() if m == name} for name in names)
    if len({*new.values(), *base.values()}) < 2:
        return ""
    if not set(new.values()) & set(base.values()):
        where = " and ".join(
            f"{name} on {'; '.join(dict.fromkeys(own.values()))}" for name, own in zip(names, (new, base), strict=True)
        )
        return f"no machine has runs of both, so what differs may be the machine ({where})"
    if not paired:
        return "compared within machines, of which there are several"
    across = sorted(seed for seed in new if seed in base and new[seed] != base[seed])
    if not across:
        return "each pair is of one machine, of which there are several"
    seeds = f"seed{'s' * (len(across) > 1)} {', '.join(map(str, across))}"
    of = f"{len(across)} of {len(set(new) & set(base))} pairs"
    return f"{of} are across machines, which share no more than a seed ({seeds})"


def estimate_failure_difference(found: Endpoints, names: tuple[str, str], paired: bool, level: float) -> Interval:
    """The difference of two methods' shares of failed runs, of their common seeds if paired. NaN: not known."""
    new, base = (found.failed_by_seed(method) for method in names)
    common = [seed for seed in new if seed in base]
    if not (common if paired else new and base):
        return Interval(float("nan"), float("nan"), float("nan"))
    if not paired:
        return rate_difference(found.failures(names[0]), found.failures(names[1]), level)
    only = [sum(one[s] > other[s] for s in common) for one, other in ((new, base), (base, new))]
    return rate_difference((only[0], len(common)), (only[1], len(common)), level)


def describe(
    found: Endpoints, declared: Declared, base: BaseRate, quantile: float | None = None
) -> list[dict[str, object]]:
    """One row a method, at the declared endpoint: median error with its exact interval, interquartile mean of regret
    between the table's optimum (0) and its median cell (1), and collapsed runs with the chance that random cells
    collapse as often. Runs that share what they draw have no such interval, and no such chance. quantile: of a method's
    runs, told with its interval."""
    rows: list[dict[str, object]] = []
    area = declared.endpoint == "area"
    for name in found.methods:
        values = found.values(name, declared.endpoint)
        row: dict[str, object] = {"method": name, "n": len(values)}
        what = found.scale.regret_axis if area else found.scale.axis
        if found.varied:
            row[what] = f"{np.median(values):.2f}" if len(values) else "-"
        else:
            row[what] = format_interval(estimate_median(values, declared.level), sign="") if len(values) else "-"
        if quantile is not None:
            known = len(values) and not found.varied
            told = format_interval(estimate_quantile(values, quantile, declared.level), sign="") if known else "-"
            row[f"{100 * quantile:g} % below"] = told
        if not np.isnan(found.optimum) and len(values):
            errors = values + found.optimum if area else values
            scaled = float(compute_iqm(normalize_regret(errors, found.optimum, found.random_median)))
            row[REGRET] = f"{scaled:.2f}"
        row["collapsed"] = describe_failures(found, name, base, declared.level)
        rows.append(row)
    return rows
