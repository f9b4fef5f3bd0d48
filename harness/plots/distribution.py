"""How a table's architectures are spread, and how far its trials agree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.plots.style import figure
from harness.tables.measure import Measure
from harness.tables.table import Table

BINS = 60


@dataclass(frozen=True)
class DistributionData:
    """error: [architectures] in %, the mean over trials; pair: [architectures, 2], errors in % of two measurements (two
    single trials, or else the measure that selects and the one that is shown), None where there is but one; labels:
    what the two are; reference: levels to draw, in %."""

    title: str
    error: NDArray[np.floating[Any]]
    pair: NDArray[np.floating[Any]] | None
    labels: tuple[str, ...]
    reference: dict[str, float]


def data(table: Table, measure: Measure | None = None, *, rows: NDArray[np.intp] | None = None) -> DistributionData:
    """The figure's numbers. rows: of the architectures to show, all of them where it is left out."""
    measure = measure or table.test
    chosen = np.arange(len(table)) if rows is None else rows
    error = 100 - table.vector(measure)[chosen]
    if np.isnan(error).all():
        raise HarnessError(f"table {table.name} knows no architecture's {measure}: there is nothing to draw")
    labels = tuple(f"trial {seed}" for seed in table.seeds(measure)[:2])
    pair = None
    if len(labels) == 2:
        pair = 100 - table.vector_all(measure)[:2, chosen].T
    elif table.validation is not None:
        labels = (str(table.validation), str(measure))
        pair = 100 - np.stack([table.vector(table.validation), table.vector(measure)])[:, chosen].T
    error = error[~np.isnan(error)]
    reference = {"best": float(error.min()), "median": float(np.median(error))}
    return DistributionData(f"{table.name}: {measure}, n = {len(error):,}", error, pair, labels, reference)


def draw(content: DistributionData, ax: Any) -> None:
    """Draw the histogram of errors, with the best and the median."""
    ax.hist(content.error, bins=BINS, color="0.72")
    for (name, level), dash in zip(content.reference.items(), ("-", ":"), strict=True):
        ax.axvline(level, color="0.15", linestyle=dash, linewidth=1, label=f"{name}: {level:.2f}")
    ax.set_xlabel("error (%), mean over trials")
    ax.set_ylabel("architectures")
    ax.legend(frameon=False, fontsize="small")


def draw_trials(content: DistributionData, ax: Any) -> None:
    """Draw one measurement's error against another's."""
    if content.pair is None:
        ax.set_axis_off()
        return
    ax.plot(*content.pair.T, ".", markersize=2, alpha=0.35, color="0.2", rasterized=True)
    low, high = np.nanmin(content.pair), np.nanmax(content.pair)
    ax.plot([low, high], [low, high], color="0.6", linewidth=0.8)
    first, second = content.labels
    ax.set_xlabel(f"error (%), {first}")
    ax.set_ylabel(f"error (%), {second}")


def save(content: DistributionData, folder: Path, name: str = "distribution") -> Path:
    """Write `<name>.png`; returns its path."""
    fig, axes = figure(columns=2, height=2.7)
    draw(content, axes[0, 0])
    draw_trials(content, axes[0, 1])
    fig.suptitle(content.title, fontsize="small")
    path = folder / f"{name}.png"
    fig.savefig(path, dpi=130)
    return path
