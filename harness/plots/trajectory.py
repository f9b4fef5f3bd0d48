"""The anytime figure: error of the derived architecture against epoch and against seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from harness.core.errors import HarnessError
from harness.plots.base import Figure
from harness.plots.content import Content
from harness.plots.source import Source
from harness.plots.style import first_column

if TYPE_CHECKING:
    import pandas as pd

GRID = 120
"""Points of the common time axis."""
FEW = 12
"""Single runs are drawn where there are no more of them."""


class Trajectory(Figure):
    """Error, or regret, of the derived architecture over epochs and over seconds, with quartiles over seeds.

    metric: error in %, or regret, percentage points above the table's optimum. runs: draw single runs, too (where left
    out: where there are few).
    """

    name = "trajectory"
    see: ClassVar[str] = (
        "A thick line is the median over seeds, the band its quartiles; thin lines are single runs, where there "
        "are few. A line that rises again and stays above the random level is a collapse: the search went on, and "
        "what it derives got worse."
    )
    row_height: ClassVar[float] = 2.6
    narrowest: ClassVar[float] = 2.4
    legend: ClassVar[bool] = True
    share_y: ClassVar[bool] = True

    metric: Literal["error", "regret"] = "error"
    runs: bool | None = None

    def data(self, source: Source) -> Content:
        """method, axis ("epoch" or "seconds"), x, median, low, high (quartiles), n; more, the seeds: method, seed,
        epoch, seconds, value.

        Against seconds, a run's value holds until its next epoch ends; a method ends where its shortest run does. Where
        architectures are judged after one epoch alone, x is the median of the seconds.
        """
        import pandas as pd

        table = source.results.table
        seeds = source.results.error_by_epoch().rename(columns={"error_pct": "value"})
        judged = seeds.loc[seeds["value"].notna(), "epoch"].unique()
        if len(judged):
            seeds = seeds[seeds["epoch"].isin(judged)].copy()
        reference: dict[str, float] = {}
        if table is None:
            scale = source.results.scale
            label, title = f"supernet validation {scale.axis}", f"no table: {scale.error} of the one-shot network"
            if self.metric == "regret":
                raise HarnessError("regret needs a table, whose optimum is known: draw the error instead")
        else:
            known = table.references(table.test)
            if self.metric == "regret" and not known:
                raise HarnessError(
                    f"table {table.name} does not hold every architecture: its optimum is unknown, "
                    "draw the error instead"
                )
            offset = known["table optimum"] if self.metric == "regret" else 0.0
            seeds["value"] -= offset
            reference = {name: value - offset for name, value in known.items()}
            unit = "regret (points)" if self.metric == "regret" else table.scale.axis
            label, title = f"{table.role(table.test)} {unit}", f"{table.name}: {table.test}, derived architecture"
        parts = []
        for name, part in seeds.groupby("method", sort=False):
            by_seed = part.pivot(index="epoch", columns="seed", values="value")
            parts.append(summarise(name, "epoch", by_seed.index.to_numpy(), by_seed.to_numpy()))
            if part["seconds"].isna().any():  # foreign logs may have none
                continue
            if len(judged) == 1:
                parts.append(summarise(name, "seconds", [part["seconds"].median()], by_seed.to_numpy()))
                continue
            end = part.groupby("seed")["seconds"].max().min()
            # a run may have ended before another was first judged
            grid = np.linspace(min(first_judged(part), end), end, GRID)
            steps = [held(run["seconds"].to_numpy(), run["value"].to_numpy(), grid) for _, run in part.groupby("seed")]
            parts.append(summarise(name, "seconds", grid, np.stack(steps, axis=1)))
        rows = pd.concat(parts, ignore_index=True)
        told = f"{title}; median and quartiles over seeds"
        panels: tuple[str, ...] = ("epoch", "seconds") if (rows["axis"] == "seconds").any() else ("epoch",)
        if len(judged) == 1:
            told = f"{title} after epoch {judged[0]}; median and quartiles over seeds"
            panels = panels[-1:]
        return Content(rows, told, panels, reference, label, {"seeds": seeds})

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        ax.set_title("")
        rows = content.rows[content.rows["axis"] == panel]
        few = len(content.more["seeds"].drop_duplicates(["method", "seed"])) <= FEW
        if (rows.groupby("method").size() == 1).all():
            draw_once(content, ax, str(panel))
            return
        for method, part in rows.groupby("method", sort=False):
            line = content.look[str(method)]
            if few if self.runs is None else self.runs:
                self._draw_runs(content, ax, str(panel), str(method), part["x"].max())
            ax.fill_between(part["x"], part["low"], part["high"], color=line.colour, alpha=0.15, linewidth=0)
            ax.plot(
                part["x"], part["median"], color=line.colour, linestyle=line.dash, linewidth=line.width,
                marker=line.marker, markevery=max(1, len(part) // 8), markersize=3.5,
                label=f"{content.look.label(str(method))} (n = {part['n'].iloc[0]})",
            )  # fmt: skip
        draw_reference(content, ax)
        ax.xaxis.get_major_locator().set_params(integer=panel == "epoch")
        ax.set_xlabel("epoch" if panel == "epoch" else "seconds of search")
        if first_column(ax):
            ax.set_ylabel(content.value)
        ax.set_xlim(0, rows["x"].max() * 1.02 or 1)  # beyond, no method has all of its runs
        ax.margins(y=0.06)
        content.look.limit(ax, x=str(panel), y=self.metric)

    @staticmethod
    def _draw_runs(content: Content, ax: Any, axis: str, method: str, end: float) -> None:
        """Single runs, as far as the median goes."""
        seeds = content.more["seeds"]
        line = content.look[method]
        for _, run in seeds[seeds["method"].eq(method) & seeds[axis].le(end)].groupby("seed"):
            style = "steps-post" if axis == "seconds" else "default"
            ax.plot(run[axis], run["value"], color=line.colour, alpha=0.45, linewidth=0.6, drawstyle=style)


def draw_once(content: Content, ax: Any, axis: str) -> None:
    """What was judged after one epoch alone: every run a faint marker, the median of a method with its quartiles."""
    rows, seeds = content.rows[content.rows["axis"] == axis], content.more["seeds"]
    apart = 0.12 if axis == "epoch" else 0.0  # equal epochs would hide each other
    for place, (method, row) in enumerate(rows.set_index("method").iterrows()):
        line = content.look[str(method)]
        move = apart * (place - (len(rows) - 1) / 2)
        runs = seeds[seeds["method"] == method]
        ax.plot(
            runs[axis] + move, runs["value"], linestyle="", color=line.colour, marker=line.marker, markersize=3,
            alpha=0.4, markeredgewidth=0,
        )  # fmt: skip
        spread = [[row["median"] - row["low"]], [row["high"] - row["median"]]]
        ax.errorbar(
            [row["x"] + move], [row["median"]], yerr=spread, color=line.colour, marker=line.marker, markersize=6,
            capsize=3, linewidth=line.width, linestyle="", label=f"{content.look.label(str(method))} (n = {row['n']})",
        )  # fmt: skip
    draw_reference(content, ax)
    ax.set(xlabel="epoch" if axis == "epoch" else "seconds of search", ylabel=content.value)
    if axis == "epoch":
        ax.set_xticks(rows["x"].unique())
    ax.margins(x=0.3 if axis == "epoch" else 0.08, y=0.08)


def draw_reference(content: Content, ax: Any) -> None:
    """Levels to see results against, as lines across."""
    for (label, level), dash in zip(content.reference.items(), ("-", ":"), strict=False):
        ax.axhline(level, color="0.2", linestyle=dash, linewidth=0.9, label=f"{label}: {level:.2f}", zorder=0.5)


def first_judged(runs: pd.DataFrame) -> float:
    """The seconds from which on every run has a value: 0 where the beginning is judged."""
    starts = runs.groupby("seed")[["epoch", "seconds"]].min()
    return float(starts["seconds"].max()) if starts["epoch"].max() > 0 else 0.0


def held(seconds: Any, values: Any, grid: Any) -> Any:
    """The value of the last epoch that ended by each time (the first epoch's before that)."""
    return values[np.searchsorted(seconds, grid, side="right").clip(min=1) - 1]


def summarise(name: Any, axis: str, x: Any, values: Any) -> pd.DataFrame:
    """Median and quartiles over the columns of values [points, seeds]; NaN where a seed has none."""
    import pandas as pd

    low, median, high = np.quantile(values, (0.25, 0.5, 0.75), axis=1)
    content = {"method": name, "axis": axis, "x": x, "median": median, "low": low, "high": high}
    return pd.DataFrame(content | {"n": values.shape[1]})
