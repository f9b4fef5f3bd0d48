"""The rows of many epochs, gathered column by column: a dictionary a row would take ten times the memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.runs.rows import lookup_records, record_architecture
from harness.spaces.base import Architecture, Space
from harness.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

AT_ONCE = 1 << 18
"""Rows of lookups that are made at a time."""
KEYS = ("dataset", "split", "table_epochs", "trial")
"""What a lookup is of, beside its run and epoch."""
NAN = float("nan")


class Gathered:
    """space: of the cells. table: that is asked, or None. What is known of a cell is looked up once."""

    def __init__(self, space: Space, table: Table | None) -> None:
        self.space, self.table = space, table
        self.epochs: dict[str, list[Any]] = {}
        self.seconds: list[float] = []
        self._count = 0
        self._parsed: dict[str, Architecture] = {}
        self._cells: dict[str, int] = {}
        self._records: list[dict[str, Any]] = []
        self._of: list[dict[str, Any]] = []
        self._values: list[list[float]] = []
        self._places: list[int] = []

    def parse(self, text: str) -> Architecture:
        """The architecture of a text, read once."""
        if text not in self._parsed:
            self._parsed[text] = self.space.parse(text)
        return self._parsed[text]

    def look_up(self, architecture: Architecture) -> dict[str, Any]:
        """What a row says of an architecture; asks the table."""
        place = self._cells.get(architecture.encoding)
        if place is None:
            found = lookup_records(0, architecture, self.table)
            if self.table is not None:
                self._of = self._of or [{key: row[key] for key in KEYS} for row in found]
                self._values.append([row[self.table.scale.column] for row in found])
            self._records.append(record_architecture(architecture, self.space))
            place = self._cells[architecture.encoding] = len(self._records) - 1
        return dict(self._records[place])

    def add(self, row: Mapping[str, Any], seconds: float) -> None:
        """Add a row of epochs, whose architecture was looked up. Columns that others have and it has not are NaN."""
        for name, value in row.items():
            if name not in self.epochs:
                self.epochs[name] = [NAN] * self._count
            self.epochs[name].append(value)
        self._count += 1
        for values in self.epochs.values():
            if len(values) < self._count:
                values.append(NAN)
        self.seconds.append(seconds)
        self._places.append(self._cells[row["architecture"]])

    def tables(self) -> dict[str, pd.DataFrame | Iterator[pa.Table]]:
        """The epochs, lookups and timing that were gathered, as tables."""
        import pandas as pd

        place = {name: self.epochs[name] for name in ("method", "seed", "epoch")}
        return {
            "epochs": pd.DataFrame(self.epochs),
            "lookups": self._lookups() if self._of else pd.DataFrame([]),
            "timing": pd.DataFrame(place | {"wall_s": self.seconds}),
        }

    def _lookups(self) -> Iterator[pa.Table]:
        """Some rows at a time: all of them may be more than fits into memory."""
        import pyarrow as pa

        assert self.table is not None
        wide = len(self._of)
        values, places = np.array(self._values, dtype=float), np.array(self._places)
        keys = {key: [row[key] for row in self._of] for key in KEYS}
        for first in range(0, self._count, max(1, AT_ONCE // wide)):
            some = slice(first, first + max(1, AT_ONCE // wide))
            count = len(places[some])
            columns = {
                name: repeat_values(self.epochs[name][some], np.repeat(np.arange(count), wide))
                for name in ("method", "seed", "epoch")
            }
            columns |= {name: repeat_values(told, np.tile(np.arange(wide), count)) for name, told in keys.items()}
            columns[self.table.scale.column] = pa.array(values[places[some]].ravel(), from_pandas=True)
            yield pa.table(columns)


def repeat_values(values: list[Any], places: Any) -> pa.Array:
    """The values at these places: text, or whole numbers."""
    import pyarrow as pa

    text = isinstance(values[0], str)
    return pa.array(values, pa.large_string() if text else pa.int64()).take(pa.array(places))
