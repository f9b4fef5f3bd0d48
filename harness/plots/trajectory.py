"""The anytime figure: error of the derived architecture against epoch and against seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.core.errors import HarnessError
from harness.plots.content import write
from harness.plots.style import figure, lines
from harness.results.frames import Results
from harness.tables.measure import Measure

if TYPE_CHECKING:
    import pandas as pd

BAND = "median and interquartile range over seeds"
GRID = 120
"""Points of the common time axis."""

Metric = Literal["error", "regret"]


@dataclass(frozen=True)
class TrajectoryData:
    """Everything that is drawn. seeds: method, seed, epoch, seconds, value. summary: method, axis ("epoch" or
    "seconds"), x, median, low, high (quartiles), n. reference: label -> level of the horizontal lines."""

    seeds: pd.DataFrame
    summary: pd.DataFrame
    reference: dict[str, float]
    label: str
    title: str


def data(results: Results, *, metric: Metric = "error", measure: Measure | None = None) -> TrajectoryData:
    """The figure's numbers: error in % (or regret: percentage points above the table's optimum) of each epoch.

    Against seconds, a run's value holds until its next epoch ends; the axis ends where the shortest run does.
    """
    import pandas as pd

    if not len(results):
        raise HarnessError("there are no finished runs to draw")
    seeds = results.error_by_epoch(measure).rename(columns={"error_pct": "value"})
    reference: dict[str, float] = {}
    table = results.table
    if table is None:
        label, title = "supernet validation error (%)", "no table: error of the one-shot network"
    else:
        measure = measure or table.test
        known = table.references(measure)
        if metric == "regret" and not known:
            raise HarnessError(
                f"table {table.name} does not hold every architecture: its optimum is unknown, draw the error instead"
            )
        offset = known["table optimum"] if metric == "regret" else 0.0
        seeds["value"] -= offset
        reference = {name: value - offset for name, value in known.items()}
        what = "test" if measure == table.test else measure.split
        unit = f"{what} regret (percentage points)" if metric == "regret" else f"{what} error (%)"
        label, title = f"{unit}, derived architecture", f"{table.name}: {measure}"
    parts = []
    for name, part in seeds.groupby("method", sort=False):
        by_seed = part.pivot(index="epoch", columns="seed", values="value")
        parts.append(_summarise(name, "epoch", by_seed.index.to_numpy(), by_seed.to_numpy()))
        grid = np.linspace(0, part.groupby("seed")["seconds"].max().min(), GRID)
        steps = [_held(run["seconds"].to_numpy(), run["value"].to_numpy(), grid) for _, run in part.groupby("seed")]
        parts.append(_summarise(name, "seconds", grid, np.stack(steps, axis=1)))
    return TrajectoryData(seeds, pd.concat(parts, ignore_index=True), reference, label, title)


def _held(seconds: Any, values: Any, grid: Any) -> Any:
    """The value of the last epoch that ended by each time (the first epoch's before that)."""
    return values[np.searchsorted(seconds, grid, side="right").clip(min=1) - 1]


def _summarise(name: Any, axis: str, x: Any, values: Any) -> pd.DataFrame:
    """Median and quartiles over the columns of values [points, seeds]; NaN where a seed has none."""
    import pandas as pd

    low, median, high = np.quantile(values, (0.25, 0.5, 0.75), axis=1)
    content = {"method": name, "axis": axis, "x": x, "median": median, "low": low, "high": high}
    return pd.DataFrame(content | {"n": values.shape[1]})


def draw(content: TrajectoryData, ax: Any, axis: Literal["epoch", "seconds"] = "epoch") -> None:
    """Draw one panel: medians with their band, single seeds faint, the reference levels."""
    methods = list(content.seeds["method"].unique())
    style = lines(methods)
    for name in methods:
        colour, dash, marker = style[name]
        for _, run in content.seeds[content.seeds["method"] == name].groupby("seed"):
            where = "post" if axis == "seconds" else "default"
            ax.plot(run[axis], run["value"], color=colour, alpha=0.22, linewidth=0.7, drawstyle=_steps(where))
        part = content.summary[content.summary["method"].eq(name) & content.summary["axis"].eq(axis)]
        ax.fill_between(part["x"], part["low"], part["high"], color=colour, alpha=0.18, linewidth=0)
        every = max(1, len(part) // 8)
        ax.plot(
            part["x"],
            part["median"],
            color=colour,
            linestyle=dash,
            marker=marker,
            markevery=every,
            markersize=4,
            label=f"{name} (n = {part['n'].iloc[0]})",
        )
    for (label, level), dash in zip(content.reference.items(), ("-", ":"), strict=False):
        ax.axhline(level, color="0.35", linestyle=dash, linewidth=0.9, label=f"{label}: {level:.2f}")
    ax.set_xlabel("epoch" if axis == "epoch" else "seconds of search (wall clock)")
    ax.set_ylabel(content.label)
    ax.set_xlim(left=0)
    ax.margins(y=0.06)


def _steps(where: str) -> str:
    return "steps-post" if where == "post" else "default"


def save(content: TrajectoryData, folder: Path, name: str = "trajectory") -> list[Path]:
    """Write `<name>.svg`, `.png`, `.pdf`, the summary and the single seeds as CSV. Returns the paths."""
    fig, axes = figure(columns=2, height=3.4)
    draw(content, axes[0, 0], "epoch")
    draw(content, axes[0, 1], "seconds")
    axes[0, 1].set_ylabel("")
    axes[0, 1].sharey(axes[0, 0])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    fig.suptitle(f"{content.title}; line and band: {BAND}", fontsize="small")
    paths = write(fig, folder, name)
    for kind, rows in (("summary", content.summary), ("seeds", content.seeds)):
        paths.append(folder / f"{name}-{kind}.csv")
        rows.to_csv(paths[-1], index=False)
    return paths
