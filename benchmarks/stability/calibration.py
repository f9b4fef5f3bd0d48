"""How often intervals cover, tests raise false alarms, and the gate errs: simulated studies, and exact sums.

python benchmarks/stability/calibration.py [STUDIES]

Three kinds of outcomes: `cells`, errors of eight architectures, discrete and tied as a table gives them; `normal`; and
`heavy`, Student's t with two degrees of freedom. Writes the tables of docs/explanation/statistics.md.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from harness.stats.shares import Shares, compute_p_within
from harness.stats.shift import shift_of
from harness.stats.tests import compute_holm_multipliers
from harness.verdicts.gate import Margins, check_tail, shift

LEVELS = np.array([30.0, 31.0, 31.5, 33.0, 35.0, 42.0, 58.0, 65.0])
RUNS = (3, 5, 6, 8, 10, 20, 40)
GATED = (3, 5, 8, 10, 14, 20, 40)
BEGIN, END = "<!-- calibration -->", "<!-- end -->"
MARGINS = Margins(error=5)

Draw = Callable[[int], Any]


def outcomes(rng: np.random.Generator) -> dict[str, Draw]:
    """What draws the errors of so many runs."""
    weights = np.exp(-np.abs(np.arange(len(LEVELS)) - 3))
    return {
        "cells": lambda n: rng.choice(LEVELS, n, p=weights / weights.sum()),
        "normal": lambda n: rng.normal(40, 5, n),
        "heavy": lambda n: 40 + 3 * rng.standard_t(2, n),
    }


def studied(draw: Draw, n: int, moved: float, *, paired: bool, studies: int) -> tuple[float, float, float]:
    """Of studies of n runs whose true shift is `moved`: how often the 95 % interval covers it, p is at most 0.05, and
    the verdict points to the wrong side, in %."""
    covers = shown = wrong = 0
    for _ in range(studies):
        found = shift_of(draw(n) + moved, draw(n), paired=paired)
        interval, p = found.interval(0.05), found.test.p
        covers += interval.low <= moved <= interval.high
        shown += p <= 0.05
        wrong += p <= 0.05 and (found.direction == "lower") == (moved > 0)
    return tuple(100 * count / studies for count in (covers, shown, wrong))  # type: ignore[return-value]


def families(n: int, moved: list[float], studies: int, rng: np.random.Generator) -> tuple[float, float]:
    """Methods against one baseline, n pairs each: how often all intervals cover at once, and how often any difference
    is shown that is none, in %."""
    covers = false = 0
    for _ in range(studies):
        base = rng.normal(40, 5, n)
        shifts = [shift_of(rng.normal(40 + m, 5, n), base, paired=True) for m in moved]
        multipliers = compute_holm_multipliers([s.test.p for s in shifts])
        found = [s.interval(0.05 / k) for s, k in zip(shifts, multipliers, strict=True)]
        covers += all(f.low <= m <= f.high for f, m in zip(found, moved, strict=True))
        false += any(m == 0 and (f.low > 0 or f.high < 0) for f, m in zip(found, moved, strict=True))
    return 100 * covers / studies, 100 * false / studies


def gated(draw: Draw, sizes: tuple[int, int], moved: float, *, paired: bool, studies: int) -> float:
    """How often the final error is said to be within its margin of 5 points when all of today's are `moved` higher."""
    said = 0
    for _ in range(studies):
        check = shift("m", "error", draw(sizes[0]), draw(sizes[1]) + moved, margin=MARGINS.error, paired=paired)
        said += check.equivalent <= MARGINS.level
    return 100 * said / studies


def failing(sizes: tuple[int, int], before: float, today: float) -> float:
    """How often failures are said to be within 30 points, unpaired; an exact sum over all outcomes, in %."""
    m, n = sizes
    return 100 * sum(
        stats.binom.pmf(a, n, today)
        * stats.binom.pmf(b, m, before)
        * (compute_p_within(Shares(a, n, b, m), MARGINS.failure) <= MARGINS.level)
        for a in range(n + 1)
        for b in range(m + 1)
    )


def failing_pairs(n: int, more: float, fewer: float) -> float:
    """The same of the same seeds, of which these shares fail only today, and failed only before."""
    return 100 * sum(
        stats.multinomial.pmf([a, b, n - a - b], n, [more, fewer, 1 - more - fewer])
        * (compute_p_within(Shares(a, n, b, n, paired=True), MARGINS.failure) <= MARGINS.level)
        for a in range(n + 1)
        for b in range(n + 1 - a)
    )


def far_away(n: int, share: float) -> float:
    """How often runs beyond the worst are said to be within the margin, where each is one with this chance, in %."""
    before = np.zeros(n)
    found = (
        stats.binom.pmf(k, n, share)
        * (check_tail("m", before, np.where(np.arange(n) < k, 99.0, 0.0), MARGINS).equivalent <= MARGINS.level)
        for k in range(n + 1)
    )
    return 100 * float(sum(found))


