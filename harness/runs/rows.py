"""What the rows of an epoch say of its derived architecture, whoever derived it: a run, a foreign log, a policy."""

from __future__ import annotations

from typing import Any

from harness.spaces.base import Architecture, Space
from harness.tables.table import Table


def record_architecture(architecture: Architecture, space: Space) -> dict[str, Any]:
    """What a row says of a derived architecture: its string, its key, and how often it takes each operation."""
    counts = {f"count_{op}": architecture.operations.count(op) for op in space.operations}
    return {"architecture": architecture.encoding, "key": architecture.key, **counts}


def lookup_records(epoch: int, architecture: Architecture, table: Table | None) -> list[dict[str, Any]]:
    """One row for every dataset, split, schedule and trial that the table holds."""
    if table is None:
        return []
    return [
        {
            "epoch": epoch,
            "dataset": column.dataset,
            "split": column.split,
            "table_epochs": column.epochs,
            "trial": str(column.trial),
            table.scale.column: value,
        }
        for column, value in table.all_values(architecture)
    ]
