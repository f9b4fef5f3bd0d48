"""Claims about where the runs of a method end."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from harness.core.seeds import derive_seed
from harness.results.endpoints import endpoints
from harness.runs.preregistration import Failure
from harness.stats.intervals import as_codes, rate, single
from harness.tables.measure import Measure
from harness.verdicts.claims.base import FEWEST_RUNS, Evidence, RunClaim, State, Undecided, Verdict
from harness.verdicts.claims.noise import noise


class FinalAccuracy(RunClaim):
    """The mean accuracy of what a method derives after its last epoch is `value`, within `tolerance`.

    measure: dataset/split@epochs of the table. Reproduced where the whole interval over seeds is within the tolerance,
    not reproduced where all of it is outside.
    """

    name = "final-accuracy"
    method: str
    measure: str
    value: float
    deviation: float | None = None
    tolerance: float = Field(gt=0)

    def claimed(self) -> str:
        return f"{self.value:.2f}" + ("" if self.deviation is None else f"±{self.deviation:.2f}")

    def check(self, evidence: Evidence) -> Verdict:
        runs = self.decided_by(evidence, self.method)
        if runs.results.table is None:
            raise Undecided(f"the runs of {runs.name} were looked up in no table")
        rows = runs.results.error_by_epoch(Measure.parse(self.measure))
        rows = rows[rows["method"] == self.method].sort_values("epoch")
        values = runs.results.scale.value_of(rows.groupby("seed")["error_pct"].last().to_numpy())
        n = len(values)
        if n < FEWEST_RUNS:
            raise Undecided(f"{n} runs end at {values.mean():.2f} on average: an interval takes {FEWEST_RUNS}")
        (codes,), trials = as_codes(values)
        rng = np.random.default_rng(derive_seed("claim", self.method, self.measure))
        interval = single(codes, trials, mean, rng)
        low, high = self.value - self.tolerance, self.value + self.tolerance
        state = decided(low <= interval.low and interval.high <= high, interval.high < low or interval.low > high)
        why = f"{n} runs of {runs.name}, {len(np.unique(values))} different ends, against {low:.2f} to {high:.2f}"
        return Verdict(state, why, interval.estimate, n, interval, noise(runs.results.table, self.measure))


def mean(values: Any) -> Any:
    """Along the last axis."""
    return values.mean(axis=-1)


def decided(shown: bool, refuted: bool) -> State:
    return "reproduced" if shown else "not reproduced" if refuted else "cannot be tested"


class CollapsedShare(RunClaim):
    """More, or less, than a share of a method's runs collapse, by one of the definitions of docs/statistics.md.

    parameter_free: so many operations without parameters are a collapse. Decided by the exact interval of the share.
    """

    name = "collapsed-share"
    method: str
    failure: Failure = "parameter-free"
    parameter_free: int = Field(4, ge=1)
    relation: Literal["more than", "less than"]
    value: float = Field(ge=0, le=1)

    def claimed(self) -> str:
        return f"{self.relation} {100 * self.value:.0f} %"

    def check(self, evidence: Evidence) -> Verdict:
        runs = self.decided_by(evidence, self.method)
        changes = {"failure": self.failure, "parameter_free": self.parameter_free}
        found = endpoints(runs.results, runs.declared.model_copy(update=changes)).runs
        failed = found[found["method"] == self.method]["failed"]
        interval = rate(int(failed.sum()), len(failed))
        above, below = interval.low > self.value, interval.high < self.value
        state = decided(*((above, below) if self.relation == "more than" else (below, above)))
        why = f"{int(failed.sum())} of {len(failed)} runs of {runs.name} have collapsed ({self.failure})"
        if state == "cannot be tested":
            why += f", which leaves {100 * interval.low:.0f} to {100 * interval.high:.0f} %"
        return Verdict(state, why, interval.estimate, len(failed), interval)
