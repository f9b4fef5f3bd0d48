"""Dask: a scheduler that is there, or processes of this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ClassVar

from harness.core.errors import HarnessError
from harness.runs.executors.base import Executor, Submit, translate_losses
from harness.runs.work import Ended


def dask_setup(worker: object) -> None:
    """Dask calls it in each worker that is started here. Where the program is killed, its workers tell a traceback of
    the scheduler that they lost before they end: the sentence above it is enough."""
    logging.getLogger("distributed.worker").addFilter(strip_lost_connection)


def strip_lost_connection(record: logging.LogRecord) -> bool:
    """Keep a record, without its traceback where that is of a connection (Dask's errors of those are OSErrors)."""
    if record.exc_info and isinstance(record.exc_info[1], OSError):
        record.exc_info = None
    return True


class Dask(Executor):
    """Workers of a Dask cluster."""

    name: ClassVar[str] = "dask"
    scheduler: str | None = None
    """Its address, such as tcp://10.0.0.1:8786; without, one is started here."""

    @contextmanager
    def open(self, places: Sequence[str]) -> Iterator[Submit]:
        try:
            from distributed import Client, LocalCluster
            from distributed.scheduler import KilledWorker
        except ImportError:
            raise HarnessError("the executor 'dask' needs Dask: pip install distributed") from None
        cluster = None
        try:
            if self.scheduler is None:
                with ThreadPoolExecutor(1) as beside:  # a signal is not to leave it half made: Dask could not end it
                    cluster = beside.submit(
                        LocalCluster,
                        n_workers=len(places),
                        threads_per_worker=1,
                        host="127.0.0.1",
                        dashboard_address=None,
                        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # of its own, not that of another one
                        preload=[__name__],
                    ).result()
            client = Client(cluster or self.scheduler, timeout="20s")
        except (OSError, ValueError) as error:
            raise HarnessError(f"no Dask scheduler answers at {self.scheduler} ({error}): check the address") from None
        try:
            threads = client.nthreads()
            if any(n != 1 for n in threads.values()):
                raise HarnessError(
                    "a Dask worker has more than one thread, and runs would disturb each other in one process: "
                    "start workers with --nthreads 1"
                )
            engine = client.get_executor(pure=False)

            def submit(slot: int, function: Any, *arguments: Any) -> Future[list[Ended]]:
                return translate_losses(engine.submit(function, *arguments), (KilledWorker,))

            yield submit
        finally:
            client.close()
            if cluster is not None:
                cluster.close()
