"""One Parquet file, a row a run and epoch."""

from __future__ import annotations

import io
from pathlib import Path

from harness.core.files import disk, write_atomically
from harness.results.exporters.base import Exporter, tidy
from harness.results.frames import Results


class Parquet(Exporter):
    """One Parquet file, a row a run and epoch, exact to the last bit."""

    name = "parquet"

    def write(self, results: Results, study: str, to: Path | None) -> str:
        path = to or Path(f"{study}.parquet")
        buffer = io.BytesIO()
        tidy(results).to_parquet(buffer, index=False)
        with disk(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())
        return str(path)
