"""The Hessian's dominant eigenvalue over epochs, as beside the trajectories of the SmoothDARTS paper."""

from __future__ import annotations

from typing import Any

from harness.errors import HarnessError
from harness.plots.content import Content
from harness.plots.style import lines
from harness.results import Results

COLUMN = "hessian_largest"


def data(results: Results) -> Content:
    """method, seed, epoch, eigenvalue: the largest of the Hessian of the validation loss over alpha."""
    if COLUMN not in results.epochs:
        raise HarnessError("no eigenvalues were measured: add [probes.spectrum] to the study and run it")
    rows = results.epochs[["method", "seed", "epoch", COLUMN]].dropna().rename(columns={COLUMN: "eigenvalue"})
    return Content(rows, "dominant eigenvalue of the validation loss's Hessian; median and quartiles over seeds")


def draw(content: Content, ax: Any, panel: str | None = None) -> None:
    methods = list(content.rows["method"].unique())
    style = lines(methods)
    for name in methods:
        part = content.rows[content.rows["method"] == name].groupby("epoch")["eigenvalue"]
        low, mid, high = (part.quantile(q) for q in (0.25, 0.5, 0.75))
        ax.fill_between(mid.index, low, high, color=style[name].colour, alpha=0.18, linewidth=0)
        ax.plot(
            mid.index, mid, color=style[name].colour, linestyle=style[name].dash, marker=style[name].marker,
            markersize=4, markevery=max(1, len(mid) // 8), label=name,
        )  # fmt: skip
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("epoch")
    ax.set_ylabel("largest eigenvalue")
    if (content.rows["eigenvalue"] > 0).all():
        ax.set_yscale("log")
