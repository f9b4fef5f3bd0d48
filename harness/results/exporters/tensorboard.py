"""TensorBoard's event files, a folder METHOD/seed<N> each run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from harness.core.errors import HarnessError
from harness.core.files import NAME_BYTES, explain_disk_errors, hash_bytes, join_inside
from harness.results.exporters.base import Board, Part, Tracker, hash_run, select_numbers

MARK = "harness-run.txt"
"""Says which run a folder holds, and that it is whole."""
BEGUN = f"{MARK}.tmp"
"""Says that a folder is of this exporter, and not whole."""
EVENTS = "events.out.tfevents.*"
ARCHITECTURE = "arch/text_summary"


@dataclass
class Folder:
    """The folder of a run, and what writes its events, once there are some to write."""

    path: Path
    writer: Any = None


class TensorBoardExporter(Tracker):
    """TensorBoard's event files, a folder METHOD/seed<N> each run: `tensorboard --logdir`. Needs tensorboard."""

    name = "tensorboard"

    def open(self, study: str, to: str | None) -> str:
        require_package()
        self.root = Path(to) if to else join_inside(Path("tensorboard"), study)
        return str(self.root)

    def folder(self, part: Part) -> Path:
        return join_inside(self.root, make_folder_name(part.method), f"seed{part.seed}")

    def holds(self, part: Part) -> bool:
        mark = self.folder(part) / MARK
        return part.whole and mark.is_file() and mark.read_text() == hash_run(part.rows)

    def begin(self, part: Part) -> Board:
        folder = self.folder(part)
        with explain_disk_errors(folder):
            ours = (folder / MARK).is_file() or (folder / BEGUN).is_file()
            if folder.is_dir() and not ours and any(folder.iterdir()):
                raise HarnessError(f"{folder} holds files of something else: choose another folder with --to")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / BEGUN).write_text(part.id)
            (folder / MARK).unlink(missing_ok=True)
            return Board(Folder(folder), dict(read_events(folder)))

    def numbers(self, row: dict[str, Any]) -> dict[str, float]:
        with np.errstate(over="ignore"):
            return {name: float(np.float32(value)) for name, value in select_numbers(row).items()}

    def add(self, board: Board, rows: list[tuple[dict[str, Any], dict[str, float]]]) -> None:
        with explain_disk_errors(board.handle.path):
            if board.handle.writer is None:
                from tensorboard.summary.writer.event_file_writer import EventFileWriter

                board.handle.writer = EventFileWriter(str(board.handle.path))
            for row, numbers in rows:
                board.handle.writer.add_event(make_event(row, numbers))
            board.handle.writer.flush()

    def finish(self, board: Board, part: Part) -> None:
        self.end(board)
        with explain_disk_errors(board.handle.path):
            (board.handle.path / BEGUN).write_text(hash_run(part.rows))
            (board.handle.path / BEGUN).rename(board.handle.path / MARK)

    def drop(self, board: Board, part: Part) -> None:
        self.end(board)
        with explain_disk_errors(board.handle.path):
            shutil.rmtree(board.handle.path)

    def end(self, board: Board) -> None:
        if board.handle.writer is not None:
            board.handle.writer.close()

    def close(self) -> None:
        for board in self.boards.values():
            self.end(board)
        super().close()


def make_folder_name(method: str) -> str:
    """What the folder of a method is called: by its name, of which a path's letters are told as %2F, so that two
    methods have two folders. `read_method` gives the name again."""
    name = method.replace("%", "%25").replace("/", "%2F").replace("\\", "%5C")
    name = f"%2E{name[1:]}" if name.startswith(".") else name
    if len(name.encode()) <= NAME_BYTES:
        return name
    return f"{name.encode()[:200].decode(errors='ignore')}%{hash_bytes(method.encode())[:12]}"


def read_method(folder: Path) -> str:
    """The method of a folder METHOD/seed<N>, which is called as it says where others wrote it."""
    name = folder.parent.name
    ours = (folder / MARK).is_file() or (folder / BEGUN).is_file()
    return unquote(name) if ours else name


def require_package() -> None:
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        raise HarnessError("writing event files needs the package tensorboard: pip install tensorboard") from None


def make_event(row: dict[str, Any], numbers: dict[str, float]) -> Any:
    """All of an epoch as one event: scalars, and the architecture as text; the step is the epoch, the time the seconds
    of the search."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.text.metadata import create_summary_metadata
    from tensorboard.util.tensor_util import make_tensor_proto

    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in numbers.items()]
    about = create_summary_metadata(display_name="arch", description="the derived architecture")
    text = make_tensor_proto(str(row["arch"]).encode())
    values.append(Summary.Value(tag=ARCHITECTURE, metadata=about, tensor=text))
    seconds = row["seconds"] if row["seconds"] == row["seconds"] else 0.0
    return Event(step=int(row["epoch"]), wall_time=seconds, summary=Summary(value=values))


def read_events(folder: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """The epochs in a folder and their numbers. An event that a killed process left in half is none, as for
    TensorBoard."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    for path in sorted(folder.glob(EVENTS)):
        for event in LegacyEventFileLoader(str(path)).Load():
            if event.HasField("summary"):
                yield event.step, {v.tag: v.simple_value for v in event.summary.value if v.tag != ARCHITECTURE}
