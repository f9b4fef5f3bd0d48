"""Finding tables: those that come with the package, those that a user added, or a folder named outright."""

from __future__ import annotations

import os
from pathlib import Path

from harness.core.arguments import check_path
from harness.core.errors import HarnessError, MissingDataError, suggest_names
from harness.core.files import cache_folder
from harness.spaces.base import SPACES
from harness.tables.embedding import list_embedded_folders
from harness.tables.sources.published import list_sources
from harness.tables.table import Table
from harness.tables.training.on_demand import SUFFIX, StackTable
from harness.tables.versions import find_version

VERSION = "@"
"""Between a table's name and the fingerprint of one of its versions."""
NO_TABLE = "none"
"""What a person calls that there is none."""


def list_table_folders() -> dict[str, Path]:
    """Every known table by name; a user's table goes before an embedded one of the same name."""
    found, added = list_embedded_folders(), cache_folder() / "tables"
    if added.is_dir():
        found |= {p.name: p for p in sorted(added.iterdir()) if (p / "table.json").is_file()}
    return found


def open_table(name: str | Path) -> Table:
    """The table of a name, or of a folder's path.

    Args:
        name: as `harness tables list` has it, or the path of a table's folder; NAME@FINGERPRINT (its first digits) is
            an earlier version of it.

    Returns:
        The table, opened without being read.

    Raises:
        MissingDataError: it is made of published files that were not fetched yet; the sentence says how.
        HarnessError: there is no such table, or its folder is damaged.

    Example:
        >>> import harness
        >>> table = harness.open_table("nasbench201")
        >>> table.lookup(6111, "cifar10/ori-test@200")
        94.373333
        >>> table.optimum("cifar10/ori-test@200").index
        6111
    """
    if not isinstance(name, str) or name.startswith("~"):
        name = str(check_path(name, "name").absolute())
    if "\0" in name:
        raise HarnessError(f"{name!r} names no table: it holds a zero character")
    known = list_table_folders()
    plain, at, start = name.partition(VERSION)
    if plain in known:
        newest = Table(known[plain])
        version = find_version(newest.info, start) if at else None
        return newest if version is None else Table(known[plain], version)
    if name.endswith(SUFFIX):
        return StackTable(SPACES.find(name.removesuffix(SUFFIX))(), cache_folder() / "trained")
    if os.sep in name or Path(name).is_dir():
        return Table(Path(name))

    if makers := [
        n for n, s in list_sources().items() if any(f"{t}.".startswith(f"{name}.") for t in (s.table, *s.views))
    ]:
        told = f"harness tables fetch {makers[0]}, then harness tables add {makers[0]}"
        others = f" (or of {', '.join(makers[1:])})" if len(makers) > 1 else ""
        raise MissingDataError(f"table {name!r} is not here yet; it is made of published files: {told}{others}")
    raise HarnessError(
        f"unknown table {name!r}: {suggest_names(name, known)}; add one with 'harness tables add', "
        f"or name SPACE{SUFFIX} to train what is asked for"
    )
