"""Collapse: the share of runs that have collapsed for good by each epoch, by three definitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.plots.content import Content
from harness.plots.style import lines
from harness.results.endpoints import Endpoints

DEFINITIONS = {
    "onset_above_random": "worse than a random architecture",
    "onset_parameter_free": "operations without parameters",
    "onset_degraded": "far above the run's best",
}


def data(found: Endpoints, epochs: int) -> Content:
    """panel (the definition), method, epoch, share of runs whose collapse began by then and lasted to the end."""
    import pandas as pd

    rows = []
    for column, told in DEFINITIONS.items():
        for method, part in found.runs.groupby("method", sort=False):
            onset = part[column].to_numpy()
            rows += [
                {"panel": told, "method": method, "epoch": e, "share": float(np.mean(onset <= e))}
                for e in range(epochs + 1)
            ]
    title = "share of runs that have collapsed, for good, by an epoch"
    return Content(pd.DataFrame(rows), title, panels=tuple(DEFINITIONS.values()))


def draw(content: Content, ax: Any, panel: str | None = None) -> None:
    part = content.of(panel)
    methods = list(part["method"].unique())
    style = lines(methods)
    for name in methods:
        run = part[part["method"] == name]
        ax.plot(
            run["epoch"], run["share"], color=style[name].colour, linestyle=style[name].dash, drawstyle="steps-post",
            label=name,
        )  # fmt: skip
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("epoch")
    ax.set_ylabel("share of runs")
    ax.set_ylim(-0.02, 1.02)
