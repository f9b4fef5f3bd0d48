"""Claims that one method differs from another, or that a quantity rises during the search."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from harness.core.text import told_p
from harness.results.endpoints import endpoints
from harness.results.load import Finished
from harness.runs.preregistration import Endpoint
from harness.stats.intervals import Floats
from harness.stats.tests import rank_sum, signed_rank
from harness.verdicts.claims.base import Evidence, RunClaim, Undecided, Verdict
from harness.verdicts.claims.kinds.final import decided
from harness.verdicts.compare import compare


class LowerError(RunClaim):
    """A method has a lower error than another at an endpoint, by the comparison of docs/statistics.md (Holm over the
    pairs that the study declared)."""

    name = "lower-error"
    any_size: bool = True
    method: str
    against: str
    endpoint: Endpoint = "final"

    def claimed(self) -> str:
        return f"lower error than {self.against}"

    def check(self, evidence: Evidence) -> Verdict:
        runs = self.decided_by(evidence, self.method, self.against)
        found = endpoints(runs.results, runs.declared)
        pairs = compare(found, runs.declared, self.endpoint)
        chosen = [p for p in pairs if (p.new, p.base) == (self.method, self.against)]
        if not chosen:
            declared = runs.declared.model_copy(update={"pairs": ((self.method, self.against),)})
            chosen = compare(found, declared, self.endpoint)
        (pair,) = chosen
        shown = pair.reachable and pair.p_holm <= pair.level
        state = decided(shown and pair.improvement > 0.5, shown and pair.improvement < 0.5)
        return Verdict(state, pair.verdict, pair.points.estimate, min(pair.test.n), pair.points, pair.width / 2)


class QuantityRises(RunClaim):
    """A measured quantity is higher after the last epoch than at the first one where it was measured (signed-rank over
    seeds, one-sided); with `against`: ends lower than the other method's (rank-sum, one-sided).

    column: of epochs.parquet, such as the Hessian's largest eigenvalue.
    """

    name = "quantity-rises"
    any_size: bool = True
    method: str
    column: str
    against: str | None = None
    level: float = Field(0.05, gt=0, lt=1)

    def claimed(self) -> str:
        return "rises" if self.against is None else f"lower than {self.against}"

    def check(self, evidence: Evidence) -> Verdict:
        runs = self.decided_by(evidence, *(m for m in (self.method, self.against) if m))
        first, last = measured(runs, self.method, self.column)
        if self.against is None:
            test = signed_rank(last, first)
            shown, refuted = test.greater, test.less
            told = f"{self.column} goes from {np.median(first):.3g} to {np.median(last):.3g}"
        else:
            _, other = measured(runs, self.against, self.column)
            test = rank_sum(last, other)
            shown, refuted = test.less, test.greater
            told = f"{self.column} ends at {np.median(last):.3g}, {self.against} at {np.median(other):.3g}"
        state = decided(shown <= self.level, refuted <= self.level)
        why = f"{told} (medians of {len(last)} runs of {runs.name}), one-sided {told_p(min(shown, refuted))}"
        return Verdict(state, why, float(np.median(last)), len(last))


def measured(runs: Finished, method: str, column: str) -> tuple[Floats, Floats]:
    """A quantity of every seed where it was measured first, and last."""
    rows = runs.results.epochs
    if column not in rows:
        raise Undecided(f"{runs.name} did not measure {column!r}: its study needs the probe that does")
    known = rows[rows["method"] == method].dropna(subset=[column]).sort_values(["seed", "epoch"])
    if known.empty or known["epoch"].nunique() < 2:
        raise Undecided(f"{runs.name} measured {column!r} of {method!r} at fewer than two epochs")
    by_seed = known.groupby("seed")[column]
    return by_seed.first().to_numpy(), by_seed.last().to_numpy()
