"""The same bytes on every engine, also when a worker is killed or a job is queued again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.runs.execute import Planned
from tests.runs.executors.conftest import compute, kill_one, wait_for


@pytest.mark.parametrize("name", ["local", "dask", pytest.param("ray", marks=pytest.mark.engines)])
def test_a_killed_worker_costs_its_epoch(name: str, tiny: Path, straight: list[str], tmp_path: Path) -> None:
    if name != "local":
        pytest.importorskip({"dask": "distributed"}.get(name, name), reason=f"the engine {name} is not installed")
    rows, said = compute(tiny, tmp_path, name, kill_one)
    assert rows == straight
    if name != "dask":  # which begins the task again by itself
        assert [line for line in said if "darts seed 0 lost its worker and will be begun again" in line]


@pytest.mark.engines
@pytest.mark.usefixtures("slurm")
def test_slurm_a_requeued_job_and_a_killed_one_go_on(tiny: Path, straight: list[str], tmp_path: Path) -> None:
    def meddle(planned: list[Planned]) -> None:
        wait_for(lambda: planned[0].recorded >= 2)
        job = subprocess.run(["squeue", "-h", "-r", "-o", "%i", "--states=R"], capture_output=True, text=True)
        mine = next(i for i in job.stdout.split() if i.endswith("_0"))
        assert subprocess.run(["scontrol", "requeue", mine]).returncode == 0
        # SLURM would let it wait for two minutes
        wait_for(lambda: subprocess.run(["scontrol", "update", f"jobid={mine}", "starttime=now"]).returncode == 0)
        kill_one(planned[1:])

    rows, said = compute(tiny, tmp_path, "slurm", meddle)
    assert rows == straight
    assert [line for line in said if "darts seed 1 lost its worker" in line]
