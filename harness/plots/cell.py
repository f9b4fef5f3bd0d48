"""Derived cells as graphs."""

from __future__ import annotations

import math
from typing import Any

from harness.plots.content import Content
from harness.results.endpoints import Endpoints
from harness.spaces.base import Space

COLOURS = {"none": "0.85", "skip_connect": "#DE8F05", "avg_pool_3x3": "#CC78BC", "maxpool3x3": "#CC78BC"}
CONVOLUTION = "#0173B2"


def data(found: Endpoints, space: Space) -> Content:
    """panel (a method, with how many runs), source, target, label, operation: the edges of the cell derived most often
    at the last epoch (the first of equals); an operation on a node stands at source = target."""
    import pandas as pd

    rows = []
    for method, part in found.runs.groupby("method", sort=False):
        counts = part["final_architecture"].value_counts(sort=False)
        encoding = str(counts.idxmax())
        panel = f"{method} ({counts.max()} of {len(part)})"
        edges = space.graph(space.parse(encoding))
        rows += [{"panel": panel, "source": a, "target": b, "operation": o} for a, b, o in edges]
    frame = pd.DataFrame(rows)
    return Content(frame, "the cell that was derived most often", panels=tuple(frame["panel"].unique()))


def draw(content: Content, ax: Any, panel: str | None = None) -> None:
    part = content.of(panel)
    nodes = int(part[["source", "target"]].to_numpy().max()) + 1
    at = {n: (1.6 * n, 0.8 * math.sin(2.2 * n)) for n in range(nodes)}
    for source, target, operation in part[["source", "target", "operation"]].itertuples(index=False):
        if source == target:
            continue
        colour = COLOURS.get(operation, CONVOLUTION)
        gap = target - source
        bend = 0.0 if gap == 1 else min(0.45, 0.22 * (gap - 1)) * (-1 if gap == 2 else 1)
        arrow = {"arrowstyle": "-|>", "color": colour, "connectionstyle": f"arc3,rad={-bend}", "linewidth": 1.3}
        arrow |= {"linestyle": ":" if operation == "none" else "-", "shrinkA": 7, "shrinkB": 7}
        ax.annotate("", at[target], at[source], arrowprops=arrow)
        if operation not in ("", "none"):
            (x0, y0), (x1, y1) = at[source], at[target]
            # the middle of the curve: half-way to its control point
            x, y = (x0 + x1) / 2 - bend * (y1 - y0) / 2, (y0 + y1) / 2 + bend * (x1 - x0) / 2
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}
            ax.text(x, y, short(operation), fontsize="xx-small", ha="center", va="center", color=colour, bbox=box)
    own = {s: o for s, t, o in part[["source", "target", "operation"]].itertuples(index=False) if s == t}
    for node, (x, y) in at.items():
        ax.plot([x], [y], marker="o", markersize=13, color="white", markeredgecolor="0.3")
        ax.text(
            x,
            y,
            "in" if node == 0 else "out" if node == nodes - 1 else str(node),
            ha="center",
            va="center",
            fontsize="xx-small",
        )
        if node in own:
            ax.text(
                x,
                y - 0.42,
                short(own[node]),
                ha="center",
                fontsize="xx-small",
                color=COLOURS.get(own[node], CONVOLUTION),
            )
    ax.set_aspect("equal")
    ax.set_xlim(-0.6, 1.6 * nodes - 1.0)
    ax.set_ylim(-1.9, 2.5)
    ax.set_axis_off()


def short(operation: str) -> str:
    """An operation's name without what all share."""
    for long, brief in (
        ("nor_conv_", "conv "),
        ("-bn-relu", ""),
        ("_connect", ""),
        ("avg_pool_", "avg "),
        ("maxpool", "max "),
    ):
        operation = operation.replace(long, brief)
    return operation
