"""The validation loss around the last architecture weights, as contours."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from harness.core.errors import HarnessError
from harness.plots.base import Figure
from harness.plots.content import Content
from harness.plots.style import is_first_column
from harness.results.runs import Runs

LEVELS = 17
COLOURS = "vlag"


class LandscapeFigure(Figure):
    """How the validation loss changes around the last alpha, as contours (SmoothDARTS, figure 1)."""

    name = "landscape"
    needs: ClassVar[str] = "[probes.landscape]"
    see: ClassVar[str] = (
        "The dot is the last alpha. Close contours are a sharp minimum; a flat one changes little when alpha is "
        "rounded to an architecture."
    )
    row_height: ClassVar[float] = 1.9
    share_y: ClassVar[bool] = True

    def data(self, runs: Runs) -> Content:
        """panel (a method, its first seed), x (along the gradient), y (across, at random), loss, and its change from
        that in the middle, at the last epoch."""
        import pandas as pd

        epochs = runs.epochs
        if "landscape_loss" not in epochs:
            raise HarnessError("no landscape was measured: add [probes.landscape] to the study and run it")
        parts = []
        for method, part in epochs[epochs["landscape_loss"].notna()].groupby("method", sort=False):
            last = part[part["seed"] == part["seed"].min()].sort_values("epoch").iloc[-1]
            x, y = np.meshgrid(last["landscape_at"], last["landscape_at"])
            loss = np.asarray(last["landscape_loss"])
            middle = loss[np.argmin(np.hypot(x, y).ravel())]
            parts.append(
                pd.DataFrame({"panel": method, "x": x.ravel(), "y": y.ravel(), "loss": loss, "change": loss - middle})
            )
        rows = pd.concat(parts, ignore_index=True)
        title = "change of the validation loss around the last alpha (first seed; across: a random direction)"
        return Content(rows, title, panels=tuple(rows["panel"].unique()))

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        x, y, change = read_grid(content, panel)
        levels = scale(content)
        ax.contourf(x, y, change, levels=levels, cmap=COLOURS)
        ax.contour(x, y, change, levels=levels, colors="0.25", linewidths=0.35)
        ax.plot([0], [0], marker="o", color="black", markersize=3)
        ax.set(xlabel="gradient", xticks=[x.min(), 0, x.max()], yticks=[y.min(), 0, y.max()], aspect="equal")
        if is_first_column(ax):
            ax.set_ylabel("random")

    def finish(self, content: Content, page: Any, axes: list[Any]) -> None:
        shown = next(c for c in axes[0].collections if c.get_array() is not None)
        ticks = scale(content)[:: LEVELS // 4]
        bar = page.colorbar(shown, ax=axes, label="change of loss", aspect=20, pad=0.02, shrink=0.7)
        bar.set_ticks(ticks, labels=[f"{tick:+.2g}" for tick in ticks])


def read_grid(content: Content, panel: str | None) -> tuple[Any, Any, Any]:
    """x, y and the change of the loss as square arrays."""
    part = content.of(panel)
    side = round(len(part) ** 0.5)
    x, y, change = (part[c].to_numpy().reshape(side, side) for c in ("x", "y", "change"))
    return x, y, change


def scale(content: Content) -> Any:
    """Levels for all panels, as far below zero as above."""
    most = max(float(content.rows["change"].abs().max()), 1e-9)
    return np.linspace(-most, most, LEVELS)
