"""Local search over a table."""

from __future__ import annotations

from harness.search.searchers.table_search import Scored, TableSearch, TableSearcher
from harness.spaces.base import Architecture


class LocalSearch(TableSearcher):
    """Ask for all neighbors of a point and move to the best; begin anew at random where none is better.

    White, Nolen & Savani, UAI 2021 (arXiv 2005.02960). An evaluation is one neighbor, in the space's order.
    """

    name = "local-search"
    paper = "White et al., UAI 2021 (2005.02960)"

    def propose(self, search: TableSearch) -> Architecture:
        if not search.memory.get("point"):
            return search.space.random(search.rng)
        neighbors = search.space.neighbors(search.memory["point"][0][0])
        return neighbors[len(search.memory["asked"])]

    def learn(self, search: TableSearch, scored: Scored, at: int) -> None:
        if not search.memory.get("point"):
            search.memory |= {"point": [scored], "asked": []}
            return
        search.memory["asked"].append(scored)
        (point, score), asked = search.memory["point"][0], search.memory["asked"]
        if len(asked) == len(search.space.neighbors(point)):
            best = max(asked, key=lambda found: found[1])
            search.memory |= {"point": [best] if best[1] > score else [], "asked": []}
