"""Earlier versions of a table, opened out of the newest one, whose columns hold every value of theirs.

A version is known by its fingerprint. `table.json` lists the earlier ones (`earlier`): their columns, each with the
column that holds its values now, and their costs. What was looked up in one of them is read in just that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.core.errors import HarnessError
from harness.tables.measure import Column, Cost


class Earlier(NamedTuple):
    """fingerprint: of the version. until: the last release that had it. columns: (its column, the column that holds
    its values now), in its order. costs: in its order."""

    fingerprint: str
    until: str
    columns: Sequence[tuple[Column, Column]]
    costs: Sequence[Cost]


def restore_earlier_version(info: dict[str, Any], fingerprint: str) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """What `table.json` would say of an earlier version, and the places of its columns in each array of the newest.

    Raises:
        HarnessError: The table lists no such version.
    """
    found = [Earlier(*e) for e in info.get("earlier", []) if e[0] == fingerprint]
    if not found:
        raise HarnessError(f"table {info['name']} knows no version {fingerprint[:12]} of itself")
    (version,) = found
    columns, costs = [Column(*c) for c in info["columns"]], [Cost(*c) for c in info.get("costs", [])]
    told = {key: value for key, value in info.items() if key not in ("earlier", "more")}
    told |= {
        "columns": [old for old, _ in version.columns],
        "costs": version.costs,
        "fingerprint": fingerprint,
        "about": {**info["about"], "version": f"as it was until {version.until}"},
    }
    places = {
        "accuracy.npy": [columns.index(Column(*new)) for _, new in version.columns],
        "costs.npy": [costs.index(Cost(*cost)) for cost in version.costs],
    }
    return told, places


def find_version(info: dict[str, Any], start: str) -> str | None:
    """The fingerprint that begins so; None for the newest version's.

    Raises:
        HarnessError: There is no such version, or there are several.
    """
    known = [info["fingerprint"], *(e[0] for e in info.get("earlier", []))]
    fitting = [f for f in known if f.startswith(start)]
    if not start or len(fitting) != 1:
        told = ", ".join(f[:12] for f in known)
        raise HarnessError(f"table {info['name']} has no single version {start!r}: it has {told} (newest first)")
    return None if fitting[0] == info["fingerprint"] else fitting[0]
