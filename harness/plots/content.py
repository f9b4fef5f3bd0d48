"""What a figure is made of, and writing it to files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.files import explain_disk_errors
from harness.core.markup import write_csv_text
from harness.plots.look import FigureLook

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("svg", "png", "pdf")


@dataclass(frozen=True)
class Content:
    """rows: every number that is drawn, tidy. panels: what each panel shows, a value of the column `panel` (one panel
    if empty). reference: label -> level. value: what the values are, with their unit. more: other rows that are
    drawn, by name. look: how methods are drawn."""

    rows: pd.DataFrame
    title: str
    panels: tuple[str, ...] = ()
    reference: dict[str, float] = field(default_factory=dict)
    value: str = ""
    more: dict[str, pd.DataFrame] = field(default_factory=dict)
    look: FigureLook = field(default_factory=FigureLook)

    def of(self, panel: str | None) -> pd.DataFrame:
        """The rows of one panel."""
        return self.rows if panel is None else self.rows[self.rows["panel"] == panel]

    def by_method(self, panel: str | None = None) -> list[tuple[str, pd.DataFrame]]:
        """The rows of each method, of one panel."""
        return [(str(name), part) for name, part in self.of(panel).groupby("method", sort=False)]


def save(fig: Any, content: Content, folder: Path, name: str) -> list[Path]:
    """Write `<name>.svg`, `.png`, `.pdf`, and the drawn numbers as `.csv` and `-<more>.csv`. Returns the paths."""
    paths = write(fig, folder, name)
    for part, rows in {"": content.rows, **content.more}.items():
        paths.append(folder / (f"{name}-{part}.csv" if part else f"{name}.csv"))
        paths[-1].write_text(write_csv_text(rows), encoding="utf-8")
    return paths


def write(fig: Any, folder: Path, name: str) -> list[Path]:
    """Write a figure as SVG, PNG and PDF, each the same file for the same figure."""
    paths = [folder / f"{name}.{kind}" for kind in KINDS]
    with explain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(path.suffix[1:])
            fig.savefig(path, dpi=200, metadata=undated)
    return paths
