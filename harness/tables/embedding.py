"""The tables that come with the package."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from harness.tables.table import Table


def list_embedded_folders() -> dict[str, Path]:
    """The folders of the tables that come with the package, by name."""
    root = Path(str(files("harness.tables") / "embedded"))
    return {p.name: p for p in sorted(root.iterdir()) if (p / "table.json").is_file()} if root.is_dir() else {}


def iterate_embedded_tables(space: str) -> Iterator[Table]:
    """Those of a search space."""
    for folder in list_embedded_folders().values():
        table = Table(folder)
        if table.info["space"] == space:
            yield table


def find_richest_table() -> Table:
    """The one with the most measures."""
    return max((Table(folder) for folder in list_embedded_folders().values()), key=lambda table: len(table.measures))
