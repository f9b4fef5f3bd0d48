"""A tiny study, its rows as this process computes them, and clusters to compute it on."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.runs.execute import Outcome, Planned, plan, run_all
from harness.runs.executors.base import EXECUTORS
from harness.runs.lease import Lease
from harness.runs.study import load_study
from tests.runs.executors import slurm_cluster

TINY = """
name = "tiny"
space = "nasbench201"
dataset = {name = "digits100", evaluation_pairs = 32}
table = "nasbench201.digits"
methods = ["darts"]
seeds = "0..2"
epochs = 30
[supernet]
channels = 2
cells = 1
[training]
batch_size = 4
steps_per_epoch = 2
"""


def rows_of(planned: list[Planned]) -> list[str]:
    """Digests of the rows of finished runs."""
    return [
        hashlib.sha256((p.folder.final / f"{name}.parquet").read_bytes()).hexdigest()
        for p in planned
        for name in ("epochs", "lookups")
    ]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def straight(tiny: Path) -> list[str]:
    """The rows of the tiny study, computed here, one run after the other, undisturbed."""
    planned = plan(load_study(tiny), tiny.parent / "straight")
    assert [o.error for o in run_all(planned, "cpu", 1)] == [None] * 3
    return rows_of(planned)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real SLURM of one node, named by SLURM_CONF; skipped where it cannot be."""
    pytest.importorskip("submitit")
    if reason := slurm_cluster.missing():
        pytest.skip(reason)
    before = os.environ.get("SLURM_CONF")
    with slurm_cluster.slurm(tmp_path_factory.mktemp("slurm")) as configuration:
        os.environ["SLURM_CONF"] = str(configuration)
        yield
        del os.environ["SLURM_CONF"]
        if before is not None:
            os.environ["SLURM_CONF"] = before


def wait_for(what: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "what the test waits for did not happen"
        time.sleep(0.01)


def worker_of(p: Planned) -> int:
    """The process that computes a run now; 0 where there is none."""
    lease: Lease = p.folder.lease()
    return int(lease._content().get("pid", 0))


def compute(study: Path, out: Path, name: str, during: Callable[[list[Planned]], None]) -> tuple[list[str], list[str]]:
    """Compute a study with two workers of an executor while `during` does what it likes.

    Gives the rows, and what was said on the way.
    """
    planned = plan(load_study(study), out)
    said: list[str] = []
    meddler = threading.Thread(target=during, args=(planned,))
    meddler.start()
    outcomes: list[Outcome] = list(run_all(planned, "cpu", 2, EXECUTORS.build(name, {}), say=said.append))
    meddler.join()
    assert [o.error for o in outcomes] == [None] * len(planned)
    return rows_of(planned), said


def kill_one(planned: list[Planned]) -> None:
    """kill -9 of the worker of the first run, when it has recorded some epochs."""
    wait_for(lambda: planned[0].recorded >= 3 or planned[0].finished)
    assert not planned[0].finished, "the run was too short to be killed"
    os.kill(worker_of(planned[0]), signal.SIGKILL)
