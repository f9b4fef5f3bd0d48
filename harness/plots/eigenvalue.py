"""The pair of figures of the SmoothDARTS paper: error, and the Hessian's dominant eigenvalue, over epochs."""

from __future__ import annotations

from typing import Any

from harness.core.errors import HarnessError
from harness.plots.content import Content
from harness.plots.style import lines
from harness.results.frames import Results

COLUMN = "hessian_largest"
ERROR, EIGENVALUE = "error (%)", "largest eigenvalue"


def data(results: Results) -> Content:
    """panel, method, seed, epoch, value: error of the derived architecture in %, and the largest eigenvalue of the
    Hessian of the validation loss over alpha."""
    import pandas as pd

    if COLUMN not in results.epochs:
        raise HarnessError("no eigenvalues were measured: add [probes.spectrum] to the study and run it")
    keys = ["method", "seed", "epoch"]
    measured = results.epochs[[*keys, COLUMN]].dropna().rename(columns={COLUMN: "value"}).assign(panel=EIGENVALUE)
    errors = results.error_by_epoch().rename(columns={"error_pct": "value"}).assign(panel=ERROR)
    errors = errors[errors["method"].isin(measured["method"].unique())]
    rows = pd.concat([errors, measured], ignore_index=True)[["panel", *keys, "value"]]
    return Content(rows, "median and quartiles over seeds", panels=(ERROR, EIGENVALUE))


def draw(content: Content, ax: Any, panel: str | None = None) -> None:
    part = content.of(panel)
    methods = list(part["method"].unique())
    style = lines(methods)
    for name in methods:
        values = part[part["method"] == name].groupby("epoch")["value"]
        low, mid, high = (values.quantile(q) for q in (0.25, 0.5, 0.75))
        ax.fill_between(mid.index, low, high, color=style[name].colour, alpha=0.18, linewidth=0)
        ax.plot(
            mid.index, mid, color=style[name].colour, linestyle=style[name].dash, marker=style[name].marker,
            markersize=4, markevery=max(1, len(mid) // 8), label=name,
        )  # fmt: skip
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("epoch")
    if panel == EIGENVALUE and (part["value"] > 0).all():
        ax.set_yscale("log")
