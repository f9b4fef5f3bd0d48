"""A probe."""

from typing import Any

from harness.search.probes.base import Probe
from harness.search.state import SearchState
from harness.tables.table import Table


class Margin(Probe):
    """`margin`: mean difference between the two largest mixing weights of a choice."""

    name = "margin"
    paper = "an example"

    def measure(self, search: SearchState, table: Table | None) -> dict[str, Any]:
        rows = [row for mix in search.searcher.relax(search.alphas) for row in mix.detach()]
        gaps = [row.topk(2).values for row in rows]
        return {"margin": float(sum(g[0] - g[1] for g in gaps) / len(gaps))}
