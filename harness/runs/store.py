"""Runs as facts on disk: one folder a run, with its rows, manifest, and while it is unfinished its checkpoint.

A run is written in `<name>.running` and renamed to `<name>` when it is complete, so a folder without that ending is
always whole. Rows hold only what the seed determines; seconds and memory go to a file of their own, so that rows of
equal runs are equal byte by byte.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import disk, write_atomically

TABLES = ("epochs", "lookups", "timing")
"""Parquet files of a finished run; `timing` is the one that differs between equal runs."""

Rows = dict[str, list[dict[str, Any]]]
"""Rows of each table of a run."""


class RunFolder:
    """The folder of one run under a study's folder."""

    def __init__(self, root: Path, name: str) -> None:
        self.final = root / name
        self.running = root / f"{name}.running"

    @property
    def finished(self) -> bool:
        return self.final.is_dir()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run against other processes; an error where one has it. A killed process holds nothing."""
        from filelock import FileLock, Timeout

        path = self.running.parent / ".locks" / self.final.name
        with disk(self.running):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path)  # stays: removing a lock's file lets two processes hold "it"
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise HarnessError(f"{self.running} is being written by another process: wait for it or stop it") from None
        try:
            yield
        finally:
            lock.release()

    def open(self) -> None:
        """Make the folder of an unfinished run."""
        with disk(self.running):
            self.running.mkdir(parents=True, exist_ok=True)

    def save_checkpoint(self, process: dict[str, Any], rows: Rows, progress: dict[str, Any]) -> None:
        """State and rows to go on from, and where the run is, readable without torch."""
        import torch

        buffer = io.BytesIO()
        # rows as one text: torch.save looks at every number of a list by itself
        torch.save({"process": process, "rows": json.dumps(rows)}, buffer)
        write_atomically(self.running / "checkpoint.pt", buffer.getvalue())
        self.save_progress(progress)

    def load_checkpoint(self) -> tuple[dict[str, Any], Rows] | None:
        """State and rows of the last complete checkpoint, or None at a run's beginning."""
        import torch

        path = self.running / "checkpoint.pt"
        if not path.exists():
            return None
        try:
            saved: dict[str, Any] = torch.load(path, weights_only=True)
            return saved["process"], json.loads(saved["rows"])
        except Exception as error:
            raise HarnessError(
                f"{path} cannot be read ({error}): delete {self.running} to start this run over"
            ) from None

    def save_progress(self, progress: dict[str, Any]) -> None:
        write_atomically(self.running / "progress.json", json.dumps(progress).encode(), durable=False)

    def progress(self) -> dict[str, Any] | None:
        """What `save_progress` last wrote, or None."""
        try:
            content: dict[str, Any] = json.loads((self.running / "progress.json").read_text())
        except (OSError, ValueError):
            return None
        return content

    def finish(self, tables: Rows, manifest: dict[str, Any]) -> None:
        """Write rows and manifest, give the folder its final name, and drop the checkpoint."""
        import pandas as pd

        for name in TABLES:
            buffer = io.BytesIO()
            pd.DataFrame(tables[name]).to_parquet(buffer, index=False)
            write_atomically(self.running / f"{name}.parquet", buffer.getvalue())
        write_atomically(self.running / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())
        self.running.rename(self.final)
        # only now: a run killed before the renaming goes on from its checkpoint
        for leftover in ("checkpoint.pt", "progress.json"):
            (self.final / leftover).unlink(missing_ok=True)

    def manifest(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.final / "manifest.json").read_text())
        return content
