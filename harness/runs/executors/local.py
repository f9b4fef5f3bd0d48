"""This machine: one process a run, as many at a time as there are places."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, ClassVar

from harness.core.devices import assign_devices
from harness.runs.executors.base import Executor, Submit, T, translate_losses
from harness.runs.work import Ended, execute_task

LOOK_SECONDS = 1.0


class Local(Executor):
    """Processes of this machine (joblib's loky)."""

    name: ClassVar[str] = "local"

    def places(self, device: str, jobs: int | None, jobs_per_device: int | None) -> list[str]:
        return assign_devices(device, jobs, jobs_per_device)

    def run(self, units: Sequence[Sequence[T]], places: Sequence[str]) -> Iterator[tuple[T, Ended]]:
        if len(places) > 1:
            yield from super().run(units, places)
            return
        for unit in units:
            yield from zip(unit, execute_task(unit, places[0]), strict=True)

    @contextmanager
    def open(self, places: Sequence[str]) -> Iterator[Submit]:
        from joblib.externals.loky.process_executor import BrokenProcessPool, ProcessPoolExecutor

        # a pool of one for each place: loky gives up a pool whole when one of its workers dies, and the runs of the
        # others are not to pay for that
        pools: dict[int, Any] = {}

        def submit(slot: int, function: Any, *arguments: Any) -> Future[list[Ended]]:
            try:
                inner = pools[slot].submit(function, *arguments)
            except (KeyError, BrokenProcessPool):
                pools[slot] = ProcessPoolExecutor(max_workers=1, initializer=end_with, initargs=(os.getpid(),))
                inner = pools[slot].submit(function, *arguments)
            return translate_losses(inner, (BrokenProcessPool,))

        try:
            yield submit
        finally:
            for pool in pools.values():
                pool.shutdown(wait=False, kill_workers=True)


def end_with(driver: int) -> None:
    """End this process when the one that started it has died, killed or out of memory. Else it would stay, with all
    that it imported, and hold the output open; its run goes on from the last epoch, for whoever asks next."""

    def look() -> None:
        while os.getppid() == driver:
            time.sleep(LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
