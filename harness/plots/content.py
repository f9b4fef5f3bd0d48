"""What a figure is made of, and writing it to files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.files import disk
from harness.plots.style import figure

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("svg", "png", "pdf")


@dataclass(frozen=True)
class Content:
    """rows: every number that is drawn, tidy. panels: what each panel shows, a value of the column `panel` (one panel
    if empty). reference: label -> level."""

    rows: pd.DataFrame
    title: str
    panels: tuple[str, ...] = ()
    reference: dict[str, float] = field(default_factory=dict)

    def of(self, panel: str | None) -> pd.DataFrame:
        """The rows of one panel."""
        return self.rows if panel is None else self.rows[self.rows["panel"] == panel]


Draw = Callable[[Content, Any, str | None], None]
"""Draws one panel on axes."""


def draw_all(
    content: Content,
    draw: Draw,
    *,
    height: float = 2.6,
    legend: bool = False,
    projection: str | None = None,
    per_row: int = 4,
) -> Any:
    """The whole figure, in rows of up to `per_row` panels, each row `height` inches high."""
    panels: tuple[str | None, ...] = content.panels or (None,)
    columns = min(per_row, len(panels))
    fig, axes = figure(
        columns, height * -(-len(panels) // columns), rows=-(-len(panels) // columns), projection=projection
    )
    flat = list(axes.flat)
    for panel, ax in zip(panels, flat, strict=False):
        draw(content, ax, panel)
        if panel is not None:
            ax.set_title(panel, fontsize="small")
    for ax in flat[len(panels) :]:
        ax.set_axis_off()
    if legend:
        handles, labels = flat[0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    fig.suptitle(content.title, fontsize="small")
    return fig


def save(fig: Any, content: Content, folder: Path, name: str) -> list[Path]:
    """Write `<name>.svg`, `.png`, `.pdf` and the drawn numbers as `.csv`. Returns the paths."""
    paths = [*write(fig, folder, name), folder / f"{name}.csv"]
    content.rows.to_csv(paths[-1], index=False)
    return paths


def write(fig: Any, folder: Path, name: str) -> list[Path]:
    """Write a figure as SVG, PNG and PDF, each the same file for the same figure."""
    paths = [folder / f"{name}.{kind}" for kind in KINDS]
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(path.suffix[1:])
            fig.savefig(path, dpi=200, metadata=undated)
    return paths
