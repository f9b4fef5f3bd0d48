"""The pair of figures of the SmoothDARTS paper: error, and the Hessian's dominant eigenvalue, over epochs."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.core.errors import HarnessError
from harness.plots.base import Figure
from harness.plots.content import Content
from harness.plots.source import Source

COLUMN = "hessian_largest"
ERROR, EIGENVALUE = "error (%)", "largest eigenvalue"


class Eigenvalue(Figure):
    """Error, and the largest eigenvalue of the Hessian over alpha, over epochs (SmoothDARTS, figure 1)."""

    name = "eigenvalue"
    needs: ClassVar[str] = "[probes.spectrum]"
    see: ClassVar[str] = (
        "A dominant eigenvalue that grows says that the loss gets sharp around alpha, so that rounding alpha to "
        "an architecture costs accuracy; whether the error follows is in the other panel."
    )
    row_height: ClassVar[float] = 2.4
    narrowest: ClassVar[float] = 2.4
    legend: ClassVar[bool] = True

    def data(self, source: Source) -> Content:
        """panel, method, seed, epoch, value: error of the derived architecture in %, and the largest eigenvalue of the
        Hessian of the validation loss over alpha."""
        import pandas as pd

        results = source.results
        if COLUMN not in results.epochs:
            raise HarnessError("no eigenvalues were measured: add [probes.spectrum] to the study and run it")
        keys = ["method", "seed", "epoch"]
        measured = results.epochs[[*keys, COLUMN]].dropna().rename(columns={COLUMN: "value"}).assign(panel=EIGENVALUE)
        errors = results.error_by_epoch().rename(columns={"error_pct": "value"}).assign(panel=ERROR)
        errors = errors[errors["method"].isin(measured["method"].unique())]
        rows = pd.concat([errors, measured], ignore_index=True)[["panel", *keys, "value"]]
        return Content(rows, "median and quartiles over seeds", panels=(ERROR, EIGENVALUE))

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        import seaborn as sns

        for name, part in content.by_method(panel):
            line = content.look[name]
            sns.lineplot(
                part, x="epoch", y="value", ax=ax, estimator="median", errorbar=("pi", 50), label=name, legend=False,
                color=line.colour, linestyle=line.dash, linewidth=line.width, marker=line.marker, markeredgewidth=0,
                markersize=4, markevery=max(1, part["epoch"].nunique() // 8), err_kws={"alpha": 0.15, "linewidth": 0},
            )  # fmt: skip
            ax.lines[-1].set_label(content.look.label(name))
            known = part.dropna(subset=["value"])
            if known["epoch"].nunique() == 1:  # judged after the last epoch alone
                low, high = known["value"].quantile([0.25, 0.75])
                ax.vlines(known["epoch"].iloc[0], low, high, color=line.colour, alpha=0.5, linewidth=1.2)
        ax.xaxis.get_major_locator().set_params(integer=True)
        last = content.rows["epoch"].max()
        ax.set_xlim(-0.05 * last, 1.05 * last)  # of both panels, also where one has a single epoch
        ax.set(xlabel="epoch", ylabel="")
        if panel == EIGENVALUE and (content.of(panel)["value"] > 0).all():
            ax.set_yscale("log")
        content.look.limit(ax, x="epoch", y="error" if panel == ERROR else "eigenvalue")
