"""One Parquet file, a row a run and epoch."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from harness.results.exporters.base import FileExporter

if TYPE_CHECKING:
    import pandas as pd


class Parquet(FileExporter):
    """One Parquet file, a row a run and epoch, exact to the last bit."""

    name = "parquet"

    def encoded(self, rows: pd.DataFrame) -> bytes:
        buffer = io.BytesIO()
        rows.to_parquet(buffer, index=False)
        return buffer.getvalue()
