"""Signals and lost workers, with real processes: what is asked to stop keeps its epochs, and the same bytes follow."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from harness.runs.execute import ATTEMPTS, Planned, plan, run_all
from harness.runs.study import load_study
from tests.conftest import ROOT
from tests.runs.executors.conftest import TINY, rows_of, wait_for, worker_of


def stopped(study: Path, out: Path, number: int, moment: list[Planned]) -> tuple[int, str]:
    """Run a study until one more epoch is recorded, send it a signal; its exit code and words."""
    before = [p.recorded for p in moment]
    words = [sys.executable, "-m", "harness", "run", str(study), "--out", str(out), "--jobs", "1"]
    process = subprocess.Popen(
        words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        # a suite started in a shell's background ignores Ctrl-C, and so would what it starts
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )  # fmt: skip
    wait_for(lambda: [p.recorded for p in moment] != before or process.poll() is not None)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def test_stopped_by_each_signal_and_gone_on(tmp_path: Path) -> None:
    study = tmp_path / "tiny.toml"
    study.write_text(TINY.replace('"0..2"', "[0]").replace("epochs = 30", "epochs = 60"))
    straight = plan(load_study(study), tmp_path / "straight")
    assert [o.error for o in run_all(straight, "cpu", 1)] == [None]
    planned = plan(load_study(study), tmp_path / "out")
    for number in (signal.SIGTERM, signal.SIGUSR1):
        code, said = stopped(study, tmp_path / "out", number, planned)
        assert code == 128 + number
        assert "stopped with 0 of 1 runs finished; every finished epoch is kept. Go on with the same command" in said
        assert "Traceback" not in said
        assert planned[0].state.startswith("interrupted after epoch")
        assert planned[0].folder.lease().holder() is None
    assert [o.error for o in run_all(planned, "cpu", 1)] == [None]
    assert rows_of(planned) == rows_of(straight)


def test_a_worker_that_is_lost_again_and_again_is_reported_with_its_last_words(tmp_path: Path) -> None:
    study = tmp_path / "tiny.toml"
    study.write_text(TINY.replace('"0..2"', "[0, 1]").replace("epochs = 30", "epochs = 40"))
    planned = plan(load_study(study), tmp_path)
    said: list[str] = []

    def kill_every_worker_of_the_first() -> int:
        killed: set[int] = set()
        deadline = time.monotonic() + 240
        while len(killed) < ATTEMPTS and time.monotonic() < deadline:
            worker = worker_of(planned[0])
            if worker and worker not in killed and planned[0].folder.lease().holder():
                if worker == os.getpid():
                    return -1  # a run that took its worker with it is computed in the process that has all others
                os.kill(worker, signal.SIGKILL)
                killed.add(worker)
            time.sleep(0.01)
        return len(killed)

    with ThreadPoolExecutor(1) as beside:
        killer = beside.submit(kill_every_worker_of_the_first)
        outcomes = {o.planned.run.seed: o.error for o in run_all(planned, "cpu", 2, say=said.append)}
        assert killer.result() == ATTEMPTS
    assert outcomes[1] is None
    assert outcomes[0] is not None
    assert outcomes[0].startswith(f"its worker was lost {ATTEMPTS} times, the last words: ")
    assert "SIGKILL" in outcomes[0]
    assert len([line for line in said if "lost its worker and will be begun again" in line]) == ATTEMPTS - 1


def test_what_a_kill_left_in_a_finished_folder_is_removed(small_study: Path, tmp_path: Path) -> None:
    planned = plan(load_study(small_study, ['methods=["random-search"]', "epochs=1"], "0"), tmp_path)
    assert [o.error for o in run_all(planned, "cpu", 1)] == [None]
    (planned[0].folder.final / "progress.json").write_text("{}")
    (planned[0].folder.final / "checkpoint.pt").write_text("")
    assert list(run_all(planned, "cpu", 1)) == []
    names = {p.name for p in planned[0].folder.final.iterdir()}
    assert names == {"epochs.parquet", "lookups.parquet", "timing.parquet", "manifest.json"}


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_checkpoint_with_a_flipped_bit_is_named(place: float, small_study: Path, tmp_path: Path) -> None:
    from harness.core.errors import HarnessError
    from harness.runs import run as module

    (planned,) = plan(load_study(small_study, ['methods=["random-search"]', "epochs=1"], "0"), tmp_path)
    process = module.start(planned.run, "cpu")  # type: ignore[arg-type]
    planned.folder.open()
    planned.folder.save_checkpoint(process.state_dict(), {"epochs": []}, {"recorded": 1})
    assert planned.folder.load_checkpoint() is not None
    path = planned.folder.running / "checkpoint.pt"
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 1
    path.write_bytes(content)
    try:
        found = planned.folder.load_checkpoint()
    except HarnessError as error:
        assert f"delete {planned.folder.running} to start this run over" in str(error)
    else:  # the bit stood where the archive keeps nothing: its padding
        assert found is not None
        assert found[1] == {"epochs": []}


def test_workers_end_when_the_driver_was_killed(tmp_path: Path) -> None:
    """Nobody would ask them again: they would hold their memory, and the output that the driver was given."""
    study = tmp_path / "tiny.toml"
    study.write_text(TINY.replace('"0..2"', "[0, 1]").replace("epochs = 30", "epochs = 100000"))
    planned = plan(load_study(study), tmp_path / "out")
    words = [sys.executable, "-m", "harness", "run", str(study), "--out", str(tmp_path / "out"), "--jobs", "2"]
    driver = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.STDOUT, stdout=subprocess.PIPE)
    wait_for(lambda: all(p.recorded for p in planned) or driver.poll() is not None)
    assert all(p.folder.lease().holder() for p in planned)
    driver.kill()
    driver.communicate(timeout=60)  # which waits for all that could still write there
    assert [p.folder.lease().holder() for p in planned] == [None, None]
    assert all(p.state.startswith("interrupted after epoch") for p in planned)
