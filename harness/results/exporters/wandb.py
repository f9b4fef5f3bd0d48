"""Weights & Biases, offline: a folder of runs that `wandb sync` can send."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import explain_disk_errors
from harness.results.exporters.base import Board, Part, Tracker, hash_run, select_numbers

DONE = "harness-done"
"""A file in the folder of each run that is whole; it says which rows it holds."""


class WandB(Tracker):
    """Weights & Biases, offline: a folder of runs that `wandb sync` can send. Needs wandb.

    A folder of its can not be gone on with: a run that a killed process had begun is sent from its first epoch, in a
    new folder that takes the place of the old one.
    """

    name = "wandb"

    def open(self, study: str, to: str | None) -> str:
        try:
            import wandb  # noqa: F401
        except ImportError:
            raise HarnessError("exporting to Weights & Biases needs its package: pip install wandb") from None
        self.study, self.root = study, Path(to or "wandb-offline")
        with explain_disk_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        return str(self.root)

    def folders(self, number: str) -> Iterator[Path]:
        """The folders that hold a run, by its number there."""
        return self.root.glob(f"wandb/offline-run-*-{number}")

    def holds(self, part: Part) -> bool:
        if not part.whole:  # one that was whole stays until it is known what takes its place
            return any((folder / DONE).is_file() for folder in self.folders(part.id))
        mark = hash_run(part.rows)
        if any((folder / DONE).is_file() for folder in self.folders(mark)):  # as older versions numbered it
            return True
        return any((f / DONE).is_file() and (f / DONE).read_text() == mark for f in self.folders(part.id))

    def begin(self, part: Part) -> Board:
        import wandb

        with explain_disk_errors(self.root):
            for folder in list(self.folders(part.id)):
                shutil.rmtree(folder)
        # the same number each time: what was sent of a run that was begun before is overwritten there
        return Board(
            wandb.init(
                project=self.study,
                dir=str(self.root),
                id=part.id,
                name=f"{part.method} seed {part.seed}",
                group=part.method,
                config={"method": part.method, "seed": part.seed},
                mode="offline",
                reinit="create_new",
                settings=wandb.Settings(silent=True, x_disable_stats=True, console="off"),
            )
        )

    def add(self, board: Board, rows: list[tuple[dict[str, Any], dict[str, float]]]) -> None:
        for row, _ in rows:
            board.handle.log(select_numbers(row) | {"arch": row["arch"]}, step=int(row["epoch"]), commit=True)

    def finish(self, board: Board, part: Part) -> None:
        folder = Path(board.handle.dir).parent
        board.handle.finish()
        (folder / DONE).write_text(hash_run(part.rows))

    def drop(self, board: Board, part: Part) -> None:
        board.handle.finish()

    def close(self) -> None:
        for board in self.boards.values():
            board.handle.finish()
        super().close()
