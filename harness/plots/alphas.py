"""The mixing weights of every choice over epochs, as a heat map."""

from __future__ import annotations

import itertools
import textwrap
from typing import Any, ClassVar

import numpy as np

from harness.core.errors import HarnessError
from harness.plots.base import Figure
from harness.plots.choose import require_space
from harness.plots.content import Content
from harness.plots.style import is_first_column
from harness.results.runs import Runs
from harness.spaces.base import Space

ROW_INCHES, AXIS_INCHES, TALLEST = 0.08, 0.7, 8.0
"""Of the height: for the name of an option, for what stands around the rows, and of a panel at the most."""
SMALLEST, LETTER = 4.0, 3.0
"""Points of a row below which its name cannot be read, and is left out; of the width of a letter of a choice."""


class Alphas(Figure):
    """The mixing weights of every choice over epochs, against equal weights, in the first seed of each method."""

    name = "alphas"
    needs: ClassVar[str] = "methods with logits"
    see: ClassVar[str] = (
        "Red is more than an equal share, blue less. A red row of skips or pools that grows is the collapse as it "
        "happens; rows that stay white were never decided."
    )
    row_height: ClassVar[float] = 3.4

    def data(self, runs: Runs) -> Content:
        """panel (a method, its first seed), epoch, cell (its kind, where there are several), choice, option, weight:
        softmax of the logits; times_equal: the weight over what it is when all options of the choice weigh the same."""
        import pandas as pd

        epochs = runs.epochs
        frame = epochs[epochs["alphas"].map(len) > 0]
        if frame.empty:
            raise HarnessError("none of these runs has logits")
        rows = []
        for method, part in frame.groupby("method", sort=False):
            for record in part[part["seed"] == part["seed"].min()].sort_values("epoch").to_dict("records"):
                weights = list_mixing_weights(np.asarray(record["alphas"]), require_space(runs))
                rows += [{"panel": method, "epoch": record["epoch"], **weight} for weight in weights]
        found = pd.DataFrame(rows)
        title = "mixing weights over epochs, first seed; white: as with equal weights"
        return Content(found, title, panels=tuple(found["panel"].unique()))

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        import seaborn as sns

        part = content.of(panel)
        rows = part[["choice", "option"]].drop_duplicates()
        grid = part.assign(color=np.log2(part["times_equal"])).pivot(
            index=["choice", "option"], columns="epoch", values="color"
        )
        grid = grid.loc[list(rows.itertuples(index=False, name=None))]
        most = self._most(content)
        sns.heatmap(
            grid, ax=ax, cmap="vlag", vmin=-most, vmax=most, cbar=False, xticklabels=False, yticklabels=False,
            rasterized=True,
        )  # fmt: skip
        choices = rows["choice"].to_numpy()
        starts = [0, *(np.flatnonzero(choices[1:] != choices[:-1]) + 1), len(choices)]
        cells = part.drop_duplicates(["choice", "option"])["cell"].to_numpy()
        for start in starts[1:-1]:
            ax.axhline(start, color="0.2", linewidth=0.7 if cells[start] == cells[start - 1] else 1.6)
        last = int(part["epoch"].max())
        every = max(1, -(-last // 4))
        ax.set_xticks([e + 0.5 for e in range(0, last + 1, every)], range(0, last + 1, every), rotation=0)
        ax.set(xlabel="epoch", ylabel="")
        if is_first_column(ax):
            self._name_rows(ax, rows["option"].to_numpy(), choices, cells, starts)

    def panel_height(self, content: Content, width: float) -> float:
        rows = len(content.of(content.panels[0])[["choice", "option"]].drop_duplicates())
        return self._rows_inches(rows) + AXIS_INCHES

    def _rows_inches(self, count: int) -> float:
        """The height of so many rows together."""
        return min(max(self.row_height, ROW_INCHES * count + AXIS_INCHES), TALLEST) - AXIS_INCHES

    def _name_rows(self, ax: Any, options: Any, choices: Any, cells: Any, starts: list[int]) -> None:
        """Names of options, of choices (across, where they do not fit along their rows), and of kinds of cells."""
        points = 72 * self._rows_inches(len(options)) / len(options)
        readable = points >= SMALLEST
        told = options if readable else [""] * len(options)
        ax.set_yticks(np.arange(len(options)) + 0.5, told, fontsize=min(5.5, points))
        ax.tick_params(axis="y", length=0, pad=1)
        names = [str(choices[s]).removeprefix(f"{cells[s]} ") for s in starts[:-1]]
        rooms = [(end - start) * points for start, end in itertools.pairwise(starts)]
        along = all(max(map(len, name.split())) * LETTER <= room for name, room in zip(names, rooms, strict=True))
        left = -30 if readable else -4
        for name, room, start in zip(names, rooms, starts, strict=False):
            lines = textwrap.fill(name, max(6, int(room / LETTER)), break_long_words=False) if along else name
            self._beside(ax, lines, start + room / points / 2, left, along)
        edges = [0, *(np.flatnonzero(cells[1:] != cells[:-1]) + 1), len(cells)]
        for start, end in itertools.pairwise(edges) if cells[0] else ():
            across = 10 if along else LETTER * max(map(len, names)) + 4
            self._beside(ax, cells[start], (start + end) / 2, left - across, True)

    @staticmethod
    def _beside(ax: Any, told: str, row: float, left: float, along: bool) -> None:
        """A name at the left of a panel, so many points from it."""
        ax.annotate(
            told, (0, row), (left, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            rotation=90 if along else 0, ha="right", va="center", fontsize=5, linespacing=0.9, multialignment="center",
        )  # fmt: skip

    def finish(self, content: Content, page: Any, axes: list[Any]) -> None:
        bar = page.colorbar(
            axes[0].collections[0], ax=axes, label="weight / equal weight", aspect=25, pad=0.02, shrink=0.7
        )
        most = self._most(content)
        ticks = np.linspace(-most, most, 5)
        bar.set_ticks(ticks, labels=[f"{2**t:.3g}" for t in ticks])

    @staticmethod
    def _most(content: Content) -> float:
        """Half of the color scale, in powers of two: all but the most extreme hundredth of the weights."""
        return max(float(np.log2(content.rows["times_equal"]).abs().quantile(0.99)), 0.05)


def list_mixing_weights(logits: Any, space: Space) -> list[dict[str, Any]]:
    """cell, choice, option, weight, times_equal of every option. logits: all architecture tensors, flat."""
    ends = np.cumsum([a * b for a, b in space.alpha_shapes])[:-1]
    found = []
    for part, tensor in zip(np.split(logits, ends), space.tensors, strict=True):
        rows = part.reshape(tensor.shape)
        weights = np.exp(rows - rows.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        several = len({t.cell for t in space.tensors}) > 1
        for row, column in np.ndindex(*tensor.shape):
            label = tensor.labels[row]
            option = tensor.options[row][column]
            found.append(
                {
                    "cell": tensor.cell if several else "",
                    "choice": f"{tensor.cell} {label}" if several else label,
                    "option": space.short.get(option, option),
                    "weight": float(weights[row, column]),
                    "times_equal": float(weights[row, column] * tensor.shape[1]),
                }
            )
    return found
