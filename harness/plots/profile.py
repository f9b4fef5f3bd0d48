"""Performance profile: the share of runs that end at or below an error."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.plots.content import Content
from harness.plots.seeds import references
from harness.plots.style import lines
from harness.results.endpoints import Endpoints
from harness.stats.effects import performance_profile

POINTS = 200


def data(found: Endpoints) -> Content:
    """method, error_pct, share (Dolan & More 2002; as rliable draws them)."""
    import pandas as pd

    errors = found.runs["final_error_pct"]
    low = min([errors.min(), *references(found).values()])
    thresholds = np.linspace(low, errors.max(), POINTS)
    parts = [
        pd.DataFrame(
            {"method": m, "error_pct": thresholds, "share": performance_profile(found.values(m, "final"), thresholds)}
        )
        for m in found.runs["method"].unique()
    ]
    return Content(pd.concat(parts, ignore_index=True), "share of runs that end at or below an error")


def draw(content: Content, ax: Any, panel: str | None = None) -> None:
    methods = list(content.rows["method"].unique())
    style = lines(methods)
    for name in methods:
        part = content.rows[content.rows["method"] == name]
        ax.plot(part["error_pct"], part["share"], color=style[name].colour, linestyle=style[name].dash, label=name)
    ax.set_xlabel("error (%)")
    ax.set_ylabel("share of runs")
    ax.set_ylim(-0.02, 1.02)
