"""How often intervals cover, tests raise false alarms, and the gate errs: 2,000 simulated studies of each kind.

python benchmarks/stability/calibration.py [STUDIES]

Outcomes are discrete and tied, as a table gives them: errors of eight architectures, with three noisy trials each.
Writes the table of docs/explanation/statistics.md.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from harness.stats.effects import iqm
from harness.stats.intervals import difference, median
from harness.stats.power import smallest_detectable
from harness.stats.rope import rope
from harness.stats.tests import rank_sum, signed_rank
from harness.verdicts.gate import Check, Margins, judged, rates, shift

LEVELS = np.array([30.0, 31.0, 31.5, 33.0, 35.0, 42.0, 58.0, 65.0])
NOISE = 0.5
SEEDS = (5, 10, 20)
BEGIN, END = "<!-- calibration -->", "<!-- end -->"


def weights(worse: float) -> Any:
    raw = np.exp(-np.abs(np.arange(len(LEVELS)) - 3 - worse))
    return raw / raw.sum()


def codes(rng: np.random.Generator, n: int, worse: float = 0.0) -> Any:
    return rng.choice(len(LEVELS), n, p=weights(worse))


def truth(statistic: Any, worse: float) -> float:
    return float(statistic(np.repeat(LEVELS, np.rint(weights(worse) * 100_000).astype(int))))


def coverage(statistic: Any, n: int, studies: int, rng: np.random.Generator) -> float:
    aim = truth(statistic, 1) - truth(statistic, 0)
    hits = 0
    for _ in range(studies):
        trials = LEVELS[:, None] + NOISE * rng.normal(size=(len(LEVELS), 3))
        found = difference(codes(rng, n, 1), codes(rng, n), trials, statistic, rng, draws=1_000)
        hits += found.low <= aim <= found.high
    return 100 * hits / studies


def rejections(test: Any, n: int, worse: float, studies: int, rng: np.random.Generator) -> float:
    hits = sum(test(LEVELS[codes(rng, n, worse)], LEVELS[codes(rng, n)]).p <= 0.05 for _ in range(studies))
    return 100 * hits / studies


def claims(n: int, worse: float, studies: int, rng: np.random.Generator) -> float:
    """Share of studies in which the ROPE says, at 0.95, that one is better, although they are alike."""
    hits = 0
    for _ in range(studies):
        found = rope(LEVELS[codes(rng, n, worse)], LEVELS[codes(rng, n)], 0.5, rng, draws=1_000)
        hits += max(found.better, found.worse) >= 0.95
    return 100 * hits / studies


def said(check: Check, level: float) -> str:
    """What the gate says; too few runs are inconclusive too."""
    state = judged(check, check.moved, level).state
    return "inconclusive" if state == "too few" else state


def gated(n: int, moved: float, margin: float, studies: int, rng: np.random.Generator) -> dict[str, float]:
    """How often the gate's check of the final error says each thing when today's errors are `moved` points higher."""
    margins, counts = Margins(error=margin), dict.fromkeys(("stable", "moved", "inconclusive"), 0)
    for _ in range(studies):
        before, after = LEVELS[codes(rng, n)], LEVELS[codes(rng, n)] + moved
        check = shift("m", "error", before, after, margin=margins.error, level=margins.level)
        counts[said(check, margins.level)] += 1
    return {state: 100 * count / studies for state, count in counts.items()}


def regated(n: int, changed: float, moved: float, studies: int, rng: np.random.Generator) -> dict[str, float]:
    """The same seeds again, margin 5 points: a share of the runs derives another architecture, and all are `moved`."""
    margins, counts = Margins(error=5), dict.fromkeys(("stable", "moved", "inconclusive"), 0)
    for _ in range(studies):
        before = LEVELS[codes(rng, n)]
        after = np.where(rng.random(n) < changed, LEVELS[codes(rng, n)], before) + moved
        check = shift("m", "error", before, after, margin=margins.error, level=margins.level, paired=True)
        counts[said(check, margins.level)] += 1
    return {state: 100 * count / studies for state, count in counts.items()}


def gated_rates(n: int, rate: float, studies: int, rng: np.random.Generator) -> dict[str, float]:
    """The same for failures: 10 % before, `rate` today, margin 30 points."""
    margins, counts = Margins(), dict.fromkeys(("stable", "moved", "inconclusive"), 0)
    known: dict[tuple[int, int], str] = {}
    for _ in range(studies):
        before, after = (rng.random(n) < p for p in (0.1, rate))
        key = int(before.sum()), int(after.sum())
        if key not in known:
            check = rates("m", before.astype(float), after.astype(float), margins)
            known[key] = said(check, margins.level)
        counts[known[key]] += 1
    return {state: 100 * count / studies for state, count in counts.items()}


def report(studies: int) -> str:
    rng = np.random.default_rng(0)
    heads = [f"n = {n}" for n in SEEDS]
    lines = [
        f"Of {studies:,} studies each, in %.",
        "",
        f"| | {' | '.join(heads)} |",
        "| --- |" + " ---: |" * len(SEEDS),
    ]

    def add(name: str, values: list[Any]) -> None:
        told = [v if isinstance(v, str) else f"{v:.1f}" for v in values]
        lines.append(f"| {name} | {' | '.join(told)} |")
        print(lines[-1], flush=True)

    for name, statistic in (("median", median), ("interquartile mean", iqm)):
        add(f"95 % interval of the difference in {name}: covers", [coverage(statistic, n, studies, rng) for n in SEEDS])
    for name, test in (("rank-sum", rank_sum), ("signed-rank", signed_rank)):
        add(f"{name} test at 5 %: false alarms", [rejections(test, n, 0, studies, rng) for n in SEEDS])
        for worse in (1, 2):
            told = f"{name} test at 5 %: finds a shift of {worse} level" + ("s" if worse > 1 else "")
            add(told, [rejections(test, n, worse, studies, rng) for n in SEEDS])
    add("smallest A12 found with 80 % power (Noether)", [f"{smallest_detectable(n):.2f}" for n in SEEDS])
    add("ROPE says better or worse at 0.95, both alike", [claims(n, 0, studies, rng) for n in SEEDS])
    for moved, told in (
        (0.0, "nothing moved"),
        (5.0, "moved by the margin"),
        (15.0, "moved by three times the margin"),
    ):
        found = [gated(n, moved, 5.0, studies, rng) for n in SEEDS]
        for state in ("stable", "moved", "inconclusive"):
            add(f"gate, final error, margin 5 points, {told}: says {state}", [f[state] for f in found])
    for moved, told in (
        (0.0, "a tenth of the runs changed"),
        (5.0, "and all moved by the margin"),
        (15.0, "by three times"),
    ):
        found = [regated(n, 0.1, moved, studies, rng) for n in SEEDS]
        for state in ("stable", "moved", "inconclusive"):
            add(f"gate, same seeds, final error, margin 5 points, {told}: says {state}", [f[state] for f in found])
    for rate, told in ((0.1, "10 % failures as before"), (0.4, "40 %, the margin"), (0.9, "90 %")):
        found = [gated_rates(n, rate, studies, rng) for n in SEEDS]
        for state in ("stable", "moved", "inconclusive"):
            add(f"gate, failures, margin 30 points, {told}: says {state}", [f[state] for f in found])
    return "\n".join(lines)


if __name__ == "__main__":
    text = report(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
    page = Path(__file__).parents[2] / "docs" / "explanation" / "statistics.md"
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")
