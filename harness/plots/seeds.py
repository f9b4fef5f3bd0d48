"""Every seed's last error, method beside method."""

from __future__ import annotations

import math
from typing import Any

from harness.plots.content import Content
from harness.plots.style import lines
from harness.results.endpoints import Endpoints

SPREAD = 0.28
"""Width over which points of one method are laid out."""


def data(found: Endpoints) -> Content:
    """method, seed, error_pct: of the architecture recorded last."""
    rows = found.runs[["method", "seed", "final_error_pct"]].rename(columns={"final_error_pct": "error_pct"})
    return Content(rows, "last error of every seed; box: quartiles and median", reference=references(found))


def references(found: Endpoints) -> dict[str, float]:
    """The table's optimum and random median, where they are known."""
    known = {"table optimum": found.optimum, "random architecture (median)": found.random_median}
    return {name: level for name, level in known.items() if not math.isnan(level)}


def draw(content: Content, ax: Any, panel: str | None = None) -> None:
    methods = list(content.rows["method"].unique())
    style = lines(methods)
    for place, name in enumerate(methods):
        values = content.rows[content.rows["method"] == name].sort_values("seed")["error_pct"].to_numpy()
        ax.boxplot(
            values, positions=[place], widths=0.5, showfliers=False, manage_ticks=False, medianprops={"color": "0.2"}
        )
        at = [place + SPREAD * (i / max(1, len(values) - 1) - 0.5) for i in range(len(values))]
        ax.plot(at, values, linestyle="", marker=style[name].marker, color=style[name].colour, markersize=4, alpha=0.8)
    for (label, level), dash in zip(content.reference.items(), ("-", ":"), strict=False):
        ax.axhline(level, color="0.35", linestyle=dash, linewidth=0.9, label=f"{label}: {level:.2f}")
    counts = [f"{m}\nn = {(content.rows['method'] == m).sum()}" for m in methods]
    ax.set_xticks(range(len(methods)), counts, rotation=0 if len(methods) <= 6 else 60, fontsize="small")
    ax.set_ylabel("error (%)")
    if content.reference:
        ax.legend(frameon=False, fontsize="small")
