"""Hyperband over a table: successive halving on the epochs of its training curves."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from harness.search.searchers.table_search import Scored, TableSearch, TableSearcher
from harness.spaces.base import Architecture


class Hyperband(TableSearcher):
    """Train many architectures for a few epochs, keep the best 1/eta for eta times as many, and so on to the end.

    Li et al., JMLR 2018 (arXiv 1603.06560), algorithm 1, brackets from the most aggressive to a plain one, again and
    again. An evaluation pays for all its epochs (no training goes on from a shorter one, as in NATS-Bench's scripts).
    The incumbent is the best of those trained longest. convention `natsbench`: a rung is an epoch of the schedule's
    curve. `nasbench201`: a rung is ignored, every evaluation gives and pays for the whole schedule, which is what
    NAS-Bench-201's own BOHB script does; results of the two are not comparable.
    """

    name = "hyperband"
    paper = "Li et al., JMLR 2018 (1603.06560)"
    decisions = ("blackbox_hyperband_brackets",)
    status = "conforms"
    eta: int = Field(3, ge=2)
    """1/eta of the architectures go on to eta times the epochs."""
    convention: Literal["natsbench", "nasbench201"] = "natsbench"
    """Whether a rung is an epoch of the schedule's curve (`natsbench`), or is ignored (`nasbench201`)."""

    def propose(self, search: TableSearch) -> Architecture:
        return search.space.random(search.rng)

    def next(self, search: TableSearch) -> tuple[Architecture, int]:
        levels = self.levels(search)
        place = search.numbers.setdefault("place", [len(levels) - 1, 0])
        done = search.memory.setdefault("rung", [])
        sizes = self.sizes(len(levels) - 1, place[0])
        if len(done) == sizes[place[1]]:
            place[1] += 1
            if place[1] == len(sizes):
                place[:] = [place[0] - 1 if place[0] else len(levels) - 1, 0]
                sizes = self.sizes(len(levels) - 1, place[0])
            best = sorted(done, key=lambda s: -math.inf if math.isnan(s[1]) else s[1], reverse=True)
            search.memory["promoted"] = best[: sizes[place[1]]] if place[1] else []
            done = search.memory["rung"] = []
        candidate = search.memory["promoted"][len(done)][0] if place[1] else self.propose(search)
        at = levels[len(levels) - len(sizes) + place[1]]
        return candidate, search.measure.epochs if self.convention == "nasbench201" else at

    def learn(self, search: TableSearch, scored: Scored, at: int) -> None:
        search.memory["rung"].append(scored)

    def levels(self, search: TableSearch) -> list[int]:
        """Epochs of the rungs, ascending: the schedule's length divided by powers of eta, on its curve."""
        shortest, *_ = search.table.curve_epochs(search.measure)
        return [int(budget) for budget in self.budgets(shortest, search.measure.epochs)]

    def budgets(self, shortest: float, longest: float) -> list[float]:
        """The rungs' lengths: the longest divided by powers of eta, not below the shortest."""
        count = math.floor(math.log(longest / shortest, self.eta) + 1e-9) + 1
        return [longest / self.eta**i for i in reversed(range(count))]

    def sizes(self, most: int, bracket: int) -> list[int]:
        """Architectures in each rung of a bracket. most: the number of the most aggressive bracket."""
        first = (most + 1) // (bracket + 1) * self.eta**bracket
        return [max(1, first // self.eta**i) for i in range(bracket + 1)]
