"""How a table's architectures are spread, and how far its trials agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.files import explain_disk_errors
from harness.plots.base import Picture
from harness.plots.content import Content
from harness.tables.table import Table

BINS = 60
SPREAD, PAIR = "spread", "pair"


class Distribution(Picture):
    """The histogram of a table's errors with its best and median, and one measurement's errors against another's."""

    row_height: ClassVar[float] = 2.6
    narrowest: ClassVar[float] = 2.4

    def of(self, table: Table, rows: NDArray[np.intp] | None = None) -> Content:
        """mean: error in % of each architecture in the table's test, the mean over its trials; two more columns, named
        by what they are, of two measurements: two single trials, or else the measure that selects and the test (none
        where there is but one). rows: of the architectures to show, all of them where it is left out."""
        import pandas as pd

        measure = table.test
        chosen = np.arange(len(table)) if rows is None else rows
        error_of = table.scale.error_of
        mean = error_of(table.row_values(measure)[chosen])
        if np.isnan(mean).all():
            raise HarnessError(f"table {table.name} knows no architecture's {measure}: there is nothing to draw")
        pair: dict[str, NDArray[np.floating[Any]]] = {}
        if len(seeds := table.seeds(measure)[:2]) == 2:
            pair = {f"trial {seed}": error_of(table.row_values(measure, seed)[chosen]) for seed in seeds}
        elif table.validation is not None:
            pair = {str(m): error_of(table.row_values(m)[chosen]) for m in (table.validation, measure)}
        known = mean[~np.isnan(mean)]
        of = "" if table.knows_all(measure) else " known"
        return Content(
            pd.DataFrame({"mean": mean} | pair),
            f"{table.name}: {measure}, n = {len(known):,}",
            (SPREAD, PAIR) if pair else (SPREAD,),
            {f"best{of}": float(known.min()), f"median{of}": float(np.median(known))},
            value=table.scale.axis,
        )

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        ax.set_title("")
        if panel == SPREAD:
            ax.hist(content.rows["mean"].dropna(), bins=BINS, color="0.72")
            for (name, level), dash in zip(content.reference.items(), ("-", ":"), strict=True):
                ax.axvline(level, color="0.15", linestyle=dash, linewidth=1, label=f"{name}: {level:.2f}")
            ax.set(xlabel=f"{content.value}, mean over trials", ylabel="architectures")
            ax.legend(frameon=False, fontsize="small")
            return
        pair = content.rows.drop(columns="mean")
        ax.plot(*pair.to_numpy().T, ".", markersize=2, alpha=0.35, color="0.2", rasterized=True)
        ends = [pair.min(axis=None), pair.max(axis=None)]
        ax.plot(ends, ends, color="0.6", linewidth=0.8)
        ax.set(xlabel=f"{content.value}, {pair.columns[0]}", ylabel=f"{content.value}, {pair.columns[1]}")


def save_distribution(table: Table, rows: NDArray[np.intp], folder: Path) -> Path:
    """Write `distribution.png` of a table's distinct architectures; returns its path."""
    figure, path = Distribution(), folder / "distribution.png"
    with explain_disk_errors(folder):
        figure.render(figure.of(table, rows)).savefig(path, dpi=130)
    return path
