"""Runs of a study whose seeds are trained side by side: whole runs, whatever is beside them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.core.signals import Stopped, raise_on_signals
from harness.runs.execute import plan, run_all
from harness.runs.run import start
from harness.runs.study import Study, load_study
from harness.runs.units import group_units
from harness.search.together import Group, Seat
from tests.conftest import ROOT

SIDE_BY_SIDE = ["together=4", 'methods=["darts", "sdarts-adv", "gdas", "random-search"]']


def study_of(path: Path, *changes: str, seeds: str = "0..3") -> Study:
    return load_study(path, [*SIDE_BY_SIDE, *changes], seeds)


def rows_of(out: Path) -> dict[str, bytes]:
    return {
        f"{p.parent.name}/{p.name}": p.read_bytes() for n in ("epochs", "lookups") for p in out.rglob(f"{n}.parquet")
    }


def test_rows_do_not_depend_on_the_units(small_study: Path, tmp_path: Path) -> None:
    found = []
    for together, jobs in ((4, 1), (3, 1), (4, 2)):
        out = tmp_path / f"{together}-{jobs}"
        outcomes = list(run_all(plan(study_of(small_study, f"together={together}"), out), "cpu", jobs))
        assert [o.error for o in outcomes] == [None] * 16
        found.append(rows_of(out))
    assert len(found[0]) == 32
    assert found[0] == found[1] == found[2]


def test_identity(small_study: Path) -> None:
    """Who is trained side by side has another id, whatever the size of the group; nobody else."""

    def ids(study: Study) -> dict[tuple[str, int], str]:
        return {(run.method_name, run.seed): run.id for run in study.runs}

    alone = ids(load_study(small_study, SIDE_BY_SIDE[1:], "0..3"))
    four, two = (ids(study_of(small_study, f"together={size}")) for size in (4, 2))
    assert four == two
    assert {name for (name, seed), found in four.items() if found != alone[name, seed]} == {"darts", "sdarts-adv"}
    for change in ("training.precision=bf16", "training.weight_steps=2", "supernet.implementation=readable"):
        assert not any(run.stacked for run in study_of(small_study, change).runs), change
    with pytest.raises(HarnessError, match="together"):
        study_of(small_study, "together=1")


def test_units(small_study: Path, tmp_path: Path) -> None:
    def sizes(places: int, together: int = 4, seeds: str = "0..5") -> list[tuple[str, int]]:
        study = study_of(small_study, f"together={together}", 'methods=["darts", "gdas"]', seeds=seeds)
        return [(unit[0].run.method_name, len(unit)) for unit in group_units(plan(study, tmp_path), places)]

    single = [("gdas", 1)] * 6
    assert sorted(sizes(1)) == [("darts", 3), ("darts", 3), *single]
    assert sorted(sizes(1, together=6)) == [("darts", 6), *single]
    many = [n for name, n in sizes(9, together=6) if name == "darts"]  # so that each place has something to do
    assert many == [2, 2, 2]
    assert [n for name, n in sizes(3, together=10, seeds="0..19") if name == "darts"] == [10, 10]
    assert [n for name, n in sizes(23, together=10, seeds="0..19") if name == "darts"] == [7, 7, 6]
    assert max(n for _, n in sizes(50)) == 1


def test_the_plan_tells_the_groups(small_study: Path, tmp_path: Path) -> None:
    methods = 'methods=["darts", "sdarts-rs", "sdarts-adv", "gdas"]'
    words = ["plan", str(small_study), "--out", str(tmp_path), "--jobs", "1", "--set", methods]
    for together, told in (
        (4, "darts 2 with sdarts-rs 2, sdarts-adv 2"),
        (2, "darts 1 with sdarts-rs 1 (in each of 2 groups), sdarts-adv 2"),
    ):
        done = CliRunner().invoke(main, [*words, "--set", f"together={together}"])
        assert done.exit_code == 0, done.output
        assert f"trained side by side, runs in a group: {told}; trained one by one: gdas" in done.stderr


@pytest.mark.parametrize("begun", [0, 1, 3])
def test_a_machine_without_threads_is_said(begun: int, monkeypatch: pytest.MonkeyPatch) -> None:
    worked = []
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if len(group.left) == begun:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    group = Group(None, 4)
    with pytest.raises(HarnessError, match=rf"started {begun} of 4 threads .* lower `together`"):
        group.run([worked.append] * 4)
    assert not worked and not group.left


def test_signals_while_it_begins_or_ends_are_held() -> None:
    """Each at another moment; afterwards nothing is left running."""
    for moment in range(60):
        group = Group(None, 10)
        ended = []

        def work(seat: Seat, group: Group = group, ended: list[Seat] = ended) -> None:
            try:
                for _ in range(3):
                    seat.ask(("pause",), lambda requests: [None] * len(requests), None)
            finally:
                time.sleep(0.001)
                ended.append(seat)

        with contextlib.suppress(KeyboardInterrupt):
            timer = threading.Timer(moment * 5e-5, lambda: os.kill(os.getpid(), signal.SIGINT))
            timer.start()
            try:
                group.run([work] * 10)
            finally:
                timer.join()
        assert not group.left
        deadline = time.monotonic() + 10
        while any(t.name.endswith("(run_one)") for t in threading.enumerate()):
            assert time.monotonic() < deadline


def test_methods_with_the_same_passes_share_a_unit(small_study: Path, tmp_path: Path) -> None:
    """Their rows are those of units of their own."""
    methods = ["darts", "sdarts-rs", "beta-darts", "sdarts-adv", "darts-minus"]
    shared = plan(study_of(small_study, "together=6", f"methods={methods}", seeds="0..1"), tmp_path / "shared")
    units = [[task.run.method_name for task in unit] for unit in group_units(shared, 1)]
    assert sorted(units[0]) == sorted(methods[:3] * 2)
    assert units[1:] == [["sdarts-adv"] * 2, ["darts-minus"] * 2]
    assert [o.error for o in run_all(shared, "cpu", 1)] == [None] * 10
    for method in methods:
        alone = plan(study_of(small_study, f'methods=["{method}"]', seeds="0..1"), tmp_path / "apart")
        assert [o.error for o in run_all(alone, "cpu", 1)] == [None] * 2
    found = rows_of(tmp_path / "shared")
    assert len(found) == 20 and found == rows_of(tmp_path / "apart")


def test_killed_and_resumed(small_study: Path, tmp_path: Path) -> None:
    """SIGKILL at random moments: each run goes on from its own last epoch, and ends with the bytes of one never
    interrupted, alone or not."""
    changes = ["together=3", 'methods=["sdarts-adv"]', "epochs=20"]
    study = load_study(small_study, changes, "0..2")
    straight = tmp_path / "straight"
    assert [o.error for o in run_all([plan(study, straight)[1]], "cpu", 1)] == [None]
    assert [o.error for o in run_all(plan(study, straight), "cpu", 1)] == [None] * 2
    killed = plan(study, tmp_path / "killed")
    command = [sys.executable, "-m", "harness", "run", str(small_study), "--out", str(tmp_path / "killed")]
    command += ["--jobs", "1", "--seeds", "0..2", *(word for change in changes for word in ("--set", change))]
    rng = random.Random(7)
    for _ in range(3):
        before = [p.recorded for p in killed]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while killed[2].recorded <= before[2] and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(rng.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert killed[2].recorded > before[2] and not any(p.finished for p in killed)
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    assert all(p.finished for p in killed)
    assert rows_of(tmp_path / "killed") == rows_of(straight)


def test_interrupted_it_keeps_every_epoch(small_study: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness", "run", str(small_study), "--out", str(tmp_path), "--jobs", "1"]
    command += ["--set", "together=2", "--set", 'methods=["darts"]', "--set", "epochs=3000"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(tmp_path.rglob("checkpoint.pt"))) < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "every finished epoch is kept" in said and "Traceback" not in said
    assert not list((tmp_path / "small" / ".leases").iterdir()), "nobody holds a run any more"
    assert all(
        p.recorded for p in plan(load_study(small_study, ["together=2", 'methods=["darts"]', "epochs=3000"]), tmp_path)
    )


def test_a_signal_waits_for_what_the_runs_tidy_up() -> None:
    """Python up to 3.12 takes a thread for ended whose join was interrupted."""
    ended = []

    def work(seat: Seat) -> None:
        try:
            while True:
                seat.ask(("pause",), lambda requests: [time.sleep(0.05)] * len(requests), None)
        finally:
            time.sleep(0.3)
            ended.append(seat)

    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    with raise_on_signals(), pytest.raises(Stopped):
        Group(None, 1).run([work])
    assert len(ended) == 1


def test_what_another_process_holds_is_left_out(small_study: Path, tmp_path: Path) -> None:
    planned = plan(study_of(small_study, 'methods=["darts"]'), tmp_path)
    with planned[1].folder.lease().held():
        outcomes = {o.planned.run.seed: o for o in run_all(planned, "cpu", 1, wait=False)}
    assert [outcomes[seed].elsewhere for seed in range(4)] == [False, True, False, False]
    assert [p.finished for p in planned] == [True, False, True, True]


def test_a_failed_run_stops_no_other(small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan(study_of(small_study, 'methods=["darts"]'), tmp_path)

    def begin(run, device):  # type: ignore[no-untyped-def]
        if run.seed == 2:
            raise RuntimeError("no such luck")
        return start(run, device)

    monkeypatch.setattr("harness.runs.run.start", begin)
    errors = {o.planned.run.seed: o.error for o in run_all(planned, "cpu", 1)}
    assert [seed for seed, error in errors.items() if error] == [2] and "no such luck" in str(errors[2])
    assert planned[2].folder.error_file.exists()


def test_seconds_are_a_runs_own(small_study: Path, tmp_path: Path) -> None:
    """What is computed for several is shared out, so that the seconds of runs add up to those that passed."""
    planned = plan(study_of(small_study, 'methods=["sdarts-adv"]', "epochs=10"), tmp_path)
    began = time.perf_counter(), time.process_time()
    assert not any(o.error for o in run_all(planned, "cpu", 1))
    passed = time.perf_counter() - began[0], time.process_time() - began[1]
    last = [pd.read_parquet(p.folder.final / "timing.parquet").iloc[-1] for p in planned]
    for name, seconds in zip(("wall_s", "cpu_s"), passed, strict=True):
        assert 0.3 * seconds < sum(row[name] for row in last) <= seconds
    assert max(row["wall_s"] for row in last) < 3 * min(row["wall_s"] for row in last)
