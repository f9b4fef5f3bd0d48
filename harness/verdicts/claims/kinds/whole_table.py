"""Claims that are decided by all of a table: its optimum, and what random search can be expected to find."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from harness.stats.random_search import compute_chance_of_best
from harness.tables.measure import Measure
from harness.tables.table import Table
from harness.verdicts.claims.base import (
    ROUNDING,
    Claim,
    Evidence,
    Undecided,
    Verdict,
    agrees_with_published,
    collect_known_values,
    state_of,
)
from harness.verdicts.claims.noise import measure_noise


class BestValue(Claim):
    """The highest accuracy of a measure. trial: a seed, or "best" for the best of all single trials."""

    name = "optimum"
    measure: str
    trial: str | int = "mean"
    value: float
    cell: int | None = None
    tolerance: float = Field(ROUNDING, ge=0)

    def claimed(self) -> str:
        return f"{self.value:.2f}" + ("" if self.cell is None else f" (#{self.cell})")

    def check(self, evidence: Evidence) -> Verdict:
        table = evidence.asked_table()
        measure = Measure.parse(self.measure)
        if self.trial == "best":
            every = table.vector_all(measure)
            known = int((~np.isnan(every)).any(axis=0).sum())
            return self._verdict(float(np.nanmax(every)), None, known, table)
        best = table.optimum(measure, self.trial)
        known = int((~np.isnan(table.row_values(measure, self.trial))).sum())
        return self._verdict(best.accuracy_pct, table.index(best.row), known, table)

    def _verdict(self, found: float, cell: int | None, known: int, table: Table) -> Verdict:
        """The best of a part is a lower bound of the best of all: it can refute a lower value alone."""
        every = table.of_space or len(table)
        agreed = agrees_with_published(found, self.value, self.tolerance) and (self.cell is None or cell == self.cell)
        where = "" if cell is None else f" (#{cell})"
        why, state = f"the best of {known:,} known cells is {found:.4f}{where}", state_of(agreed)
        if known < every:
            state = "not reproduced" if self.value < found - self.tolerance else "cannot be tested"
            why += f"; {every - known:,} are not known, and one of them may be better"
        return Verdict(state, why, found, known, noise=measure_noise(table, self.measure))


class RandomSearchClaim(Claim):
    """What random search ends at: mean and standard deviation of `judge` of the best by `select` among `draws` cells.

    Computed, not sampled: of cells drawn with replacement, the best has a value of `select` of at most v with
    probability F(v) ^ draws; cells with equal values share it. draws_published:
    whether the source says their number; one that was chosen so that it fits shows nothing. tolerance,
    deviation_tolerance: percentage points.
    """

    name = "random-search-expectation"
    select: str
    judge: str
    draws: int = Field(ge=1)
    draws_published: bool
    value: float
    deviation: float | None = None
    tolerance: float = Field(0.1, ge=0)
    deviation_tolerance: float = Field(0.1, ge=0)

    def claimed(self) -> str:
        return f"{self.value:.2f}" + ("" if self.deviation is None else f"±{self.deviation:.2f}")

    def check(self, evidence: Evidence) -> Verdict:
        table = evidence.asked_table()
        select, judge = collect_known_values(table, self.select), collect_known_values(table, self.judge)
        if np.isnan(select).any() or np.isnan(judge).any():
            raise Undecided(f"table {table.name} does not know {self.select} and {self.judge} of every cell")
        mean, deviation = compute_expected(select, judge, self.draws)
        agreed = agrees_with_published(mean, self.value, self.tolerance)
        if self.deviation is not None:
            agreed = agreed and agrees_with_published(deviation, self.deviation, self.deviation_tolerance)
        others = ", ".join(
            f"{compute_expected(select, judge, n)[0]:.2f} for {n}" for n in (self.draws // 2, self.draws * 2)
        )
        why = f"the best by {self.select} of {self.draws} draws has {mean:.2f}±{deviation:.2f} ({others})"
        if not self.draws_published:
            why += "; how many were drawn is not published, and this number was chosen to fit"
        state = state_of(agreed) if self.draws_published else "cannot be tested"
        return Verdict(state, why, mean, len(table), noise=measure_noise(table, self.judge))


def compute_expected(select: np.ndarray, judge: np.ndarray, draws: int) -> tuple[float, float]:
    """Mean and standard deviation of `judge` where `select` is highest among so many architectures drawn."""
    chance = compute_chance_of_best(select, draws)
    mean = float((chance * judge).sum())
    return mean, float(np.sqrt((chance * (judge - mean) ** 2).sum()))
