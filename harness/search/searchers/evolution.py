"""Regularized evolution over a table."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from harness.search.naming import Named
from harness.search.searchers.table_search import Scored, TableSearch, TableSearcher
from harness.spaces.base import Architecture


class RegularizedEvolution(TableSearcher):
    """Mutate the best of a random sample of the population; the child replaces the oldest member.

    Real et al., AAAI 2019 (arXiv 1802.01548), algorithm 1. A mutation is a neighbour drawn uniformly. population,
    sample: 10 and 3 as for NAS-Bench-201 and NATS-Bench (100 and 10 for NAS-Bench-101).
    """

    name = "regularized-evolution"
    paper = "Real et al., AAAI 2019 (1802.01548)"
    methods: ClassVar = {"regularized-evolution": Named(), "regularised-evolution": Named(alias=True)}
    population: int = Field(10, ge=1)
    sample: int = Field(3, ge=1)

    def propose(self, search: TableSearch) -> Architecture:
        members = search.memory.get("population", [])
        if len(members) < self.population:
            return search.space.random(search.rng)
        chosen = search.rng.choice(len(members), min(self.sample, len(members)), replace=False)
        scores = [members[i][1] for i in chosen]
        parent = members[chosen[int(np.nanargmax(scores)) if not np.isnan(scores).all() else 0]][0]
        neighbours = search.space.neighbours(parent)
        return neighbours[int(search.rng.integers(len(neighbours)))]

    def learn(self, search: TableSearch, scored: Scored, at: int) -> None:
        search.memory["population"] = [*search.memory.get("population", []), scored][-self.population :]
