"""Dose and response: what a search ends at, against how strongly it was regularized."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from harness.core.text import format_p
from harness.plots.base import Figure
from harness.plots.choose import require_space
from harness.plots.content import Content
from harness.plots.style import MARKERS
from harness.results.doses import (
    add_doses,
    choose_dose,
    choose_never,
    compute_trend,
    count_skips,
    estimate_random_share,
    tabulate_ends,
)
from harness.results.runs import Runs

SKIPS, ONSET, SHARP, ERROR = "skips", "onset", "eigenvalue", "error"
LAST_SHARP, BY_SHARP = "largest eigenvalue, last measured", "skips, by the largest eigenvalue"
FROM = ", from epoch"
"""How the panel ends that shows when a collapse begins."""
BEYOND = 2
"""Epochs by which `never` lies beyond the last one."""
SIZE = 4.5
"""Of the marks, in points."""


class Dose(Figure):
    """The skips of the cell that is derived last, the epoch from which there are many, the largest eigenvalue and the
    last error, against a number in the methods' names, with a test of trend (Zela et al., ICLR 2020, 1909.09656, argue
    with such a figure)."""

    name = "dose"
    needs: ClassVar[str] = "methods named as weight_decay=0.0003"
    see: ClassVar[str] = (
        "Every mark is a run, and lines join the medians of equal doses; colors are the other numbers in the names. "
        "gamma is 1 where all runs of a color rise with the dose and -1 where all fall; p is two-sided, of this panel "
        "alone, and compares runs of one color only. Runs at never do not end with many skips."
    )
    per_row: ClassVar[int] = 2
    row_height: ClassVar[float] = 2.3
    narrowest: ClassVar[float] = 2.6
    legend: ClassVar[bool] = True

    def data(self, runs: Runs) -> Content:
        """panel, method, seed, group (the other numbers of the method's name), x (the dose; of the last panel the
        largest eigenvalue), value."""
        import pandas as pd

        name = choose_dose(runs.epochs["method"].unique())
        ends = tabulate_ends(runs, runs.declared.skips)
        ends[ERROR] = (
            np.nan
            if runs.table is None
            else [
                runs.endpoints().by_seed(m, "final").get(s, np.nan)
                for m, s in zip(ends["method"], ends["seed"], strict=True)
            ]
        )
        ends = add_doses(ends, name)
        kinds = {
            f"skips of the {count_skips(runs)[0]}": ("dose", SKIPS),
            describe_many_skips(runs): ("dose", ONSET),
            LAST_SHARP: ("dose", SHARP),
            BY_SHARP: (SHARP, SKIPS),
            "last error": ("dose", ERROR),
        }
        parts = {
            panel: ends.assign(panel=panel, x=ends[x], value=ends[y]).dropna(subset=["x", "value"])
            for panel, (x, y) in kinds.items()
        }
        parts = {panel: part for panel, part in parts.items() if len(part)}
        rows = pd.concat(parts.values(), ignore_index=True)[["panel", "method", "seed", "group", "x", "value"]]
        trends = [{"panel": panel} | summarize_trend(part, *kinds[panel]) for panel, part in parts.items()]
        return Content(
            rows, f"what searches end at, by {name}", tuple(parts), {"never": choose_never(runs)}, value=name,
            more={"trends": pd.DataFrame(trends)},
        )  # fmt: skip

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        import seaborn as sns

        part = content.of(panel)
        groups = sorted(content.rows["group"].unique())
        colors = sns.color_palette("viridis", len(groups) + 1)
        place = {x: i for i, x in enumerate(sorted(part["x"].unique()))}
        for at, (group, color) in enumerate(zip(groups, colors, strict=False)):
            own = part[part["group"] == group]
            if panel == BY_SHARP:
                x = own["x"]
            else:
                x = own["x"].map(place) + 0.6 * ((at + 0.5) / len(groups) - 0.5)
                middle = own.assign(at=x).groupby("at")["value"].median()
                ax.plot(middle.index, middle, color=color, linewidth=1)
            marker = MARKERS[at % len(MARKERS)]
            ax.plot(
                x, own["value"], linestyle="", marker=marker, color=color, markersize=SIZE, alpha=0.75,
                markeredgewidth=0, label=group or "runs",
            )  # fmt: skip
        if panel == BY_SHARP:
            ax.set_xscale("log")
            ax.set_xlabel("largest eigenvalue")
        else:
            ax.set_xticks(range(len(place)), [f"{x:g}" for x in place], rotation=35, ha="right", fontsize="x-small")
            ax.set_xlabel(content.value)
        if panel == LAST_SHARP:
            ax.set_yscale("log")
        if str(panel).endswith(FROM):
            never = content.reference["never"]
            ticks = [t for t in ax.get_yticks() if 0 <= t < never - BEYOND]
            ax.set_yticks([*ticks, never + BEYOND], [*(f"{t:g}" for t in ticks), "never"])
            for line in ax.lines:  # apart from the last epoch
                y = np.asarray(line.get_ydata(), dtype=float)
                line.set_ydata(np.where(y >= never, never + BEYOND, y))
            ax.set_ylim(-2, never + 5)
        (trend,) = content.more["trends"].query("panel == @panel").to_dict("records")
        told = "no trend" if np.isnan(trend["gamma"]) else f"gamma = {trend['gamma']:.2f}, {format_p(trend['p'])}"
        ax.set_title(f"{panel}\n{told}, n = {trend['n']}", fontsize="small")


def describe_many_skips(runs: Runs) -> str:
    """What counts as many skips, with the share of random cells that have so many."""
    most = runs.declared.skips
    share = estimate_random_share(require_space(runs), most)
    return f"{most} skips or more (of random cells: {100 * share:.0f} %){FROM}"


def summarize_trend(runs: Any, x: str, y: str) -> dict[str, Any]:
    """gamma, p and n of a panel; NaN where there is nothing to compare."""
    trend = compute_trend(runs, y, x)
    if trend is None:
        return {"gamma": np.nan, "p": np.nan, "n": len(runs)}
    return {"gamma": trend.gamma, "p": trend.test.p, "n": trend.n}
