"""Ray: a cluster that is there, or processes of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, ClassVar

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.signals import keep_handlers
from harness.runs.executors.base import Executor, Submit, translate_losses
from harness.runs.work import Ended


class Ray(Executor):
    """Workers of a Ray cluster."""

    name: ClassVar[str] = "ray"
    address: str | None = None
    """The cluster's, or `auto`; without, one is started here."""
    gpus: float = Field(0, ge=0)
    """Of each run."""

    @contextmanager
    def open(self, places: Sequence[str]) -> Iterator[Submit]:
        try:
            import ray
        except ImportError:
            raise HarnessError("the executor 'ray' needs Ray: pip install ray") from None
        local = {} if self.address else {"num_cpus": len(places), "_node_ip_address": "127.0.0.1"}
        try:
            with keep_handlers():  # Ray's handler of SIGTERM would end this process by SIGABRT
                ray.init(address=self.address, include_dashboard=False, log_to_driver=False, **local)
        except (ConnectionError, ValueError) as error:
            raise HarnessError(f"no Ray cluster answers at {self.address} ({error}): check the address") from None
        lost = (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError)
        # trying again is ours, so that it is counted and told alike on every executor
        options = {"num_cpus": 1, "num_gpus": self.gpus, "max_retries": 0}

        def submit(slot: int, function: Any, *arguments: Any) -> Future[list[Ended]]:
            return translate_losses(ray.remote(**options)(function).remote(*arguments).future(), lost)

        try:
            yield submit
        finally:
            ray.shutdown()
