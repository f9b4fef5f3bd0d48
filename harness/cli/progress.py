"""The live progress of runs, read from their progress files."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.core.text import format_duration

if TYPE_CHECKING:
    from harness.runs.execute import Planned

POLL_SECONDS = 0.5


@contextmanager
def show_live_progress(planned: Sequence[Planned]) -> Iterator[Callable[[str], None]]:
    """Show epochs done, epochs in all and the time left, per running run and over all, while the block runs.

    Reads the runs' progress files, so it works for runs in other processes. Yields a function that prints a line
    above the display. Without a terminal (standard error) there are only those lines.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from harness.runs.execute import survey

    console = Console(stderr=True)
    missing = [p for p, s in zip(planned, survey(planned), strict=True) if not s.finished]
    if not console.is_terminal or not missing:
        yield lambda line: print(line, file=sys.stderr)
        return
    bars = Progress(
        TextColumn("{task.description}", style="bold", markup=False), BarColumn(), MofNCompleteColumn(),
        TextColumn("epochs"), TextColumn("{task.fields[left]}"), console=console, transient=True,
    )  # fmt: skip
    stop = threading.Event()

    def watch() -> None:
        began = time.monotonic()
        before = sum(s.recorded for s in survey(missing))
        every = sum(p.run.epochs + 1 for p in missing)
        total = bars.add_task("all runs", total=every, left="")
        tasks: dict[str, Any] = {}
        while not stop.is_set():
            standings = survey(missing)
            for p, s in zip(missing, standings, strict=True):
                name = p.run.folder_name
                if s.progress and name not in tasks:
                    tasks[name] = bars.add_task(
                        f"{p.run.method_name} seed {p.run.number}", total=p.run.epochs + 1, left=""
                    )
                if name in tasks:
                    bars.update(
                        tasks[name], completed=s.recorded, left=_estimate_time_left(s.progress), visible=not s.finished
                    )
            done = sum(s.recorded for s in standings)
            rate = (time.monotonic() - began) / (done - before) if done > before else None
            left = "" if rate is None else f"{format_duration(rate * (every - done))} left"
            bars.update(total, completed=done, left=left)
            stop.wait(POLL_SECONDS)

    with bars:
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield lambda line: console.print(line, markup=False, highlight=False)
        finally:
            stop.set()
            watcher.join()


def _estimate_time_left(progress: dict[str, Any] | None) -> str:
    """Time left of one run, from its mean seconds an epoch, the part of the current one that is done included."""
    if not progress:
        return ""
    done = progress["recorded"] + progress["steps"] / (progress.get("steps_per_epoch") or float("inf"))
    if done <= 1:  # epoch 0 trains nothing
        return ""
    return f"{format_duration(progress['wall_s'] / (done - 1) * (progress['epochs'] - done))} left"
