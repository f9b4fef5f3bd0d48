"""The Hessian's dominant eigenvalue over a search, method by method, beside where the runs end."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from harness.core.errors import HarnessError
from harness.plots.base import Figure
from harness.plots.content import Content
from harness.plots.style import is_first_column
from harness.results.doses import EIGENVALUE
from harness.results.runs import Runs

ENDS = "where the runs end"


class Eigenvalue(Figure):
    """The largest eigenvalue of the Hessian over alpha, as a multiple of that before the search (SmoothDARTS, figure 1,
    draws it as it is), and the last error of every run."""

    name = "eigenvalue"
    needs: ClassVar[str] = "[probes.spectrum]"
    see: ClassVar[str] = (
        "Every run begins at 1, whatever its eigenvalue was then (the panel's title has the median). A line that rises "
        "says that the loss gets sharp around alpha, so that rounding alpha to an architecture costs accuracy; whether "
        "the error follows is in the last panel."
    )
    row_height: ClassVar[float] = 1.9

    def data(self, runs: Runs) -> Content:
        """panel (a method, or where the runs end), method, seed, epoch, value: the largest eigenvalue of the Hessian of
        the validation loss over alpha, divided by that of the run's first measurement, or the last error."""
        import pandas as pd

        results = runs
        if EIGENVALUE not in results.epochs:
            raise HarnessError("no eigenvalues were measured: add [probes.spectrum] to the study and run it")
        keys = ["method", "seed", "epoch"]
        measured = results.epochs[[*keys, EIGENVALUE]].dropna().sort_values("epoch")
        first = measured.groupby(["method", "seed"], sort=False)[EIGENVALUE].transform("first")
        measured = measured[first > 0].assign(start=first, value=measured[EIGENVALUE] / first)
        methods = [m for m in map(str, results.epochs["method"].unique()) if m in set(measured["method"])]
        if not methods:
            raise HarnessError("no run has a positive eigenvalue at its first measurement to compare the others with")
        ends = runs.endpoints().runs[["method", "seed", "final_error_pct"]].rename(columns={"final_error_pct": "value"})
        ends = ends[ends["method"].isin(methods)].assign(panel=ENDS)
        rows = pd.concat([measured.assign(panel=measured["method"]), ends], ignore_index=True)
        title = "largest eigenvalue, as a multiple of that at the first measurement; median and quartiles over seeds"
        return Content(
            rows[["panel", *keys, "start", "value"]],
            title,
            panels=(*methods, ENDS),
            value=runs.endpoints().scale.axis,
        )

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        if panel == ENDS:
            self._draw_ends(content, ax)
            return
        part, name = content.of(panel), str(panel)
        line = content.look[name]
        by_epoch = part.pivot(index="epoch", columns="seed", values="value")
        for seed in by_epoch:
            ax.plot(by_epoch.index, by_epoch[seed], color=line.color, linewidth=0.6, alpha=0.5)
        low, middle, high = (by_epoch.quantile(q, axis=1) for q in (0.25, 0.5, 0.75))
        ax.fill_between(by_epoch.index, low, high, color=line.color, alpha=0.18, linewidth=0)
        ax.plot(by_epoch.index, middle, color=line.color, linewidth=1.8)
        ax.axhline(1, color="0.3", linewidth=0.7, linestyle=":")
        n, start = by_epoch.shape[1], part.groupby("seed")["start"].first().median()
        ax.set_title(f"{content.look.label(name)} (n = {n})\nfrom {start:.3g}", fontsize="medium")
        measured = content.rows[content.rows["panel"] != ENDS]
        values = measured.loc[measured["value"] > 0, "value"]
        ax.set_yscale("log")
        ax.set_ylim(10 ** np.floor(np.log10(values.min()) - 0.1), 10 ** np.ceil(np.log10(values.max()) + 0.1))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_xlim(0, 1.04 * measured["epoch"].max())
        ax.set_xlabel("epoch")
        if is_first_column(ax):
            ax.set_ylabel("relative eigenvalue")
        content.look.limit(ax, x="epoch", y="eigenvalue")

    @staticmethod
    def _draw_ends(content: Content, ax: Any) -> None:
        """A column of points a method."""
        found = content.by_method(ENDS)
        for place, (name, part) in enumerate(found):
            line = content.look[name]
            ax.plot([place] * len(part), part["value"], linestyle="", marker="o", color=line.color, markersize=2.8)
            middle = part["value"].median()
            ax.plot([place - 0.3, place + 0.3], [middle, middle], color=line.color, linewidth=1.8)
        ax.set_xticks(range(len(found)), [content.look.label(n) for n, _ in found], rotation=50, ha="right")
        ax.tick_params(axis="x", labelsize="x-small")
        ax.set_ylabel(f"last {content.value}")
        content.look.limit(ax, y="error")
