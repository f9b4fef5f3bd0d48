"""What each method's spread is made of, method below method."""

from __future__ import annotations

from math import isnan
from typing import Any, ClassVar

from harness.plots.base import Figure
from harness.plots.content import Content
from harness.results.runs import Runs
from harness.verdicts.ledger import TOGETHER, TRIALS, compute_ledgers, name_of

LEAST = 0.06
"""The least share that has room for its number."""
GRAYS = {TOGETHER: "0.72", TRIALS: "0.88"}
"""Of what is no kind of draws by itself."""
BAR = 0.68
BARS_INCHES, AROUND_INCHES = 0.42, 1.0
"""Height of a bar, and of what stands around all of them."""


class LedgerFigure(Figure):
    """The shares of a method's variance that its kinds of random draws have alone and together (`harness ledger`)."""

    name = "ledger"
    needs: ClassVar[str] = "a study that varies kinds of draws by themselves ([randomness])"
    see: ClassVar[str] = (
        "A bar is one method's variance, and a color what one kind of draws makes of it alone. Gray is what kinds have "
        "only together: no one of them is to blame, and only another seed of all averages it out. Intervals are in "
        "`harness ledger`: few levels leave wide ones."
    )
    legend: ClassVar[bool] = True

    def data(self, runs: Runs) -> Content:
        """method, part, share (of the variance), low and high (interval; of the table's trials none), sd."""
        import pandas as pd

        rows = []
        for each in compute_ledgers(runs):
            parts = dict(each.parts) | ({TOGETHER: each.together} if each.together else {})
            for name, share in each.stack.items():
                ends = parts[name].share if name in parts else (share, float("nan"), float("nan"))
                deviation = each.total.estimate**0.5
                rows.append({"method": each.method, "part": name, "share": share, "low": ends[1], "high": ends[2]})
                rows[-1]["sd"] = deviation if each.together else float("nan")
        scale = runs.scale
        return Content(pd.DataFrame(rows), "what the spread is made of", value=scale.difference or scale.error)

    def panel_height(self, content: Content, width: float) -> float:
        return AROUND_INCHES + BARS_INCHES * len(content.by_method())

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        import seaborn as sns

        methods = content.by_method()
        names = list(dict.fromkeys(content.rows["part"]))
        colors = dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True)) | GRAYS
        labels = []
        for place, (method, part) in enumerate(methods):
            left = 0.0
            for name, share in zip(part["part"], part["share"], strict=True):
                label = name_of(name) if place == 0 else None
                ax.barh(place, share, BAR, left=left, color=colors[name], edgecolor="white", linewidth=0.6, label=label)
                if share >= LEAST:
                    dark = name in GRAYS
                    told = f"{100 * share:.0f}"
                    color = "0.15" if dark else "white"
                    ax.text(left + share / 2, place, told, ha="center", va="center", color=color, fontsize="small")
                left += share
            sd = part["sd"].iloc[0]
            labels.append(content.look.label(method) + ("" if isnan(sd) else f"\nsd {sd:.2g} {content.value}"))
        ax.set_yticks(range(len(methods)), labels)
        ax.invert_yaxis()
        ax.set_xlim(0, 1)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
        ax.set_xlabel("share of the variance (%)")
        ax.tick_params(axis="y", length=0)
