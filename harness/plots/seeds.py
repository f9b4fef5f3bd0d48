"""Every seed's last error, method beside method."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from harness.plots.base import EM_POINTS, Figure
from harness.plots.content import Content
from harness.plots.trajectory import draw_reference
from harness.results.endpoints import Endpoints
from harness.results.runs import Runs

AXIS_POINTS = 40
"""Of the width, for what stands left of the panel."""
SPREAD = 0.28
"""Width over which points of one method are laid out."""


class Seeds(Figure):
    """The last error of every seed, with the quartiles of each method."""

    name = "seeds"
    see: ClassVar[str] = (
        "Each mark is one seed. Look at the spread before the medians: where boxes overlap most of their height, "
        "another set of seeds can turn their order round."
    )
    row_height: ClassVar[float] = 2.8
    joined: bool = False
    """Whether runs of equal seeds are joined by a line."""

    def data(self, runs: Runs) -> Content:
        """method, seed, error_pct: of the architecture recorded last."""
        rows = (
            runs.endpoints()
            .runs[["method", "seed", "final_error_pct"]]
            .rename(columns={"final_error_pct": "error_pct"})
        )
        scale, known = runs.endpoints().scale, list_references(runs.endpoints())
        title = f"last {scale.error} of every seed; box: quartiles and median"
        return Content(rows, title, reference=known, value=scale.axis)

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        counts = []
        ends = content.rows.pivot(index="seed", columns="method", values="error_pct")
        ends = ends[[name for name, _ in content.by_method()]]
        if self.joined and ends.notna().all(axis=None):
            for _, run in ends.iterrows():
                ax.plot(range(len(run)), run, color="0.8", linewidth=0.6, zorder=0)
        for place, (name, part) in enumerate(content.by_method()):
            values = part.sort_values("seed")["error_pct"].to_numpy()
            ax.boxplot(
                values, positions=[place], widths=0.5, showfliers=False, manage_ticks=False,
                medianprops={"color": "0.2"}, boxprops={"linewidth": 0.8}, whiskerprops={"linewidth": 0.8},
            )  # fmt: skip
            at = [place + SPREAD * (i / max(1, len(values) - 1) - 0.5) for i in range(len(values))]
            line = content.look[name]
            ax.plot(at, values, linestyle="", marker=line.marker, color=line.color, markersize=3.5, alpha=0.85)
            counts.append(f"{content.look.label(name)}\nn = {len(values)}")
        draw_reference(content, ax)
        longest = max(len(line) for c in counts for line in c.splitlines())
        crowded = (longest + 1) * len(counts) * EM_POINTS > 72 * self.width - AXIS_POINTS
        ax.set_xticks(
            range(len(counts)), counts, rotation=35 if crowded else 0, ha="right" if crowded else "center",
            rotation_mode="anchor",
        )  # fmt: skip
        ax.set_xlim(-0.6, len(counts) - 0.4)
        ax.set_ylabel(content.value)
        content.look.limit(ax, y="error")

    def finish(self, content: Content, page: Any, axes: list[Any]) -> None:
        if content.reference:
            self.add_legend(page, *axes[0].get_legend_handles_labels())


def list_references(found: Endpoints) -> dict[str, float]:
    """The table's optimum and random median, where they are known."""
    known = {"table optimum": found.optimum, "random architecture (median)": found.random_median}
    return {name: level for name, level in known.items() if not math.isnan(level)}
