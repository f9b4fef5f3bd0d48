"""Claims that something rises or falls with how strongly searches are regularized."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from harness.core.text import format_p
from harness.results.doses import add_doses, choose_dose, compute_trend, tabulate_ends
from harness.results.runs import Runs
from harness.stats.tests import Test
from harness.stats.trend import Trend
from harness.verdicts.claims.base import Evidence, RunClaim, Undecided, Verdict, decide_state


class TrendWithDose(RunClaim):
    """What runs end at falls, or rises, with a number in their methods' names, by the two-sided test of trend of
    docs/explanation/statistics.md, corrected for all tests of the claims' file (Holm).

    quantity: the skips of the (normal) cell that is derived last, the epoch from which there are `skips` or more, or
    the largest eigenvalue of the Hessian as it was measured last. dose: the number that the methods' names say; or
    eigenvalue, against which the quantity is compared over all runs. lowest, highest: doses that count. Runs are
    compared where all other numbers of their methods' names are equal.
    """

    name = "trend"
    quantity: Literal["skips", "onset", "eigenvalue"]
    dose: str
    direction: Literal["falls", "rises"]
    skips: int = Field(4, ge=1)
    lowest: float = -np.inf
    highest: float = np.inf
    level: float = Field(0.05, gt=0, lt=1)

    def claimed(self) -> str:
        return f"{self.direction} with {self.dose}"

    def trend(self, runs: Runs) -> Trend:
        ends, by = tabulate_ends(runs, self.skips), "eigenvalue"
        if self.dose != "eigenvalue":
            named, by = choose_dose(ends["method"]), "dose"
            ends = add_doses(ends, self.dose)
            if ends.empty:
                raise Undecided(f"the methods of {runs.name} do not say {self.dose!r} in their names, but {named!r}")
        trend = compute_trend(ends[(self.lowest <= ends[by]) & (ends[by] <= self.highest)], self.quantity, by)
        if trend is None:
            raise Undecided(f"{runs.name} has {self.quantity} of fewer than two values of {self.dose}")
        return trend

    def test(self, evidence: Evidence) -> Test:
        return self.trend(self.decided_by(evidence)).test

    def check(self, evidence: Evidence) -> Verdict:
        runs = self.decided_by(evidence)
        trend = self.trend(runs)
        p = min(1.0, evidence.multiplier * trend.test.p)
        direction = "falls" if trend.gamma < 0 else "rises"
        shown = p <= self.level
        state = decide_state(shown and direction == self.direction, shown and direction != self.direction)
        many = f"the epoch from which there are {self.skips} skips or more"
        what = {"skips": "skips of the last cell", "onset": many, "eigenvalue": "the largest eigenvalue"}[self.quantity]
        told = f"{what}, by {self.dose}, in {trend.n} runs of {runs.name}"
        why = f"{told}: gamma = {trend.gamma:.2f}, two-sided {format_p(p)}"
        if evidence.family > 1:
            why += f" among {evidence.family} tests"
        return Verdict(state, why, trend.gamma, trend.n)
