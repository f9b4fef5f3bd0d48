"""The anytime figure: error of the derived architecture against epoch and against seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from harness.core.errors import HarnessError
from harness.plots.base import Figure
from harness.plots.content import Content
from harness.plots.style import QUIET, is_first_column
from harness.results.runs import Runs

if TYPE_CHECKING:
    import pandas as pd

GRID = 120
"""Points of the common time axis."""
FEW = 12
"""Single runs are drawn where there are no more of them."""
MANY = 3
"""Methods that share a panel; of more each has its own, with every run."""
ALONE_INCHES = 1.55
"""The least width of a panel of one method."""
WIDE_RANGE = 5.0
"""The ratio of the highest to the lowest value from which panels of one method are logarithmic."""
STRIP = 0.12
"""Width of the strip of the runs' ends, as a share of the epochs before it."""


class Trajectory(Figure):
    """Error, or regret, of the derived architecture over epochs, with quartiles over seeds: up to three methods
    together, over seconds as well; of more each in a panel of its own, with all its runs and where they end.
    """

    name = "trajectory"
    see: ClassVar[str] = (
        "A thick line is the median over seeds, the band its quartiles; thin lines are single runs. At the right "
        "of a panel of one method stands where each of its runs ends; the gray line is the baseline's median. A line "
        "that rises again and stays above the random level got worse while the search went on."
    )
    row_height: ClassVar[float] = 2.6
    narrowest: ClassVar[float] = 2.4
    legend: ClassVar[bool] = True
    share_y: ClassVar[bool] = True

    metric: Literal["error", "regret"] = "error"
    """Error in %, or regret, percentage points above the table's optimum."""
    runs: bool | None = None
    """Draw single runs, too (where left out: where there are few, or a method has a panel of its own)."""

    def data(self, runs: Runs) -> Content:
        """method, axis ("epoch" or "seconds"), x, median, low, high (quartiles), n; more, the seeds: method, seed,
        epoch, seconds, value.

        Against seconds, a run's value holds until its next epoch ends, and its last one to where the method's slowest
        run ends. Where architectures are judged after one epoch alone, there is no time to see.
        """
        import pandas as pd

        table = runs.table
        seeds = runs.errors().rename(columns={"error_pct": "value"})
        judged = seeds.loc[seeds["value"].notna(), "epoch"].unique()
        if len(judged):
            seeds = seeds[seeds["epoch"].isin(judged)].copy()
        reference: dict[str, float] = {}
        if table is None:
            scale = runs.scale
            label, title = f"supernet validation {scale.axis}", f"no table: {scale.error} of the one-shot network"
            if self.metric == "regret":
                raise HarnessError("regret needs a table, whose optimum is known: draw the error instead")
        else:
            known = table.references(table.test)
            if self.metric == "regret" and not known:
                raise HarnessError(
                    f"table {table.name} does not know {table.test} of every architecture: its optimum is unknown, "
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
            parts.append(summarize_band(name, "epoch", by_seed.index.to_numpy(), by_seed.to_numpy()))
            if part["seconds"].isna().any():  # foreign logs may have none
                continue
            if len(judged) == 1:
                continue
            end = part["seconds"].max()
            grid = np.linspace(min(find_first_judged(part), end), end, GRID)
            steps = [
                hold_last_values(run["seconds"].to_numpy(), run["value"].to_numpy(), grid)
                for _, run in part.groupby("seed")
            ]
            parts.append(summarize_band(name, "seconds", grid, np.stack(steps, axis=1)))
        rows = pd.concat(parts, ignore_index=True)
        told = f"{title}; median and quartiles over seeds"
        methods = tuple(map(str, seeds["method"].unique()))
        panels: tuple[str, ...] = ("epoch", "seconds") if (rows["axis"] == "seconds").any() else ("epoch",)
        if len(judged) == 1:
            return Content(
                rows,
                f"{title} after epoch {judged[0]}; {describe_noise(runs)}",
                (),
                reference,
                label,
                {"seeds": seeds},
            )
        if len(methods) > MANY:
            panels = methods
        return Content(rows, told, panels, reference, label, {"seeds": seeds})

    def least_width(self, content: Content) -> float:
        return ALONE_INCHES if len(content.panels) > MANY else self.narrowest

    def panel_height(self, content: Content, width: float) -> float:
        return ALONE_INCHES + 0.3 if len(content.panels) > MANY else super().panel_height(content, width)

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        if panel is None:
            draw_ends(content, ax)
        elif panel in ("epoch", "seconds"):
            self._draw_together(content, ax, panel)
        else:
            self._draw_alone(content, ax, panel)
        if ax.get_yscale() == "linear":
            ax.margins(y=0.06)
        content.look.limit(ax, y=self.metric)

    def _draw_together(self, content: Content, ax: Any, axis: str) -> None:
        """A few methods in one panel."""
        ax.set_title("")
        rows = content.rows[content.rows["axis"] == axis]
        few = len(content.more["seeds"].drop_duplicates(["method", "seed"])) <= FEW
        for method, part in rows.groupby("method", sort=False):
            line = content.look[str(method)]
            if few if self.runs is None else self.runs:
                self._draw_runs(content, ax, axis, str(method))
            ax.fill_between(part["x"], part["low"], part["high"], color=line.color, alpha=0.15, linewidth=0)
            ax.plot(
                part["x"], part["median"], color=line.color, linestyle=line.dash, linewidth=line.width,
                marker=line.marker, markevery=max(1, len(part) // 8), markersize=3.5,
                label=f"{content.look.label(str(method))} (n = {part['n'].iloc[0]})",
            )  # fmt: skip
        draw_reference(content, ax)
        ax.xaxis.get_major_locator().set_params(integer=axis == "epoch")
        ax.set_xlabel("epoch" if axis == "epoch" else "seconds of search")
        if is_first_column(ax):
            ax.set_ylabel(content.value)
        ax.set_xlim(0, rows["x"].max() * 1.02 or 1)
        content.look.limit(ax, x=axis)

    def _draw_alone(self, content: Content, ax: Any, method: str) -> None:
        """One method in a panel: its runs, their median, the baseline's, and where each run ends."""
        from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

        rows = content.rows[content.rows["axis"] == "epoch"]
        part, line = rows[rows["method"] == method], content.look[method]
        end = rows["x"].max()
        ax.set_title(f"{content.look.label(method)} (n = {part['n'].iloc[0]})", fontsize="medium")
        for name in rows["method"].unique():
            if content.look[str(name)].color == QUIET and name != method:
                base = rows[rows["method"] == name]
                told = f"median of {content.look.label(str(name))}"
                ax.plot(
                    base["x"], base["median"], color="0.6", linewidth=1.0, linestyle=(0, (4, 1)), label=told, zorder=1
                )
        if self.runs is not False:
            self._draw_runs(content, ax, "epoch", method)
        ax.fill_between(part["x"], part["low"], part["high"], color=line.color, alpha=0.15, linewidth=0)
        ax.plot(part["x"], part["median"], color=line.color, linewidth=line.width + 0.4)
        seeds = content.more["seeds"]
        own = seeds[seeds["method"] == method].sort_values("epoch").groupby("seed").last().sort_values("value")
        places = end * (1 + STRIP * (0.4 + 0.5 * (np.arange(len(own)) % 3) / 2))
        ax.plot(
            places, own["value"], linestyle="", marker="o", color=line.color, markersize=2.8, alpha=0.8,
            markeredgewidth=0, clip_on=False,
        )  # fmt: skip
        draw_reference(content, ax)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_xlim(0, end * (1 + STRIP) or 1)
        ax.set_xlabel("epoch")
        lowest, highest = seeds["value"].min(), seeds["value"].max()
        if lowest > 0 and highest / lowest > WIDE_RANGE:
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.yaxis.set_minor_locator(NullLocator())
            ax.set_ylim(min([lowest, *content.reference.values()]) / 1.15, highest * 1.15)
        if is_first_column(ax):
            ax.set_ylabel(content.value)
        content.look.limit(ax, x="epoch")

    @staticmethod
    def _draw_runs(content: Content, ax: Any, axis: str, method: str) -> None:
        """Single runs, each to its own end."""
        seeds = content.more["seeds"]
        line = content.look[method]
        for _, run in seeds[seeds["method"].eq(method)].groupby("seed"):
            style = "steps-post" if axis == "seconds" else "default"
            ax.plot(run[axis], run["value"], color=line.color, alpha=0.45, linewidth=0.6, drawstyle=style)


def draw_ends(content: Content, ax: Any) -> None:
    """What was judged after one epoch alone: a column a method, runs of equal seeds joined by a line."""
    seeds, rows = content.more["seeds"], content.rows
    methods = list(dict.fromkeys(map(str, rows["method"])))
    ends = seeds.pivot(index="seed", columns="method", values="value")[methods]
    for _, run in ends.iterrows():
        ax.plot(range(len(methods)), run, color="0.75", linewidth=0.7, zorder=1)
    for place, method in enumerate(methods):
        line, values = content.look[method], ends[method].dropna()
        ax.plot([place] * len(values), values, linestyle="", marker=line.marker, color=line.color, markersize=4)
        middle = values.median()
        ax.plot([place - 0.18, place + 0.18], [middle, middle], color=line.color, linewidth=2)
    draw_reference(content, ax)
    ax.set_xticks(range(len(methods)), [f"{content.look.label(m)}\nn = {ends[m].count()}" for m in methods])
    ax.set_xlim(-0.5, len(methods) - 0.5)
    ax.set_ylabel(content.value)


def describe_noise(runs: Runs) -> str:
    """What a line between runs of equal seeds is to be seen against."""
    noise = runs.endpoints().noise
    known = "how far a second training of a cell lies from the first is not known"
    return "runs of equal seeds are joined; " + (known if np.isnan(noise) else f"noise of the table {noise:.2f} points")


def draw_reference(content: Content, ax: Any) -> None:
    """Levels to see results against, as lines across."""
    for (label, level), dash in zip(content.reference.items(), ("-", ":"), strict=False):
        ax.axhline(level, color="0.2", linestyle=dash, linewidth=0.9, label=f"{label}: {level:.2f}", zorder=0.5)


def find_first_judged(runs: pd.DataFrame) -> float:
    """The seconds from which on every run has a value: 0 where the beginning is judged."""
    starts = runs.groupby("seed")[["epoch", "seconds"]].min()
    return float(starts["seconds"].max()) if starts["epoch"].max() > 0 else 0.0


def hold_last_values(seconds: Any, values: Any, grid: Any) -> Any:
    """The value of the last epoch that ended by each time (the first epoch's before that)."""
    return values[np.searchsorted(seconds, grid, side="right").clip(min=1) - 1]


def summarize_band(name: Any, axis: str, x: Any, values: Any) -> pd.DataFrame:
    """Median and quartiles over the columns of values [points, seeds]; NaN where a seed has none."""
    import pandas as pd

    low, median, high = np.quantile(values, (0.25, 0.5, 0.75), axis=1)
    content = {"method": name, "axis": axis, "x": x, "median": median, "low": low, "high": high}
    return pd.DataFrame(content | {"n": values.shape[1]})
