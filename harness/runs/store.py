"""Runs as facts on disk: one folder a run, with its rows, manifest, and while it is unfinished its checkpoint.

A run is written in `<name>.running` and renamed to `<name>` when it is complete, so a folder without that ending is
always whole. Rows hold only what the seed determines; seconds and memory go to a file of their own, so that rows of
equal runs are equal byte by byte. The manifest keeps the SHA-256 of every file, and its own: what is read is checked.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.files import (
    DiskFullError,
    explain_disk_errors,
    join_inside,
    sync_folder,
    write_atomically,
)
from harness.core.notation import parse_json
from harness.runs.archive import write_tables
from harness.runs.lease import Lease
from harness.runs.manifest import (
    MANIFEST,
    RECOMPUTE,
    RUN_NAME,
    DamagedError,
    check_seal,
    is_unsealed,
    read_checked,
    read_first_line,
    read_manifest,
    read_owner,
    seal_manifest,
)
from harness.runs.schema import MOST_EPOCHS, TABLES, Unfit, add_owner, check_types, check_values

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

LEFTOVERS = ("checkpoint.pt", "progress.json")
"""Files of an unfinished run alone."""

Rows = dict[str, list[dict[str, Any]]]
"""Rows of each table of a run."""


RUNNING = ".running"
"""Ending of the folder of a run that is not finished."""


@dataclass(frozen=True)
class RunNames:
    """The names of the runs in a study's folder: finished, and begun."""

    finished: frozenset[str]
    running: frozenset[str]


def scan_folder(root: Path) -> RunNames:
    """What is in a study's folder, by one look at its names: no run is opened."""
    try:
        with os.scandir(root) as entries:
            names = {e.name for e in entries if not e.name.startswith(".") and e.is_dir()}
    except (FileNotFoundError, NotADirectoryError):
        names = set()
    running = {name for name in names if name.endswith(RUNNING)}
    return RunNames(frozenset(names - running), frozenset(name.removesuffix(RUNNING) for name in running))