def table(title: str, heads: list[str], rows: Iterator[tuple[str, list[Any]]]) -> str:
    """A Markdown table, each line of which is printed as it is made."""
    lines = [f"**{title}**", "", f"| | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads)]
    print("\n".join(lines), flush=True)
    for name, values in rows:
        lines.append(f"| {name} | {' | '.join(f'{v:.1f}' for v in values)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def comparisons(studies: int, rng: np.random.Generator) -> Iterator[tuple[str, list[float]]]:
    for kind, draw in outcomes(rng).items():
        for paired in (True, False):
            how = f"{kind}, {'paired' if paired else 'unpaired'}"
            for moved, what in ((0.0, "no shift"), (5.0, "a shift of 5 points"), (15.0, "of 15 points")):
                found = [studied(draw, n, moved, paired=paired, studies=studies) for n in RUNS]
                yield f"{how}, {what}: the interval covers it", [f[0] for f in found]
                yield f"{how}, {what}: {'shown' if moved else 'a difference is shown'}", [f[1] for f in found]
                if moved:
                    yield f"{how}, {what}: shown on the wrong side", [f[2] for f in found]


def together(studies: int, rng: np.random.Generator) -> Iterator[tuple[str, list[float]]]:
    for moved, what in (
        ([0.0] * 3, "three methods, none differs"),
        ([0.0, 0.0, 15.0], "three, one differs by 15 points"),
        ([15.0] * 3, "three, all differ by 15 points"),
        ([0.0] * 6, "six methods, none differs"),
        ([0.0] * 3 + [15.0] * 3, "six, three differ"),
        ([15.0] * 6, "six, all differ"),
    ):
        found = [families(n, moved, studies, rng) for n in RUNS]
        yield f"{what}: all intervals cover at once", [f[0] for f in found]
        if 0.0 in moved:
            yield f"{what}: a difference is shown that is none", [f[1] for f in found]


def stability(studies: int, rng: np.random.Generator) -> Iterator[tuple[str, list[float]]]:
    for kind, draw in outcomes(rng).items():
        for paired in (True, False):
            how = f"final error, {kind}, {'same' if paired else 'other'} seeds"
            for moved, what in ((0.0, "not moved"), (5.0, "moved by the margin"), (7.5, "by one and a half")):
                yield f"{how}, {what}", [gated(draw, (n, n), moved, paired=paired, studies=studies) for n in GATED]
    for before in (0.0, 0.1, 0.35, 0.6):
        for more, what in ((0.0, "as before"), (0.3, "by the margin more")):
            told = f"failures, other seeds, {100 * before:.0f} % before, {what}"
            yield told, [failing((n, n), before, before + more) for n in GATED]
    for more, fewer in ((0.0, 0.0), (0.05, 0.05), (0.3, 0.0), (0.4, 0.1)):
        told = f"failures, same seeds, {100 * more:.0f} % fail only today, {100 * fewer:.0f} % only before"
        yield told, [failing_pairs(n, more, fewer) for n in GATED]
    for share in (0.0, 0.05, 0.3):
        yield f"runs beyond the worst, {100 * share:.0f} % of today's", [far_away(n, share) for n in GATED]


UNEQUAL = ((7, 8), (8, 7), (8, 10), (10, 20), (20, 40))


def unequal(studies: int, rng: np.random.Generator) -> Iterator[tuple[str, list[float]]]:
    draw = outcomes(rng)["cells"]
    for moved, what in ((0.0, "not moved"), (5.0, "moved by the margin")):
        found = [gated(draw, sizes, moved, paired=False, studies=studies) for sizes in UNEQUAL]
        yield f"final error, cells, other seeds, {what}", found
    for before, today in ((0.0, 0.3), (0.1, 0.4), (0.35, 0.65)):
        told = f"failures, {100 * before:.0f} % before, {100 * today:.0f} % today"
        yield told, [failing(sizes, before, today) for sizes in UNEQUAL]


def report(studies: int) -> str:
    rng = np.random.default_rng(0)
    runs, gates = [f"n = {n}" for n in RUNS], [f"n = {n}" for n in GATED]
    return "\n\n".join(
        [
            f"Of {studies:,} studies each, in %.",
            table("One comparison, at 5 %", runs, comparisons(studies, rng)),
            table("Several methods against one, at 5 %, normal and paired", runs, together(studies, rng)),
            table(
                "The gate says that a quantity is within its margin (5 points, 30 %)", gates, stability(studies, rng)
            ),
            table(
                "The same, with unequal numbers of runs, before and today",
                [f"{m} and {n}" for m, n in UNEQUAL],
                unequal(studies, rng),
            ),
        ]
    )


if __name__ == "__main__":
    text = report(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
    page = Path(__file__).parents[2] / "docs" / "explanation" / "statistics.md"
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")
