"""Dask: a scheduler that is there, or processes of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, ClassVar

from harness.core.errors import HarnessError
from harness.runs.executors.base import Executor, Submit, translated
from harness.runs.work import Ended


class Dask(Executor):
    """Workers of a Dask cluster. scheduler: its address, such as tcp://10.0.0.1:8786; without, one is started here."""

    name: ClassVar[str] = "dask"
    scheduler: str | None = None

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
                cluster = LocalCluster(
                    n_workers=len(places), threads_per_worker=1, host="127.0.0.1", dashboard_address=None
                )
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

            def submit(slot: int, function: Any, *arguments: Any) -> Future[Ended]:
                return translated(engine.submit(function, *arguments), (KilledWorker,))

            yield submit
        finally:
            client.close()
            if cluster is not None:
                cluster.close()
