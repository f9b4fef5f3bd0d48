"""The mixing weights of every choice over epochs, as a heat map."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.core.errors import HarnessError
from harness.plots.content import Content
from harness.results.frames import Results
from harness.spaces.base import Space


def data(results: Results, space: Space) -> Content:
    """panel (a method, its first seed), epoch, option ("tensor.row:column"), weight: softmax of the logits."""
    import pandas as pd

    frame = results.epochs[results.epochs["alphas"].map(len) > 0]
    if frame.empty:
        raise HarnessError("none of these runs has logits")
    rows = []
    for method, part in frame.groupby("method", sort=False):
        for record in part[part["seed"] == part["seed"].min()].sort_values("epoch").to_dict("records"):
            weights = mixing(np.asarray(record["alphas"]), space)
            rows += [{"panel": method, "epoch": record["epoch"], "option": o, "weight": w} for o, w in weights.items()]
    found = pd.DataFrame(rows)
    return Content(found, "mixing weights, first seed", panels=tuple(found["panel"].unique()))


def mixing(logits: Any, space: Space) -> dict[str, float]:
    """Softmax of each choice. logits: all tensors, flat."""
    ends = np.cumsum([a * b for a, b in space.alpha_shapes])[:-1]
    found = {}
    for tensor, (part, shape) in enumerate(zip(np.split(logits, ends), space.alpha_shapes, strict=True)):
        rows = part.reshape(shape)
        weights = np.exp(rows - rows.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        for row, column in np.ndindex(*shape):
            found[f"{option_name(space, tensor, row, column)}"] = float(weights[row, column])
    return found


def option_name(space: Space, tensor: int, row: int, column: int) -> str:
    """An operation of a choice, or a parent of one."""
    if tensor == 0:
        return f"{row}: {space.operations[column]}"
    return f"parents {tensor}: {column}"


def draw(content: Content, ax: Any, panel: str | None = None) -> None:
    part = content.of(panel)
    options = list(part["option"].unique())
    grid = part.pivot(index="option", columns="epoch", values="weight").loc[options]
    image = ax.imshow(
        grid.to_numpy(), aspect="auto", cmap="magma", vmin=0, vmax=content.rows["weight"].max(), interpolation="nearest"
    )
    ax.set_xlabel("epoch")
    choices = [o.split(":")[0] for o in options]
    for place in range(1, len(options)):
        if choices[place] != choices[place - 1]:
            ax.axhline(place - 0.5, color="white", linewidth=0.8)
    if content.panels and panel == content.panels[0]:
        ax.set_yticks(range(len(options)), options, fontsize="xx-small")
    else:
        ax.set_yticks([])
    if content.panels and panel == content.panels[-1]:
        ax.figure.colorbar(image, ax=ax, label="weight")
