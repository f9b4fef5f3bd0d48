"""Claims about one moment of a search: what a log says after an epoch."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from harness.core.errors import suggest_names
from harness.results.runs import Runs
from harness.spaces.base import Space
from harness.stats.intervals import Floats, predict_mean
from harness.verdicts.claims.base import Evidence, RunClaim, Undecided, Verdict, state_of
from harness.verdicts.claims.kinds.final import FEWEST_RUNS


class AtEpoch(RunClaim):
    """After an epoch, a quantity is `value`, as a log of one run has it.

    Reproduced where the value is within the 95 % prediction interval of one further run, not reproduced where it is
    outside. One or two runs have no such interval: how far one run lies from the next is not known then.

    quantity: a column of epochs.parquet, or "weight of OPERATION", its mean mixing weight over all choices of
    operations.
    """

    name = "at-epoch"
    method: str
    quantity: str
    epoch: int = Field(ge=0)
    value: float

    def claimed(self) -> str:
        return f"{self.value:g}"

    def check(self, evidence: Evidence) -> Verdict:
        runs = self.decided_by(evidence, self.method)
        values = collect_at_epoch(runs, self.method, self.quantity, self.epoch)
        n, found = len(values), float(values.mean())
        told = f"{n} run{'s' * (n > 1)} of {runs.name}, after epoch {self.epoch}"
        if n < FEWEST_RUNS:
            few = f"{told}: {found:.4g}; how far one run lies from the next is not known from so few"
            return Verdict("cannot be tested", few, found, n)
        interval = predict_mean(values, 1)
        inside = interval.low <= self.value <= interval.high
        why = f"{told}: one further run is to be expected between {interval.low:.4g} and {interval.high:.4g}"
        return Verdict(state_of(inside), why, found, n, interval)


def collect_at_epoch(runs: Runs, method: str, quantity: str, epoch: int) -> Floats:
    """A quantity of every seed after an epoch."""
    rows = runs.epochs
    rows = rows[(rows["method"] == method) & (rows["epoch"] == epoch)].sort_values("seed")
    if rows.empty:
        raise Undecided(f"{runs.name} has no epoch {epoch} of {method!r}")
    if quantity.startswith(WEIGHT):
        if runs.space is None:
            raise Undecided(f"the space of {runs.name} is not known")
        return np.array([compute_weight(runs.space, a, quantity.removeprefix(WEIGHT)) for a in rows["alphas"]])
    if quantity not in rows:
        raise Undecided(f"{runs.name} has no quantity {quantity!r}: {suggest_names(quantity, map(str, rows.columns))}")
    values: Floats = rows[quantity].to_numpy(dtype=float)
    if np.isnan(values).any():
        raise Undecided(f"{runs.name} has no {quantity!r} after epoch {epoch}")
    return values


WEIGHT = "weight of "


def compute_weight(space: Space, logits: Floats, operation: str) -> float:
    """Mean softmax of an operation over all choices of operations. logits: all tensors, flat."""
    if operation not in space.operations:
        raise Undecided(f"the space {space.name} has no operation {operation!r}")
    ends = np.cumsum([a * b for a, b in space.alpha_shapes])[:-1]
    found = []
    for part, choices in zip(np.split(np.asarray(logits), ends), space.tensors, strict=True):
        if choices.kind == "operations":
            rows = np.exp(part.reshape(choices.shape))
            shares = rows / rows.sum(axis=1, keepdims=True)
            found += [s[o.index(operation)] for s, o in zip(shares, choices.options, strict=True) if operation in o]
    return float(np.mean(found))
