"""A figure."""

from typing import Any

from harness.core.errors import HarnessError
from harness.plots.base import Figure
from harness.plots.content import Content
from harness.results.runs import Runs


class Margins(Figure):
    """How decided each method is: the margin of its choices over epochs, mean over seeds."""

    name = "margins"
    needs = "the probe margin"
    legend = True

    def data(self, runs: Runs) -> Content:
        epochs = runs.epochs
        if "margin" not in epochs:
            raise HarnessError("no margins were measured: add [probes.margin] to the study and run it")
        rows = epochs.dropna(subset=["margin"]).groupby(["method", "epoch"], sort=False)["margin"].mean().reset_index()
        return Content(rows, "margin between the two largest mixing weights", value="margin")

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        for name, part in content.by_method(panel):
            ax.plot(part["epoch"], part["margin"], label=name)
        ax.set_xlabel("epoch")
        ax.set_ylabel(content.value)
