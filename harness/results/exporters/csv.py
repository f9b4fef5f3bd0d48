"""One CSV file, a row a run and epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.core.markup import write_csv_text
from harness.results.exporters.base import FileExporter

if TYPE_CHECKING:
    import pandas as pd


class CSVExporter(FileExporter):
    """One CSV file, a row a run and epoch; `harness import csv` reads it again."""

    name = "csv"

    def encoded(self, rows: pd.DataFrame) -> bytes:
        return write_csv_text(rows).encode()
