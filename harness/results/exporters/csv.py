"""One CSV file, a row a run and epoch."""

from __future__ import annotations

import io
from pathlib import Path

from harness.core.files import disk, write_atomically
from harness.results.exporters.base import Exporter, tidy
from harness.results.frames import Results


class CSV(Exporter):
    """One CSV file, a row a run and epoch; `harness import csv` reads it again."""

    name = "csv"

    def write(self, results: Results, study: str, to: Path | None) -> str:
        path = to or Path(f"{study}.csv")
        buffer = io.StringIO()
        tidy(results).to_csv(buffer, index=False)
        with disk(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue().encode())
        return str(path)
