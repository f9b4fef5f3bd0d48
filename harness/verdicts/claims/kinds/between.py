"""Claims that one method differs from another, or that a quantity rises during the search."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from harness.core.text import format_p
from harness.results.runs import Runs
from harness.runs.preregistration import Endpoint
from harness.stats.shift import Shift, shift_of
from harness.stats.tests import Test
from harness.verdicts.claims.base import Evidence, RunClaim, Undecided, Verdict, decide_state
from harness.verdicts.claims.kinds.final import measure_test_noise
from harness.verdicts.compare import Pair, compare_two, format_interval


class LowerError(RunClaim):
    """A method has a lower error than another at an endpoint, by the two-sided test of
    docs/explanation/statistics.md, corrected
    for all tests of the claims' file (Holm)."""

    name = "lower-error"
    method: str
    against: str
    endpoint: Endpoint = "final"

    def claimed(self) -> str:
        return f"lower error than {self.against}"

    def pair(self, evidence: Evidence) -> Pair:
        runs = self.decided_by(evidence, self.method, self.against)
        found = runs.endpoints()
        names = (self.method, self.against)
        return compare_two(
            found, runs.declared, names, self.endpoint, multiplier=evidence.multiplier, pairs=evidence.family
        )

    def test(self, evidence: Evidence) -> Test:
        return self.pair(evidence).shift.test

    def check(self, evidence: Evidence) -> Verdict:
        pair = self.pair(evidence)
        state = decide_state(pair.state == "lower", pair.state == "higher")
        runs = self.decided_by(evidence)
        return Verdict(
            state,
            pair.verdict,
            pair.interval.estimate,
            min(pair.n),
            pair.interval,
            measure_test_noise(runs.table),
        )


class QuantityRises(RunClaim):
    """A measured quantity is higher after the last epoch than at the first one where it was measured (both of the same
    run); with `against`: ends lower than the other method's. Two-sided tests as those of errors, corrected for all
    tests of the claims' file (Holm).

    column: of epochs.parquet, such as the Hessian's largest eigenvalue.
    """

    name = "quantity-rises"
    method: str
    column: str
    against: str | None = None
    level: float = Field(0.05, gt=0, lt=1)

    def claimed(self) -> str:
        return "rises" if self.against is None else f"lower than {self.against}"

    def shift(self, evidence: Evidence) -> Shift:
        """From first to last, or from the other method to this one."""
        runs = self.decided_by(evidence, *(m for m in (self.method, self.against) if m))
        ends = collect_measured(runs, self.method, self.column, "last")
        if self.against is None:
            begins = collect_measured(runs, self.method, self.column, "first")
            return shift_of([ends[s] for s in ends], [begins[s] for s in ends], paired=True)
        others = collect_measured(runs, self.against, self.column, "last")
        common = sorted(set(ends) & set(others))
        if runs.declared.paired is False or 2 * len(common) < max(len(ends), len(others)):
            return shift_of(list(ends.values()), list(others.values()), paired=False)
        return shift_of([ends[s] for s in common], [others[s] for s in common], paired=True)

    def test(self, evidence: Evidence) -> Test:
        return self.shift(evidence).test

    def check(self, evidence: Evidence) -> Verdict:
        shift = self.shift(evidence)
        p = min(1.0, evidence.multiplier * shift.test.p)
        interval = shift.interval(self.level / evidence.multiplier)
        claimed = "higher" if self.against is None else "lower"
        shown = p <= self.level
        state = decide_state(shown and shift.direction == claimed, shown and shift.direction != claimed)
        first, last = np.median(shift.base), np.median(shift.new)
        told = (
            f"goes from {first:.3g} to {last:.3g}"
            if self.against is None
            else f"ends at {last:.3g}, {self.against} at {first:.3g}"
        )
        n = min(shift.test.n)
        unit = "runs" if self.against is None else "pairs of runs" if shift.paired else "runs each"
        moved = f"shift {format_interval(interval, digits=3)}, two-sided {format_p(p)}"
        why = f"{self.column} {told} (medians of {n} {unit}), {moved}"
        if evidence.family > 1:
            why += f" among {evidence.family} tests"
        if shift.test.smallest * evidence.family > self.level:
            why += f", too few to decide (the smallest p that they can give is {shift.test.smallest:.2g})"
        return Verdict(state, why, float(last), n)


def collect_measured(runs: Runs, method: str, column: str, when: Literal["first", "last"]) -> dict[int, float]:
    """A quantity of every seed where it was measured first, or last."""
    rows = runs.epochs
    if column not in rows:
        raise Undecided(f"{runs.name} did not measure {column!r}: its study needs the probe that does")
    known = rows[rows["method"] == method].dropna(subset=[column]).sort_values(["seed", "epoch"])
    if known.empty or known["epoch"].nunique() < 2:
        raise Undecided(f"{runs.name} measured {column!r} of {method!r} at fewer than two epochs")
    by_seed = known.groupby("seed")[column]
    found = by_seed.first() if when == "first" else by_seed.last()
    return {int(str(seed)): float(value) for seed, value in found.items()}
