"""The validation loss around the last architecture weights, as contours and as a surface."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.core.errors import HarnessError
from harness.plots.content import Content
from harness.results.frames import Results

LEVELS = 12


def data(results: Results) -> Content:
    """panel (a method, its first seed), x (along the gradient), y (across, at random), loss, at the last epoch."""
    import pandas as pd

    if "landscape_loss" not in results.epochs:
        raise HarnessError("no landscape was measured: add [probes.landscape] to the study and run it")
    rows = []
    measured = results.epochs[results.epochs["landscape_loss"].notna()]
    for method, part in measured.sort_values(["seed", "epoch"]).groupby("method", sort=False):
        last = part[part["seed"] == part["seed"].min()].iloc[-1]
        at, loss = last["landscape_at"], last["landscape_loss"]
        grid = [(x, y) for y in at for x in at]
        rows += [{"panel": method, "x": x, "y": y, "loss": v} for (x, y), v in zip(grid, loss, strict=True)]
    frame = pd.DataFrame(rows)
    title = "validation loss around the last alpha (x: gradient, y: a random direction; first seed)"
    return Content(frame, title, panels=tuple(frame["panel"].unique()))


def grid_of(content: Content, panel: str | None) -> tuple[Any, Any, Any]:
    """x, y and loss as square arrays."""
    part = content.of(panel)
    side = round(len(part) ** 0.5)
    x, y, loss = (part[c].to_numpy().reshape(side, side) for c in ("x", "y", "loss"))
    return x, y, loss


def levels(content: Content) -> Any:
    """One scale for all panels."""
    return np.linspace(content.rows["loss"].min(), content.rows["loss"].max() + 1e-9, LEVELS)


def draw(content: Content, ax: Any, panel: str | None = None) -> None:
    ax.contourf(*grid_of(content, panel), levels=levels(content), cmap="viridis")
    lines = ax.contour(*grid_of(content, panel), levels=levels(content), colors="white", linewidths=0.4)
    ax.clabel(lines, lines.levels[::3], fontsize="xx-small")
    ax.plot([0], [0], marker="+", color="red", markersize=8)
    ax.set_xlabel("gradient")
    if panel in (None, content.panels[0]):
        ax.set_ylabel("random")
    ax.set_aspect("equal")


def draw_surface(content: Content, ax: Any, panel: str | None = None) -> None:
    """On axes with the projection "3d"."""
    scale = levels(content)
    ax.plot_surface(*grid_of(content, panel), cmap="viridis", vmin=scale[0], vmax=scale[-1], linewidth=0)
    ax.set_zlim(scale[0], scale[-1])
    ax.set_xlabel("gradient", fontsize="x-small")
    ax.set_ylabel("random", fontsize="x-small")
    ax.tick_params(labelsize="xx-small")
    ax.set_box_aspect(None, zoom=0.74)  # so that the labels are inside