class RunFolder:
    """The folder of one run under a study's folder."""

    def __init__(self, root: Path, name: str) -> None:
        self.final = root / name
        self.running = root / f"{name}{RUNNING}"

    @property
    def again(self) -> str:
        """What computes it anew, where it is damaged."""
        return RECOMPUTE

    @property
    def finished(self) -> bool:
        return self.final.is_dir()

    def lease(self) -> Lease:
        """The claim to compute the run: hold it, or learn who does."""
        return Lease(self.running.parent / ".leases" / self.final.name)

    def open(self) -> None:
        """Make the folder of an unfinished run, without what killed or failed attempts left behind."""
        with explain_disk_errors(self.running):
            self.running.mkdir(parents=True, exist_ok=True)
            sync_folder(self.running.parent)
            for leftover in [*self.running.glob("*.tmp"), self.error_file]:
                leftover.unlink(missing_ok=True)

    @property
    def error_file(self) -> Path:
        return self.running / "error.txt"

    def save_error(self, text: str) -> None:
        """Keep how an attempt failed, until the next one."""
        self.running.mkdir(parents=True, exist_ok=True)
        write_atomically(self.error_file, text.encode())

    def save_checkpoint(
        self, process: dict[str, Any], rows: Rows, progress: dict[str, Any], code: Mapping[str, str] | None = None
    ) -> None:
        """State and rows to go on from, and where the run is, readable without torch. code: what computes it."""
        import torch

        buffer = io.BytesIO()
        # rows as one text: torch.save looks at every number of a list by itself
        torch.save({"process": process, "rows": json.dumps(rows), "code": dict(code or {})}, buffer)
        with explain_full_disk():
            write_atomically(self.running / "checkpoint.pt", buffer.getvalue())
            self.save_progress(progress)

    def load_checkpoint(self, code: Mapping[str, str] | None = None) -> tuple[dict[str, Any], Rows] | None:
        """State and rows of the last complete checkpoint, or None at a run's beginning. code: what goes on with it,
        which must be what wrote it."""
        import torch

        path = self.running / "checkpoint.pt"
        if not path.exists():
            return None
        try:
            with zipfile.ZipFile(path) as archive:  # torch does not look at the sums that it writes
                if wrong := archive.testzip():
                    raise ValueError(f"{wrong} in it is not what was written")
            saved: dict[str, Any] = torch.load(path, weights_only=True)
            found = saved["process"], json.loads(saved["rows"])
            wrote = saved.get("code") or {}
        except Exception as error:
            raise HarnessError(
                f"{path} cannot be read ({error}): delete {self.running} to start this run over"
            ) from None
        if changed := sorted(part for part in wrote if code and code.get(part) != wrote[part]):
            raise HarnessError(
                f"{self.running} was begun with other code of {', '.join(changed)}: harness run --again starts it over"
            )
        return found

    def rows_so_far(self) -> Rows | None:
        """Rows of the last complete checkpoint, read beside whoever computes the run; None where there is none now."""
        import torch

        path = self.running / "checkpoint.pt"
        try:
            with zipfile.ZipFile(path) as archive:  # the part that holds the rows, whose sum is checked by reading it
                archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))
            # mapped: the network's state, which can be large, is not read
            found: Rows = json.loads(torch.load(path, weights_only=True, mmap=True)["rows"])
        except OSError:  # it has just been finished, or set aside
            return None
        except Exception as error:
            if not path.exists():
                return None
            raise HarnessError(
                f"{path} cannot be read ({read_first_line(error)}): look at it with harness status"
            ) from None
        return found

    def begun_by_other(self, code: Mapping[str, str]) -> bool:
        """Whether other code wrote the checkpoint of an unfinished run."""
        try:
            self.load_checkpoint(code)
        except HarnessError:
            return True
        return False

    def save_progress(self, progress: dict[str, Any]) -> None:
        write_atomically(self.running / "progress.json", json.dumps(progress).encode(), durable=False)

    def progress(self) -> dict[str, Any] | None:
        """What `save_progress` last wrote, or None."""
        try:
            content = parse_json((self.running / "progress.json").read_bytes())
        except (OSError, ValueError):
            return None
        whole = isinstance(content, dict) and all(
            type(content.get(key)) in (int, float) and 0 <= content[key] < MOST_EPOCHS for key in ("recorded", "steps")
        )
        known = whole and all(type(content.get(key)) in (int, float) for key in ("epochs", "wall_s"))
        return content if known else None

    def finish(self, tables: Rows, manifest: dict[str, Any]) -> None:
        """Write rows and manifest, give the folder its final name, and drop the checkpoint."""
        import pandas as pd

        with explain_full_disk():
            files = write_tables(self.running, {name: pd.DataFrame(tables[name]) for name in TABLES})
            content = seal_manifest(manifest | {"files": files})
            write_atomically(self.running / MANIFEST, (json.dumps(content, indent=1) + "\n").encode())
        with explain_disk_errors(self.final):
            if self.finished:  # merged in meanwhile
                shutil.rmtree(self.running, ignore_errors=True)
            else:
                self.running.rename(self.final)
            sync_folder(self.final.parent)
            # only now: a run killed before the renaming goes on from its checkpoint
            self.tidy()

    def tidy(self) -> None:
        """Drop what a finished run needs no more; a kill may have come before."""
        for leftover in LEFTOVERS:
            (self.final / leftover).unlink(missing_ok=True)

    @property
    def tidied(self) -> bool:
        return not any((self.final / leftover).exists() for leftover in LEFTOVERS)

    def manifest(self) -> dict[str, Any]:
        """The manifest of a finished run; `DamagedError` where it is not what was written."""
        path = self.final / MANIFEST
        content = check_seal(path, read_manifest(path, self.again), self.again)
        name = RUN_NAME.search(self.final.name)
        if name and not is_unsealed(content) and not name[0].endswith(f"_{content.get('id')}"):
            raise DamagedError(path, f"is that of another run, {content.get('id')}", self.again)
        return content

    def rows(self, manifest: dict[str, Any]) -> dict[str, pa.Table]:
        """The tables of a finished run by its manifest; `DamagedError` where their bytes are not what was written."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        content = {name: self.read(f"{name}.parquet", manifest) for name in TABLES}
        tables = {}
        for name, stored in content.items():
            try:
                # a thread for each column would cost more than it saves on so few rows
                tables[name] = pq.ParquetFile(pa.BufferReader(stored)).read(use_threads=False)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise DamagedError(
                    self.final / f"{name}.parquet", f"is no table ({read_first_line(error)})", self.again
                ) from None
        if "configuration" in manifest:
            self.check(lambda: check_types(tables, owned=False))
        return tables

    def check(self, look: Callable[[], None]) -> None:
        """Turn what is unfit about the tables of this run into `DamagedError`."""
        try:
            look()
        except Unfit as error:
            raise DamagedError(self.final / f"{error.table}.parquet", str(error), self.again) from None

    def check_rows(self, tables: Mapping[str, pa.Table], method: str, seed: int) -> None:
        """`DamagedError` where the values of this run's tables are not what they are to be."""
        self.check(lambda: check_values({name: add_owner(table, method, seed) for name, table in tables.items()}))

    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables of a finished run as DataFrames, by name."""
        return {name: rows.to_pandas() for name, rows in self.rows(self.manifest()).items()}

    def damage(self) -> list[DamagedError]:
        """Every file of a finished run that is not what was written."""
        try:
            manifest = self.manifest()
        except DamagedError as error:
            return [error]
        found = []
        for name in manifest.get("files", {f"{table}.parquet": None for table in TABLES}):
            try:
                self.read(name, manifest)
            except DamagedError as error:
                found.append(error)
        if not found and "configuration" in manifest:
            try:
                self.check_rows(self.rows(manifest), *read_owner(manifest))
            except DamagedError as error:
                return [error]
        return found

    def set_aside(self, to: str = ".damaged") -> Path:
        """Move a run out of the way, finished or not, so that it can be computed again. to: a folder beside them."""
        present = self.final if self.finished else self.running
        with explain_disk_errors(present):
            aside = present.parent / to / present.name
            aside.parent.mkdir(exist_ok=True)
            shutil.rmtree(aside, ignore_errors=True)
            present.rename(aside)
        return aside

    def read(self, name: str, manifest: dict[str, Any]) -> bytes:
        """A file of a finished run, by its manifest; `DamagedError` where its bytes are not those that were written."""
        told = None if is_unsealed(manifest) else manifest["files"].get(name, "")
        return read_checked(join_inside(self.final, name), told, self.again)


@contextmanager
def explain_full_disk() -> Iterator[None]:
    """Say what a full disk costs a run: nothing of what it has finished."""
    try:
        yield
    except DiskFullError as error:
        raise DiskFullError(f"{error}, finished epochs are kept") from None
