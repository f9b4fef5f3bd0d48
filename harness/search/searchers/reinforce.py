"""REINFORCE over a table: a policy of independent choices, moved by the score function."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.search.naming import NamedUse
from harness.search.searchers.table_search import Scored, TableSearch, TableSearcher
from harness.spaces.base import Architecture

BETAS = (0.9, 0.999)
TINY = 1e-8


class Reinforce(TableSearcher):
    """Adam on (reward - baseline) d log p(architecture) / d logits; the baseline is a moving average of the rewards.

    Williams, Machine Learning 1992; as the NAS-Bench-201 authors use it: one logit an option, reward the validation
    accuracy in %, decay 0.9; the average takes in a reward before it is compared with it, so that the first one moves
    nothing.

    A row that takes several parents draws them one after the other without replacement (Plackett-Luce).
    """

    name = "reinforce"
    paper = "Williams, Machine Learning 8, 1992; Dong & Yang, ICLR 2020 (2001.00326)"
    decisions = ("blackbox_reinforce",)
    methods: ClassVar = {"reinforce": NamedUse(official={"initial": 1e-3, "overruns": True})}
    status = "conforms"
    later = (*TableSearcher.later, "initial")
    rate: float = Field(0.01, gt=0)
    """0.01 in NATS-Bench's scripts; 0.5 in NAS-Bench-201's documentation, which settles too early on the embedded
    tables."""
    decay: float = Field(0.9, ge=0, lt=1)
    """Of the moving average of the rewards."""
    initial: float = Field(0.0, ge=0)
    """Standard deviation of the initial logits, 0.001 in those scripts (`official`)."""

    def propose(self, search: TableSearch) -> Architecture:
        """Draw by the Gumbel trick: the largest perturbed logits are a draw without replacement, in their order."""
        if self.initial and "logits" not in search.numbers:
            size = sum(rows * options for rows, options in search.space.alpha_shapes)
            search.numbers["logits"] = (self.initial * search.rng.standard_normal(size)).tolist()
        scores, drawn = [], []
        for logits, picks in zip(self._logits(search), search.space.picks, strict=True):
            perturbed = logits + search.rng.gumbel(size=logits.shape)
            order = np.argsort(-perturbed, axis=1)[:, :picks]
            scores.append(np.stack([score(row, taken) for row, taken in zip(logits, order, strict=True)]))
            drawn.append(perturbed)
        search.numbers["score"] = np.concatenate([s.ravel() for s in scores]).tolist()
        return search.space.derive(drawn)

    def learn(self, search: TableSearch, scored: Scored, at: int) -> None:
        reward = scored[1]
        if np.isnan(reward):
            return
        numbers = search.numbers
        total, weight = numbers.get("baseline", (0.0, 0.0))
        total, weight = (self.decay * v + (1 - self.decay) * new for v, new in ((total, reward), (weight, 1.0)))
        gradient = (reward - total / weight) * np.array(numbers["score"])
        size = len(gradient)
        first, second = (np.array(numbers.get(k, [0.0] * size)) for k in ("first", "second"))
        first = BETAS[0] * first + (1 - BETAS[0]) * gradient
        second = BETAS[1] * second + (1 - BETAS[1]) * gradient**2
        steps = numbers.get("steps", 0) + 1
        move = first / (1 - BETAS[0] ** steps) / (np.sqrt(second / (1 - BETAS[1] ** steps)) + TINY)
        logits = np.array(numbers.get("logits", [0.0] * size)) + self.rate * move
        search.numbers |= {
            "baseline": [total, weight],
            "first": first.tolist(),
            "second": second.tolist(),
            "steps": steps,
            "logits": logits.tolist(),
        }

    def _logits(self, search: TableSearch) -> list[NDArray[np.float64]]:
        shapes = search.space.alpha_shapes
        flat = np.array(search.numbers.get("logits") or [0.0] * sum(a * b for a, b in shapes))
        ends = np.cumsum([a * b for a, b in shapes])[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends), shapes, strict=True)]


def score(logits: NDArray[np.float64], taken: NDArray[np.intp]) -> NDArray[np.float64]:
    """d log p / d logits of drawing the options `taken`, in this order, without replacement."""
    total = np.zeros_like(logits)
    left = np.ones(len(logits), dtype=bool)
    for option in taken:
        weights = np.where(left, np.exp(logits - logits[left].max()), 0.0)
        total -= weights / weights.sum()
        total[option] += 1.0
        left[option] = False
    return total
