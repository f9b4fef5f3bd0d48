"""Random search over a table: the floor that a differentiable search has to beat."""

from __future__ import annotations

from harness.search.searchers.table_search import TableSearch, TableSearcher
from harness.spaces.base import Architecture


class RandomSearcher(TableSearcher):
    """Draw architectures uniformly from the space."""

    name = "random-search"
    paper = "Li & Talwalkar, UAI 2019 (1902.07638)"

    def propose(self, search: TableSearch) -> Architecture:
        return search.space.random(search.rng)
