"""The mixing weights of every choice over epochs, as a heat map."""

from __future__ import annotations

import itertools
import textwrap
from typing import Any, ClassVar

import numpy as np

from harness.core.errors import HarnessError
from harness.plots.base import Figure
from harness.plots.content import Content
from harness.plots.source import Source
from harness.plots.style import first_column
from harness.spaces.base import Space


class Alphas(Figure):
    """The mixing weights of every choice over epochs, against equal weights, in the first seed of each method."""

    name = "alphas"
    needs: ClassVar[str] = "methods with logits"
    see: ClassVar[str] = (
        "Red is more than an equal share, blue less. A red row of skips or pools that grows is the collapse as it "
        "happens; rows that stay white were never decided."
    )
    row_height: ClassVar[float] = 3.4

    def data(self, source: Source) -> Content:
        """panel (a method, its first seed), epoch, choice, option, weight: softmax of the logits; times_equal: the
        weight over what it is when all options of the choice weigh the same."""
        import pandas as pd

        epochs = source.results.epochs
        frame = epochs[epochs["alphas"].map(len) > 0]
        if frame.empty:
            raise HarnessError("none of these runs has logits")
        rows = []
        for method, part in frame.groupby("method", sort=False):
            for record in part[part["seed"] == part["seed"].min()].sort_values("epoch").to_dict("records"):
                weights = mixing(np.asarray(record["alphas"]), source.space)
                rows += [{"panel": method, "epoch": record["epoch"], **weight} for weight in weights]
        found = pd.DataFrame(rows)
        title = "mixing weights over epochs, first seed; white: as with equal weights"
        return Content(found, title, panels=tuple(found["panel"].unique()))

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        import seaborn as sns

        part = content.of(panel)
        rows = part[["choice", "option"]].drop_duplicates()
        grid = part.assign(colour=np.log2(part["times_equal"])).pivot(
            index=["choice", "option"], columns="epoch", values="colour"
        )
        grid = grid.loc[list(rows.itertuples(index=False, name=None))]
        most = self._most(content)
        sns.heatmap(
            grid, ax=ax, cmap="vlag", vmin=-most, vmax=most, cbar=False, xticklabels=False, yticklabels=False,
            rasterized=True,
        )  # fmt: skip
        choices = rows["choice"].to_numpy()
        starts = [0, *(np.flatnonzero(choices[1:] != choices[:-1]) + 1), len(choices)]
        for start in starts[1:-1]:
            ax.axhline(start, color="0.2", linewidth=0.7)
        last = int(part["epoch"].max())
        every = max(1, -(-last // 4))
        ax.set_xticks([e + 0.5 for e in range(0, last + 1, every)], range(0, last + 1, every), rotation=0)
        ax.set(xlabel="epoch", ylabel="")
        if first_column(ax):
            size = min(5.5, 72 * 0.8 * self.row_height / len(choices))
            ax.set_yticks(np.arange(len(choices)) + 0.5, rows["option"], fontsize=size)
            ax.tick_params(axis="y", length=0, pad=1)
            for start, end in itertools.pairwise(starts):
                letters = int(0.75 * 72 * self.row_height * (end - start) / len(choices) / 3)
                told = textwrap.fill(choices[start], max(6, letters), break_long_words=False)
                ax.annotate(
                    told, (0, (start + end) / 2), (-30, 0), xycoords=("axes fraction", "data"),
                    textcoords="offset points", rotation=90, ha="right", va="center", fontsize=5,
                    linespacing=0.9, multialignment="center",
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
        """Half of the colour scale, in powers of two: all but the most extreme hundredth of the weights."""
        return max(float(np.log2(content.rows["times_equal"]).abs().quantile(0.99)), 0.05)


def mixing(logits: Any, space: Space) -> list[dict[str, Any]]:
    """choice, option, weight, times_equal of every option. logits: all architecture tensors, flat."""
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
                    "choice": f"{tensor.cell} {label}" if several else label,
                    "option": space.short.get(option, option),
                    "weight": float(weights[row, column]),
                    "times_equal": float(weights[row, column] * tensor.shape[1]),
                }
            )
    return found
