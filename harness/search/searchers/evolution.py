"""Regularized evolution over a table."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.search.naming import NamedUse
from harness.search.searchers.table_search import Scored, TableSearch, TableSearcher
from harness.spaces.base import Architecture

OFFICIAL = {"mutation": "node", "replacement": True, "overruns": True}


class RegularizedEvolution(TableSearcher):
    """Mutate the best of a random sample of the population; the child replaces the oldest member.

    Real et al., AAAI 2019 (arXiv 1802.01548), algorithm 1.
    """

    name = "regularized-evolution"
    paper = "Real et al., AAAI 2019 (1802.01548)"
    decisions = ("blackbox_rea",)
    methods: ClassVar = {
        "regularized-evolution": NamedUse(official=OFFICIAL),
        "regularised-evolution": NamedUse(alias=True, official=OFFICIAL),
    }
    status = "conforms"
    later = (*TableSearcher.later, "mutation", "replacement")
    population: int = Field(10, ge=1)
    """10 and 3 as for NAS-Bench-201 and NATS-Bench (100 and 10 for NAS-Bench-101)."""
    sample: int = Field(3, ge=1)
    """10 and 3 as for NAS-Bench-201 and NATS-Bench (100 and 10 for NAS-Bench-101)."""
    mutation: Literal["neighbor", "node"] = "neighbor"
    """A neighbor drawn uniformly; or, where all choices are edges of one cell, a node, one of its edges, and another
    operation of it, so that edges of nodes with few of them are drawn more often."""
    replacement: bool = False
    """A member may be drawn into the sample several times. The second of both is what NATS-Bench's script does
    (`official`)."""

    def propose(self, search: TableSearch) -> Architecture:
        members = search.memory.get("population", [])
        if len(members) < self.population:
            return search.space.random(search.rng)
        chosen = self._sampled(search.rng, len(members))
        scores = [members[i][1] for i in chosen]
        parent = members[chosen[int(np.nanargmax(scores)) if not np.isnan(scores).all() else 0]][0]
        edges = [t for t in search.space.tensors if t.nodes]
        if self.mutation == "node" and len(edges) == len(search.space.tensors) == 1:
            return self._mutated(search, parent, edges[0].nodes)
        neighbors = search.space.neighbors(parent)
        return neighbors[int(search.rng.integers(len(neighbors)))]

    def _sampled(self, rng: np.random.Generator, members: int) -> list[int]:
        if self.replacement:
            return [int(rng.integers(members)) for _ in range(self.sample)]
        return [int(i) for i in rng.choice(members, min(self.sample, members), replace=False)]

    @staticmethod
    def _mutated(search: TableSearch, parent: Architecture, nodes: tuple[int, ...]) -> Architecture:
        """Another operation on an edge of a node that is drawn first. nodes: those that the edges enter."""
        rng, (mix,) = search.rng, search.space.mix(parent)
        places = sorted(set(nodes))
        node = places[int(rng.integers(len(places)))]
        edges = [edge for edge, own in enumerate(nodes) if own == node]
        row = mix[edges[int(rng.integers(len(edges)))]]
        taken = operation = int(row.argmax())
        while operation == taken:
            operation = int(rng.integers(len(row)))
        row[:] = np.eye(len(row))[operation]
        return search.space.derive([mix])

    def learn(self, search: TableSearch, scored: Scored, at: int) -> None:
        search.memory["population"] = [*search.memory.get("population", []), scored][-self.population :]
