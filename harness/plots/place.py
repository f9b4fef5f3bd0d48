"""Where the derived architectures lie among all of the table's."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.core.errors import HarnessError
from harness.plots.content import Content
from harness.plots.style import lines
from harness.results.endpoints import Endpoints
from harness.tables.table import Table

BINS = 60


def data(found: Endpoints, table: Table | None) -> Content:
    """what ("table": one row a bin with its left edge and count; a method: one row a run), error_pct, count, width."""
    import pandas as pd

    if table is None or not table.complete:
        raise HarnessError("the spread of a table's architectures needs a table that holds all of them")
    error = 100 - table.vector(table.test)
    count, edges = np.histogram(error[~np.isnan(error)], BINS)
    rows = [
        {"what": "table", "error_pct": e, "count": c, "width": edges[1] - edges[0]}
        for e, c in zip(edges, count, strict=False)
    ]
    for method, part in found.runs.groupby("method", sort=False):
        rows += [{"what": method, "error_pct": e, "count": 1, "width": 0.0} for e in part["final_error_pct"]]
    return Content(pd.DataFrame(rows), f"{table.name}: all architectures, and those that were derived last")


def draw(content: Content, ax: Any, panel: str | None = None) -> None:
    table = content.rows[content.rows["what"] == "table"]
    ax.bar(table["error_pct"], table["count"], width=table["width"], align="edge", color="0.82")
    methods = [m for m in content.rows["what"].unique() if m != "table"]
    style = lines(methods)
    top = table["count"].max()
    for place, name in enumerate(methods):
        part = content.rows[content.rows["what"] == name]["error_pct"]
        level = top * (1.06 + 0.09 * place)
        ax.plot(
            part, [level] * len(part), linestyle="", marker=style[name].marker, color=style[name].colour, alpha=0.6,
            markersize=5, label=name,
        )  # fmt: skip
    ax.set_xlabel("error (%)")
    ax.set_ylabel("architectures")
