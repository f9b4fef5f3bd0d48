"""Where runs are computed. An executor is no part of what a run is: rows are the same on every one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from harness.core.arithmetic import check_precision, count_default_jobs
from harness.core.errors import HarnessError
from harness.core.registry import Plugin, Registry
from harness.runs.study import Run
from harness.runs.work import Ended, Task, execute_task

EXECUTORS = Registry("executors", "harness.runs.executors")

T = TypeVar("T", bound=Task)
Submit = Callable[..., "Future[list[Ended]]"]
"""submit(slot, function, *arguments)."""


class Lost(Exception):
    """A worker is gone; the text is what is known of its end."""


class Executor(Plugin):
    """One that hands out tasks to as many workers as there are places.

    One whose workers are reached by futures gives `open` alone; one that submits all at once overrides `run`.
    """

    def places(self, device: str, jobs: int | None, jobs_per_device: int | None) -> list[str]:
        """The device of each task at a time. That of another machine: `auto` is resolved there."""
        if jobs_per_device is not None or "all" in device or ".." in device or "," in device:
            raise HarnessError(
                f"the executor {self.name!r} places runs itself: leave out --jobs-per-device, and name one device"
            )
        return [device] * (jobs or count_default_jobs("cpu"))

    def check(self, runs: Sequence[Run], places: Sequence[str]) -> None:
        """An error where a device that is named cannot compute a run."""
        for run in runs:
            for device in set(places) - {"auto"}:
                check_precision(run.training.precision, device)

    def script(self, command: Sequence[str], tasks: int) -> str:
        """A script for the queue: as many tasks as said, each of which runs the command."""
        raise HarnessError(f"the executor {self.name!r} has no queue to submit to: see harness list executors")

    def submit(self, script: str, log: Path) -> str:
        """Give the queue a script; returns what the queue says. log: the folder of what its tasks print."""
        raise NotImplementedError

    def open(self, places: Sequence[str]) -> AbstractContextManager[Submit]:
        """Workers while the block runs. submit(slot, function, *arguments) gives a future, whose exception is `Lost`
        where the worker died; slot is the number of a place."""
        raise NotImplementedError

    def run(self, units: Sequence[Sequence[T]], places: Sequence[str]) -> Iterator[tuple[T, Ended]]:
        """Each task as it ends, in any order. units: the tasks that one worker computes at a time (see `execute_task`).
        places: the device of each unit that is computed at a time."""
        waiting = deque(units)
        running: dict[Future[list[Ended]], tuple[Sequence[T], int]] = {}
        with self.open(places) as submit:
            free = list(reversed(range(len(places))))
            while waiting or running:
                while waiting and free:
                    unit, slot = waiting.popleft(), free.pop()
                    running[submit(slot, execute_task, unit, places[slot])] = unit, slot
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    unit, slot = running.pop(future)
                    free.append(slot)
                    yield from zip(unit, await_outcome(future, len(unit)), strict=True)


def await_outcome(future: Future[list[Ended]], count: int) -> list[Ended]:
    """What a future of so many tasks came to."""
    error = future.exception()
    if error is None:
        return future.result()
    words = " ".join(str(error).split())[:400]
    if isinstance(error, Lost):
        return [Ended("lost", words)] * count
    failed = Ended("failed", f"{type(error).__name__}: {words}")  # it could not be sent there, or its answer back
    return [failed] * count


def translate_losses(future: Future[list[Ended]], lost: tuple[type[BaseException], ...]) -> Future[list[Ended]]:
    """The future, with `Lost` in the place of an engine's own exceptions for a dead worker."""
    outer: Future[list[Ended]] = Future()
    outer.set_running_or_notify_cancel()

    def pass_on(inner: Future[list[Ended]]) -> None:
        error = None if inner.cancelled() else inner.exception()
        if inner.cancelled() or isinstance(error, lost):
            outer.set_exception(Lost(str(error or "it was cancelled")))
        elif error is not None:
            outer.set_exception(error)
        else:
            outer.set_result(inner.result())

    future.add_done_callback(pass_on)
    return outer
