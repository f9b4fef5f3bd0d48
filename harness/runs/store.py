"""Runs as facts on disk: one folder a run, with its rows, manifest, and while it is unfinished its checkpoint.

A run is written in `<name>.running` and renamed to `<name>` when it is complete, so a folder without that ending is
always whole. Rows hold only what the seed determines; seconds and memory go to a file of their own, so that rows of
equal runs are equal byte by byte. The manifest keeps the SHA-256 of every file, and its own: what is read is checked.
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.files import disk, sha256, sync_folder, write_atomically
from harness.runs.lease import Lease

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("epochs", "lookups", "timing")
"""Parquet files of a finished run; `timing` is the one that differs between equal runs."""

Rows = dict[str, list[dict[str, Any]]]
"""Rows of each table of a run."""


class Damaged(HarnessError):
    """A finished run is not what was written."""


class RunFolder:
    """The folder of one run under a study's folder."""

    def __init__(self, root: Path, name: str) -> None:
        self.final = root / name
        self.running = root / f"{name}.running"

    @property
    def finished(self) -> bool:
        return self.final.is_dir()

    def lease(self) -> Lease:
        """The claim to compute the run: hold it, or learn who does."""
        return Lease(self.running.parent / ".leases" / self.final.name)

    def open(self) -> None:
        """Make the folder of an unfinished run, without what killed or failed attempts left behind."""
        with disk(self.running):
            self.running.mkdir(parents=True, exist_ok=True)
            for leftover in [*self.running.glob("*.tmp"), self.error_file]:
                leftover.unlink(missing_ok=True)

    @property
    def error_file(self) -> Path:
        return self.running / "error.txt"

    def save_error(self, text: str) -> None:
        """Keep how an attempt failed, until the next one."""
        self.running.mkdir(parents=True, exist_ok=True)
        write_atomically(self.error_file, text.encode())

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

        files = {}
        for name in TABLES:
            buffer = io.BytesIO()
            pd.DataFrame(tables[name]).to_parquet(buffer, index=False)
            write_atomically(self.running / f"{name}.parquet", buffer.getvalue())
            files[f"{name}.parquet"] = sha256(buffer.getvalue())
        content = sealed(manifest | {"files": files})
        write_atomically(self.running / "manifest.json", (json.dumps(content, indent=1) + "\n").encode())
        with disk(self.final):
            if not self.finished:
                self.running.rename(self.final)
            sync_folder(self.final.parent)
            # only now: a run killed before the renaming goes on from its checkpoint
            self.tidy()

    def tidy(self) -> None:
        """Drop what a finished run needs no more; a kill may have come before."""
        for leftover in ("checkpoint.pt", "progress.json"):
            (self.final / leftover).unlink(missing_ok=True)

    def manifest(self) -> dict[str, Any]:
        """The manifest of a finished run; `Damaged` where it is not what was written."""
        path = self.final / "manifest.json"
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise Damaged(f"{path} cannot be read ({error}): {self._again}") from None
        if not isinstance(content, dict) or not (content == sealed(content) or unsealed(content)):
            raise Damaged(f"{path} is not what was written, its SHA-256 differs: {self._again}")
        return content

    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables of a finished run; `Damaged` where their bytes are not those that were written."""
        import pandas as pd

        manifest = self.manifest()
        return {name: pd.read_parquet(io.BytesIO(self._checked(f"{name}.parquet", manifest))) for name in TABLES}

    def check(self) -> None:
        """`Damaged` where a file of a finished run is not what was written."""
        manifest = self.manifest()
        for name in manifest.get("files", {}):
            self._checked(name, manifest)

    def set_aside(self) -> Path:
        """Move a finished run that is damaged out of the way, so that it can be computed again."""
        with disk(self.final):
            aside = self.final.parent / ".damaged" / self.final.name
            aside.parent.mkdir(exist_ok=True)
            shutil.rmtree(aside, ignore_errors=True)
            self.final.rename(aside)
        return aside

    def _checked(self, name: str, manifest: dict[str, Any]) -> bytes:
        path = self.final / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise Damaged(f"{path} cannot be read ({error.strerror}): {self._again}") from None
        if not unsealed(manifest) and sha256(content) != manifest["files"].get(name):
            raise Damaged(f"{path} is not what was written, its SHA-256 differs: {self._again}")
        return content

    @property
    def _again(self) -> str:
        return "harness run --recompute-damaged computes it again"


def unsealed(manifest: dict[str, Any]) -> bool:
    """Whether a manifest is of record format 1, which kept no sums."""
    return manifest.get("configuration", {}).get("format") == 1 and "files" not in manifest


def sealed(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with the SHA-256 of all else that it holds."""
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return content | {"sha256": sha256(json.dumps(content, sort_keys=True).encode())}
