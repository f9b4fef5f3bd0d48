"""The same bytes on every engine, also when a worker is killed or a job is queued again."""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from harness.core.signals import Stopped, raise_on_signals
from harness.runs.execute import Outcome, Planned, plan, run_all
from harness.runs.executors.base import EXECUTORS
from harness.runs.prepare import prepare
from harness.runs.study import load_study
from harness.verdicts.deciding import Look, run_until_decided
from tests.conftest import ROOT
from tests.runs.executors.conftest import compute, kill_one, rows_of, wait_for
from tests.support.studies import write_until_decided


@pytest.mark.parametrize("name", ["local", "dask", pytest.param("ray", marks=pytest.mark.engines)])
def test_a_killed_worker_costs_its_epoch(name: str, tiny: Path, straight: list[str], tmp_path: Path) -> None:
    if name != "local":
        pytest.importorskip({"dask": "distributed"}.get(name, name), reason=f"the engine {name} is not installed")
    rows, said = compute(tiny, tmp_path, name, kill_one)
    assert rows == straight
    if name != "dask":  # which begins the task again by itself
        assert [line for line in said if "darts seed 0 lost its worker and will be begun again" in line]


def logged_in_the_worker() -> str:
    """What a Dask worker's log says of a scheduler that is gone."""
    heard = io.StringIO()
    log = logging.getLogger("distributed.worker")
    log.addHandler(logging.StreamHandler(heard))
    try:
        raise OSError("the stream is closed")
    except OSError:
        log.exception("Failed to communicate")
    return heard.getvalue()


def test_dask_says_nothing_of_its_own_beside_another_and_where_the_program_is_killed(
    recwarn: pytest.WarningsRecorder,
) -> None:
    pytest.importorskip("distributed", reason="the engine dask is not installed")
    with socket.socket() as another:
        with suppress(OSError):  # there may be one
            another.bind(("127.0.0.1", 8787))
        another.listen()
        with EXECUTORS.build("dask", {}).open(["cpu"]) as submit:
            assert submit(0, logged_in_the_worker).result(120) == "Failed to communicate\n"
    assert not [w for w in recwarn if "Port" in str(w.message)]


def test_a_signal_leaves_no_half_made_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask closes what there is at the end of the program, and fails where workers are about to start."""
    pytest.importorskip("distributed", reason="the engine dask is not installed")
    made = []

    def slowly(**options: object) -> None:
        time.sleep(0.3)  # until it is waited for
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.3)
        made.append(options["n_workers"])

    monkeypatch.setattr("distributed.LocalCluster", slowly)
    with pytest.raises(Stopped), raise_on_signals(), EXECUTORS.build("dask", {}).open(["cpu"]):
        pass
    assert made == [1]


def decide(study: Path, out: Path, name: str) -> tuple[list[Look], list[str]]:
    """Run a study until it is decided, with two workers of an executor: its looks, and the rows of what was run."""
    prepared = prepare(load_study(study), out, EXECUTORS.build(name, {})).begin(["cpu"] * 2)
    seen = list(run_until_decided(prepared, ["cpu"] * 2))
    assert [o.error for o in seen if isinstance(o, Outcome) and o.error] == []
    return [look for look in seen if isinstance(look, Look)], rows_of([p for p in prepared.planned if p.finished])


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Look], list[str]]:
    folder = tmp_path_factory.mktemp("decided")
    return decide(write_until_decided(folder), folder, "local")


@pytest.mark.engines
@pytest.mark.parametrize("name", ["dask", "ray", "slurm"])
def test_seeds_are_added_until_it_is_decided(
    name: str, decided: tuple[list[Look], list[str]], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip({"dask": "distributed", "slurm": "submitit"}.get(name, name))
    if name == "slurm":
        request.getfixturevalue("slurm")
    looks, rows = decide(write_until_decided(tmp_path), tmp_path, name)
    assert [look.lines for look in looks] == [look.lines for look in decided[0]]
    assert rows == decided[1]
    assert looks[-1].over and not looks[-1].undecided and looks[-1].seeds < 25


@pytest.mark.engines
@pytest.mark.parametrize("name", ["dask", "ray"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_driver_that_is_asked_to_stop_says_so(name: str, number: int, tiny: Path, tmp_path: Path) -> None:
    """Ray's own handler of SIGTERM ends the process by SIGABRT (ray-project/ray#37288)."""
    pytest.importorskip({"dask": "distributed"}.get(name, name), reason=f"the engine {name} is not installed")
    words = ["run", str(tiny), "--out", str(tmp_path), "--jobs", "2", "--executor", name, "--device", "cpu"]
    command = [sys.executable, "-m", "harness", *words, "--set", "epochs=3000"]
    driver = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: any(tmp_path.glob("tiny/*.running/progress.json")), 300)
    driver.send_signal(number)
    said = driver.communicate(timeout=120)[1]
    assert (driver.returncode, "every finished epoch is kept" in said) == (128 + number, True), said


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


