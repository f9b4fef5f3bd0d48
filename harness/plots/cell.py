"""Derived cells as graphs."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.plots.base import Figure
from harness.plots.choose import require_space
from harness.plots.content import Content
from harness.plots.wiring import Edge, draw_cell, lay_out_cell, list_cell_edges
from harness.results.runs import Runs

TITLE_INCHES = 0.25
NODE_INCHES = 0.36
"""Of the width, for a node and the name of an operation beside it."""


class CellFigure(Figure):
    """The cell that a method derived most often, of its last epochs."""

    name = "cell"
    see: ClassVar[str] = (
        "Operations with weights, and without, have colours of their own. A cell of skips or pools alone is what "
        "a collapsed search derives; how many runs agree on it is above each cell."
    )
    per_row: ClassVar[int] = 2

    def data(self, runs: Runs) -> Content:
        """panel (a method), runs (how many derived it, of how many), source, target, operation, told, role: the edges
        of the cell derived most often at the last epoch (the first of equals); an operation on a node stands at source
        = target."""
        import pandas as pd

        rows = []
        for method, part in runs.endpoints().runs.groupby("method", sort=False):
            counts = part["final_architecture"].value_counts(sort=False)
            found = list_cell_edges(require_space(runs), require_space(runs).parse(str(counts.idxmax())))
            told = f"{counts.max()} of {len(part)}"
            rows += [{"panel": method, "runs": told, **edge._asdict()} for edge in found]
        frame = pd.DataFrame(rows)
        return Content(frame, "the cell that was derived most often", panels=tuple(frame["panel"].unique()))

    def least_width(self, content: Content) -> float:
        return max(
            self.narrowest, NODE_INCHES * max(lay_out_cell(list_edges(content, p)).right for p in content.panels)
        )

    def panel_height(self, content: Content, width: float) -> float:
        return TITLE_INCHES + width * max(lay_out_cell(list_edges(content, panel)).ratio for panel in content.panels)

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        runs = content.of(panel)["runs"].iloc[0]
        ax.set_title(f"{content.look.label(str(panel))} ({runs})", fontsize="medium")
        draw_cell(list_edges(content, panel), ax, 5.5 if self.width > 5 else 4.5)
        ax.set_anchor("N")  # titles of a row on one line, whatever the heights of its cells


def list_edges(content: Content, panel: str | None) -> list[Edge]:
    """The edges of a panel."""
    part = content.of(panel)
    part = part.astype({"source": int, "target": int})
    return [Edge(*row) for row in part[list(Edge._fields)].itertuples(index=False)]
