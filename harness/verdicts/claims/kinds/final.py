"""Claims about where the runs of a method end."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from harness.core.seeds import derive_seed
from harness.runs.preregistration import Failure
from harness.stats.intervals import Interval, predict_mean, rate
from harness.tables.measure import Measure
from harness.tables.table import Table
from harness.verdicts.claims.base import COMMON, Evidence, RunClaim, Undecided, Verdict, decide_state
from harness.verdicts.claims.noise import measure_noise
from harness.verdicts.collapse import compute_base_rate

FEWEST_RUNS = 3
"""From so many runs on there is an interval of further ones that says something."""
DRAWS = 10_000


def measure_test_noise(table: Table | None) -> float | None:
    """The noise of a table's test; None where it is unknown."""
    return None if table is None else measure_noise(table, str(table.test))


class FinalAccuracy(RunClaim):
    """The mean accuracy of what a method derives after its last epoch is `value`.

    Not reproduced where the value is outside of the 95 % prediction interval of such a mean, of as many runs as were
    published. Reproduced where it is inside and the interval tells it from random cells: fewer than one in twenty means
    of as many random cells lie inside, too.

    measure: dataset/split@epochs of the table.
    """

    name = "final-accuracy"
    method: str
    measure: str
    value: float
    deviation: float | None = None

    def claimed(self) -> str:
        return f"{self.value:.2f}" + ("" if self.deviation is None else f"±{self.deviation:.2f}")

    def check(self, evidence: Evidence) -> Verdict:
        runs = self.decided_by(evidence, self.method)
        table = runs.table
        if table is None:
            raise Undecided(f"the runs of {runs.name} were looked up in no table")
        measure = Measure.parse(self.measure)
        found = runs.endpoints(measure)
        values = runs.scale.value_of(found.values(self.method, "final"))
        n, published = len(values), self.protocol.seeds or 1
        if n < FEWEST_RUNS:
            raise Undecided(f"{n} runs end at {values.mean():.2f} on average: a prediction takes {FEWEST_RUNS}")
        interval = predict_mean(values, published)
        inside = interval.low <= self.value <= interval.high
        common = compute_share_of_random_means(table, measure, published, interval)
        why = (
            f"{n} runs of {runs.name} end at {values.mean():.2f} on average, so that the mean of {published} further "
            f"ones is to be expected between {interval.low:.2f} and {interval.high:.2f}"
        )
        if inside and common > COMMON:
            why += f"; so is that of random cells in {100 * common:.0f} % of all cases, which says nothing of a method"
        state = decide_state(inside and common <= COMMON, not inside)
        return Verdict(state, why, interval.estimate, n, interval, measure_noise(table, self.measure))


def compute_share_of_random_means(table: Table, measure: Measure, cells: int, interval: Interval) -> float:
    """How often the mean of so many random cells of a table lies in an interval."""
    values = table.row_values(measure)
    known = values[~np.isnan(values)]
    drawn = np.random.default_rng(derive_seed("random means", str(measure))).choice(known, (DRAWS, cells)).mean(axis=1)
    return float(((interval.low <= drawn) & (drawn <= interval.high)).mean())


class CollapsedShare(RunClaim):
    """More, or less, than a share of a method's runs collapse, by one of the definitions of
    docs/explanation/statistics.md.

    parameter_free, skips: so many operations without parameters, or skips, are a collapse. Decided by the exact
    interval of the share; not where random cells do the same.
    """

    name = "collapsed-share"
    method: str
    failure: Failure = "parameter-free"
    parameter_free: int = Field(4, ge=1)
    skips: int = Field(4, ge=1)
    relation: Literal["more than", "less than"]
    value: float = Field(ge=0, le=1)

    def claimed(self) -> str:
        return f"{self.relation} {100 * self.value:.0f} %"

    def check(self, evidence: Evidence) -> Verdict:
        runs = self.decided_by(evidence, self.method)
        changes = {"failure": self.failure, "parameter_free": self.parameter_free, "skips": self.skips}
        asked = replace(runs, declared=runs.declared.model_copy(update=changes))
        failed, n = asked.endpoints().failures(self.method)
        if not n:
            return Verdict("cannot be tested", f"whether the runs of {runs.name} have collapsed is not known")
        interval = rate(failed, n)
        above, below = interval.low > self.value, interval.high < self.value
        common = compute_base_rate(asked)
        as_random = common.cells > self.value if self.relation == "more than" else common.cells < self.value
        state = decide_state(*((above, below) if self.relation == "more than" else (below, above)))
        why = f"{failed} of {n} runs of {runs.name} have collapsed ({self.failure})"
        if state == "cannot be tested":
            why += f", which leaves {100 * interval.low:.0f} to {100 * interval.high:.0f} %"
        if common.told():
            why += f"; so have {common.told()}"
        if as_random and state == "reproduced":
            state, why = "cannot be tested", f"{why}: what random cells do, too, says nothing of a method"
        return Verdict(state, why, interval.estimate, n, interval)