@pytest.mark.engines
@pytest.mark.usefixtures("slurm")
def test_slurm_does_not_wait_for_a_run_that_another_process_finished(
    tiny: Path, straight: list[str], tmp_path: Path
) -> None:
    """Its jobs stand behind one that takes the whole cluster for some minutes."""

    def list_jobs() -> list[str]:
        return subprocess.run(["squeue", "-h", "-r", "-o", "%i"], capture_output=True, text=True).stdout.split()

    subprocess.run(["scancel", "--me"])  # what drivers that other tests killed have left behind
    wait_for(lambda: not list_jobs())
    wrapped = ["sbatch", "--parsable", "--exclusive", "--output=/dev/null", "--wrap=sleep 300"]
    other = subprocess.run(wrapped, capture_output=True, text=True).stdout.strip()

    def finish(planned: list[Planned]) -> None:
        wait_for(lambda: len(list_jobs()) == 1 + len(planned))
        assert [o.error for o in run_all(plan(load_study(tiny), tmp_path), "cpu", 1)] == [None] * len(planned)

    try:
        rows, _ = compute(tiny, tmp_path, "slurm", finish)
        assert (rows, list_jobs()) == (straight, [other])
    finally:
        subprocess.run(["scancel", other])


@pytest.mark.engines
@pytest.mark.usefixtures("slurm")
def test_slurm_a_submitted_study_goes_on_after_the_warning(tiny: Path, straight: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness", "submit", tiny, "--out", tmp_path, "--jobs", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    job = re.search(r"3 of 3 runs are left to job (\d+), whose tasks print to", done.stdout)[1]  # type: ignore[index]
    planned = plan(load_study(tiny), tmp_path)
    wait_for(lambda: planned[0].recorded >= 2, 300)
    assert not planned[0].finished, "the run was too short to be warned"
    assert subprocess.run(["scancel", "--signal=USR1", job]).returncode == 0  # as SLURM does before the time limit

    def queued_again() -> bool:
        found = subprocess.run(
            ["squeue", "-h", "-r", "-j", job, "--states=PD", "-o", "%i"], capture_output=True, text=True
        )
        # a job that starts in the second in which it was queued again is killed by SLURM: "credential revoked"
        time.sleep(2)
        for task in found.stdout.split():  # SLURM would let them wait for two minutes
            subprocess.run(["scontrol", "update", f"jobid={task}", "starttime=now"], capture_output=True)
        return bool(found.stdout.split())

    wait_for(queued_again)
    wait_for(lambda: all(p.finished for p in planned) or (queued_again() and False), 600)
    assert rows_of(planned) == straight
    said = "".join(p.read_text() for p in (tmp_path / "tiny" / ".slurm").glob("*.out"))
    assert "every finished epoch is kept" in said and "Traceback" not in said
