"""Collapse: the share of runs that have collapsed for good by each epoch, by the declared rule and by the others."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from harness.plots.base import Figure
from harness.plots.content import Content
from harness.plots.style import is_first_column, shift_line
from harness.results.runs import Runs

DEFINITIONS: dict[str, str] = {
    "above-random": "worse than random",
    "parameter-free": "without parameters",
    "skips": "many skips",
    "degraded": "far above own best",
}


class Onset(Figure):
    """The share of runs that have collapsed by an epoch, by the rule that the study declared and by the three others:
    worse than a random architecture, many operations without parameters or skips, or far above the run's best."""

    name = "onset"
    see: ClassVar[str] = (
        "A line that rises early collapses early; one that stays at zero never collapses. Each panel counts by "
        "another rule; what the study claims is about the one that it declared. Lines are drawn a little beside each "
        "other, so that equal ones can be seen."
    )
    row_height: ClassVar[float] = 2.3
    narrowest: ClassVar[float] = 1.0
    legend: ClassVar[bool] = True
    share_y: ClassVar[bool] = True

    def data(self, runs: Runs) -> Content:
        """panel (the definition), method, epoch, share of runs whose collapse began by then and lasted to the end."""
        import pandas as pd

        rows = []
        epochs = int(runs.epochs["epoch"].max())
        chosen = runs.declared.failure
        names = {chosen: f"{DEFINITIONS[chosen]} (declared)"} | {
            rule: told for rule, told in DEFINITIONS.items() if rule != chosen
        }
        for rule, told in names.items():
            for method, part in runs.endpoints().runs.groupby("method", sort=False):
                onset = part[f"onset_{rule.replace('-', '_')}"].to_numpy()
                rows += [
                    {"panel": told, "method": method, "epoch": e, "share": float(np.mean(onset <= e))}
                    for e in range(epochs + 1)
                ]
        title = "share of runs that have collapsed, for good, by an epoch (equal lines are drawn beside each other)"
        return Content(pd.DataFrame(rows), title, panels=tuple(names.values()))

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        found = content.by_method(panel)
        for place, (name, part) in enumerate(found):
            line = content.look[name]
            ax.plot(
                part["epoch"], part["share"], color=line.color, linestyle=line.dash, linewidth=line.width,
                drawstyle="steps-post", label=content.look.label(name), transform=shift_line(ax, place, len(found)),
            )  # fmt: skip
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_xlabel("epoch")
        if is_first_column(ax):
            ax.set_ylabel("share of runs")
        ax.set(xlim=(0, content.rows["epoch"].max()), ylim=(-0.05, 1.05))
        content.look.limit(ax, x="epoch")
