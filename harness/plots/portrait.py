"""One architecture: its cell, and where it stands among a table's; no run is needed."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.plots.base import Picture
from harness.plots.cell import list_edges
from harness.plots.content import Content
from harness.plots.place import compute_quantile_curve, compute_share_below, draw_curve
from harness.plots.style import LOUD
from harness.plots.wiring import draw_cell, lay_out_cell, list_cell_edges
from harness.spaces.base import Architecture, Space
from harness.tables.table import Table

CELL = "cell"


class Portrait(Picture):
    """An architecture's cell, and the table's errors with its own marked."""

    per_row: ClassVar[int] = 2
    narrowest: ClassVar[float] = 2.4

    def of(self, space: Space, architecture: Architecture, table: Table | None) -> Content:
        """panel "cell": source, target, operation, told, role of each edge. panel of the measure: what ("table",
        "architecture"), error_pct, share of the table's architectures at or below it, in %."""
        import pandas as pd

        edges = [{"panel": CELL, **edge._asdict()} for edge in list_cell_edges(space, architecture)]
        if table is None:
            return Content(pd.DataFrame(edges), architecture.encoding, (CELL,))
        scale = table.scale
        error = scale.error_of(table.lookup(architecture, table.test))
        title, where = f"{architecture.encoding}: {scale.error} {scale.told(error)}", f"{table.name}: {table.test}"
        if not table.complete:
            return Content(pd.DataFrame(edges), f"{title} in {where}", (CELL,))
        own = {"what": "architecture", "error_pct": error, "share": float(compute_share_below(table, [error])[0])}
        among = pd.concat([compute_quantile_curve(table).drop(columns="method"), pd.DataFrame([own])]).assign(
            panel=where
        )
        return Content(
            pd.concat([pd.DataFrame(edges), among], ignore_index=True), title, (CELL, where), value=scale.axis
        )

    def panel_height(self, content: Content, width: float) -> float:
        return max(0.25 + width * lay_out_cell(list_edges(content, CELL)).ratio, 2.4 if len(content.panels) > 1 else 0)

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        if panel == CELL:
            ax.set_title("")
            draw_cell(list_edges(content, CELL), ax, 7)
            return
        part = content.of(panel)
        own = part[part["what"] == "architecture"].iloc[0]
        draw_curve(part[part["what"] == "table"], ax, content.value)
        ax.plot([own["error_pct"]], [own["share"]], marker="o", color=LOUD, markersize=6)
        ax.axvline(own["error_pct"], color=LOUD, linewidth=0.7)
        ax.set_title(f"{panel}\n{own['share']:.1f} % of all architectures are as good or better", fontsize="medium")
