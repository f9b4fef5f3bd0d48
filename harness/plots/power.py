"""Which differences so many seeds find, a panel a pair of methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from harness.plots.base import Picture
from harness.plots.content import Content
from harness.stats.shift import POWER
from harness.verdicts.power import Power


class PowerCurves(Picture):
    """Power against the number of seeds, a line a difference."""

    per_row: ClassVar[int] = 2
    share_y: ClassVar[bool] = True

    def of(self, found: Sequence[Power], title: str) -> Content:
        """panel, difference, seeds, power; and mean_seeds, where a study stops when it is decided."""
        import pandas as pd

        rows = [
            {
                "panel": f"{each.new} against {each.base}",
                "difference": each.told_difference,
                "seeds": n,
                "power": power,
                "mean_seeds": each.stops.get(n, float("nan")),
            }
            for each in found
            for n, power in sorted(each.power.items())
        ]
        panels = tuple(dict.fromkeys(f"{each.new} against {each.base}" for each in found))
        return Content(pd.DataFrame(rows), title, panels)

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        import seaborn as sns

        part = content.of(panel)
        names = list(dict.fromkeys(part["difference"]))
        for name, color in zip(names, sns.color_palette("viridis", len(names) + 1), strict=False):
            own = part[part["difference"] == name]
            dash = "--" if name.endswith("(seen)") else ":" if name.startswith("none") else "-"
            ax.plot(
                own["seeds"], 100 * own["power"], color=color, linestyle=dash, marker="o", markersize=2.5, label=name
            )  # fmt: skip
        ax.axhline(100 * POWER, color="0.6", linewidth=0.8, zorder=0)
        ax.set_xscale("log")
        ticks = [n for n in (5, 10, 20, 40, 80, 160) if part["seeds"].min() <= n <= part["seeds"].max()]
        ax.set_xticks(ticks, [str(n) for n in ticks])
        ax.set_xticks([], minor=True)
        ax.set_ylim(0, 102)
        ax.set_xlabel("seeds")
        if ax.get_subplotspec().is_first_col():
            ax.set_ylabel("power (%)")
        small = {"fontsize": "x-small", "title_fontsize": "x-small"}
        # beside the curves, which leave no corner free
        ax.legend(title="difference", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, **small)
