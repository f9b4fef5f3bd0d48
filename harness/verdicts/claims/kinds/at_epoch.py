"""Claims about one moment of a search: what a log says after an epoch."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from harness.core.errors import did_you_mean
from harness.results.load import Finished
from harness.spaces.base import Space
from harness.stats.intervals import Floats
from harness.verdicts.claims.base import Evidence, RunClaim, Undecided, Verdict, agrees, state_of


class AtEpoch(RunClaim):
    """After an epoch, a quantity is `value` within `tolerance`: the mean over the runs, without an interval, since what
    is claimed is a log of one run.

    quantity: a column of epochs.parquet, or "weight of OPERATION", its mean mixing weight over all choices of
    operations.
    """

    name = "at-epoch"
    method: str
    quantity: str
    epoch: int = Field(ge=0)
    value: float
    tolerance: float = Field(gt=0)

    def claimed(self) -> str:
        return f"{self.value:g} ± {self.tolerance:g}"

    def check(self, evidence: Evidence) -> Verdict:
        runs = self.decided_by(evidence, self.method)
        values = at_epoch(runs, self.method, self.quantity, self.epoch)
        found = float(values.mean())
        told = f"{len(values)} run{'s' * (len(values) > 1)} of {runs.name}, after epoch {self.epoch}"
        return Verdict(state_of(agrees(found, self.value, self.tolerance)), told, found, len(values))


def at_epoch(runs: Finished, method: str, quantity: str, epoch: int) -> Floats:
    """A quantity of every seed after an epoch."""
    rows = runs.results.epochs
    rows = rows[(rows["method"] == method) & (rows["epoch"] == epoch)].sort_values("seed")
    if rows.empty:
        raise Undecided(f"{runs.name} has no epoch {epoch} of {method!r}")
    if quantity.startswith(WEIGHT):
        if runs.results.space is None:
            raise Undecided(f"the space of {runs.name} is not known")
        return np.array([weight_of(runs.results.space, a, quantity.removeprefix(WEIGHT)) for a in rows["alphas"]])
    if quantity not in rows:
        raise Undecided(f"{runs.name} has no quantity {quantity!r}: {did_you_mean(quantity, map(str, rows.columns))}")
    values: Floats = rows[quantity].to_numpy(dtype=float)
    if np.isnan(values).any():
        raise Undecided(f"{runs.name} has no {quantity!r} after epoch {epoch}")
    return values


WEIGHT = "weight of "


def weight_of(space: Space, logits: Floats, operation: str) -> float:
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
