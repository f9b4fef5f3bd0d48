"""Where the derived architectures lie among all of the table's."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from harness.plots.base import Figure
from harness.plots.choose import require_whole_table
from harness.plots.content import Content
from harness.results.runs import Runs
from harness.tables.table import Table

POINTS = 400
TABLE = "table"


class PlaceFigure(Figure):
    """The share of the table's architectures that are at or below an error, with the derived ones on the curve."""

    name = "place"
    needs: ClassVar[str] = "a table of all architectures"
    see: ClassVar[str] = (
        "The curve is every architecture of the table, the marks what was derived: to the left of the middle is "
        "better than drawing at random."
    )
    row_height: ClassVar[float] = 2.8
    legend: ClassVar[bool] = True

    def data(self, runs: Runs) -> Content:
        """what ("table": quantiles of its errors; "run": what a run derived last), method, error_pct, share of the
        table's architectures at or below the error, in %."""
        import pandas as pd

        table = require_whole_table(runs)
        ends = runs.endpoints().runs[["method", "final_error_pct"]].rename(columns={"final_error_pct": "error_pct"})
        ends = ends.assign(what="run", share=compute_share_below(table, ends["error_pct"].to_numpy()))
        rows = pd.concat([compute_quantile_curve(table), ends], ignore_index=True)
        title = f"{table.name}: {table.test}, all architectures, and those that were derived last"
        return Content(rows, title, value=table.scale.axis)

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        draw_curve(content.rows[content.rows["what"] == TABLE], ax, content.value)
        runs = content.rows[content.rows["what"] == "run"]
        found = list(runs.groupby("method", sort=False))
        for place, (name, part) in enumerate(found):
            line = content.look[str(name)]
            ax.plot(
                part["error_pct"], part["share"], linestyle="", marker=line.marker, color=line.color, alpha=0.85,
                markersize=5, markeredgecolor="white", markeredgewidth=0.4, label=content.look.label(str(name)),
            )  # fmt: skip
            # the same errors again as a row of ticks, where no method hides another
            ax.plot(
                part["error_pct"], [-8 - 7 * place] * len(part), linestyle="", marker="|", color=line.color,
                markersize=5, markeredgewidth=1.2,
            )  # fmt: skip
        ax.set(ylim=(-7 - 7 * len(found), 102), yticks=range(0, 101, 20))
        content.look.limit(ax, x="error")


def compute_quantile_curve(table: Table) -> Any:
    """Quantiles of the errors of all architectures: what, method, error_pct, share in %."""
    import pandas as pd

    error = table.scale.error_of(table.row_values(table.test))
    share = np.linspace(0, 100, POINTS)
    levels = np.percentile(error[~np.isnan(error)], share)
    return pd.DataFrame({"what": TABLE, "method": None, "error_pct": levels, "share": share})


def compute_share_below(table: Table, errors: Any) -> Any:
    """Share of the table's architectures at or below each error, in %."""
    known = np.sort(table.scale.error_of(table.row_values(table.test)))
    known = known[~np.isnan(known)]
    # means over trials, read from rows and from arrays, may differ in the last bits
    return 100 * np.searchsorted(known, np.asarray(errors) + 1e-4, side="right") / len(known)


def draw_curve(rows: Any, ax: Any, value: str) -> None:
    """The table's architectures over the logarithm of their error. value: what that is, with its unit."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    ax.plot(rows["error_pct"], rows["share"], color="0.55", linewidth=1.2, zorder=1)
    if rows["error_pct"].min() > 0:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 4, 6), numticks=12))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set(xlabel=f"{value}, log scale", ylabel="architectures at or below (%)")
