"""Runs as facts: equal bytes from equal seeds, however they were executed or interrupted."""

import errno
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.arithmetic import resolve_device
from harness.core.errors import HarnessError
from harness.core.files import write_atomically
from harness.results.load import read_planned
from harness.runs.execute import plan, run_all
from harness.runs.schema import TABLES
from harness.runs.study import load_study
from tests.conftest import ROOT

ROWS = [t for t in TABLES if t != "timing"]


def rows_of(out: Path) -> dict[str, str]:
    """Digest of every run's rows."""
    return {
        f"{p.parent.name}/{p.stem}": hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(out.glob("small/*/*.parquet"))
        if p.stem in ROWS
    }


def run(study: Path, out: Path, jobs: int, **changes: str) -> list[str | None]:
    loaded = load_study(study, [f"{k}={v}" for k, v in changes.items()])
    return [outcome.error for outcome in run_all(plan(loaded, out), "cpu", jobs)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A finished small study: its file and its output folder."""
    from tests.conftest import SMALL_STUDY

    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.toml").write_text(SMALL_STUDY)
    assert run(folder / "small.toml", folder / "out", 1) == [None] * 8
    return folder / "small.toml", folder / "out"


def test_same_seed_same_bytes_on_one_worker_or_two(finished: tuple[Path, Path], tmp_path: Path) -> None:
    study, out = finished
    assert len(rows_of(out)) == 8 * len(ROWS)
    run(study, tmp_path / "again", 1)
    run(study, tmp_path / "two", 2)
    assert rows_of(tmp_path / "again") == rows_of(out)
    assert rows_of(tmp_path / "two") == rows_of(out)


def test_finished_runs_are_left_alone(finished: tuple[Path, Path]) -> None:
    study, out = finished
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    assert run(study, out, 2) == []
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before


def test_records_are_complete(finished: tuple[Path, Path]) -> None:
    study, out = finished
    for planned in plan(load_study(study), out):
        epochs, lookups, timing = (pd.read_parquet(planned.folder.final / f"{t}.parquet") for t in TABLES)
        assert epochs["epoch"].tolist() == [0, 1, 2]
        assert timing["wall_s"].is_monotonic_increasing
        counted = {"wall_s", "cpu_s", "probe_s", "lookup_s", "simulated_s", "simulated_epochs"}
        assert set(timing) == {"epoch", "peak_memory_mb", *counted}
        counts = epochs.filter(like="count_").sum(axis=1)
        assert counts.tolist() == [6, 6, 6]
        table = planned.run.table
        assert table is not None
        assert len(lookups) == 3 * len(table.columns)
        for epoch, text in zip(epochs["epoch"], epochs["architecture"], strict=True):
            expected = {
                str(c.trial): v for c, v in table.all_values(planned.run.space.parse(text)) if c.split == "x-test"
            }
            chosen = lookups[lookups["epoch"].eq(epoch) & lookups["split"].eq("x-test")]
            assert dict(zip(chosen["trial"], chosen["accuracy_pct"], strict=True)) == expected
        if planned.run.method_name != "random-search":
            assert epochs["alphas"].map(len).eq(30).all()
            assert epochs["train_loss"].isna().tolist() == [True, False, False]
            assert epochs["entropy_nats"].between(1.5, 1.6095).all()  # ln 5 at uniform weights
        manifest = planned.folder.manifest()
        assert manifest["configuration"]["table"]["fingerprint"] == table.fingerprint
        assert manifest["configuration"]["preset"] == "fixed"
        assert manifest["id"] == planned.run.id
        assert not list(planned.folder.final.glob("checkpoint*"))


def test_probes_are_no_part_of_the_search_seconds(small_study: Path, tmp_path: Path) -> None:
    """wall_s is all of it; what figures and tables call seconds of search is without probes and lookups."""
    study = load_study(small_study, ['methods=["darts"]', "seeds=[0]", "probes.spectrum.every=2"])
    planned = plan(study, tmp_path)
    assert [o.error for o in run_all(planned, "cpu", 1)] == [None]
    found = read_planned(study, planned)
    timing = found.timing
    assert (timing["probe_s"].diff().fillna(timing["probe_s"]) > 0.001).tolist() == [True, False, True]
    expected = timing["wall_s"] - timing["probe_s"] - timing["lookup_s"]
    assert found.errors()["seconds"].tolist() == pytest.approx(expected.tolist())
    assert expected.is_monotonic_increasing
    older = replace(found, timing=timing.drop(columns=["probe_s", "lookup_s"]))
    assert older.errors()["seconds"].tolist() == timing["wall_s"].tolist()


def test_methods_share_their_first_epoch(finished: tuple[Path, Path]) -> None:
    """Paired arms start from the same logits, so the architecture of epoch 0 is the same."""
    study, out = finished
    first = {}
    for planned in plan(load_study(study), out):
        if planned.run.method_name != "random-search":
            epochs = pd.read_parquet(planned.folder.final / "epochs.parquet")
            first.setdefault(planned.run.seed, []).append((epochs["architecture"][0], tuple(epochs["alphas"][0])))
    assert all(len(set(found)) == 1 for found in first.values())
    assert first[0][0] != first[1][0]


def test_killed_at_five_moments_and_resumed(small_study: Path, tmp_path: Path) -> None:
    """SIGKILL at random moments; the run that is taken up again ends with the bytes of one never interrupted."""
    changes = ['methods=["sdarts-adv"]', "epochs=40"]
    study = load_study(small_study, changes, "0")
    assert [o.error for o in run_all(plan(study, tmp_path / "straight"), "cpu", 1)] == [None]
    (killed,) = plan(study, tmp_path / "killed")
    command = [sys.executable, "-m", "harness", "run", str(small_study), "--out", str(tmp_path / "killed")]
    command += ["--jobs", "1", "--seeds", "0", "--set", changes[0], "--set", changes[1]]
    rng = random.Random(7)
    seen = []
    for _ in range(5):
        before = killed.recorded
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while killed.recorded <= before and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(rng.random() * 0.25)
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen.append(killed.recorded)
        assert not killed.finished
    assert seen == sorted(set(seen)), "every life got further"
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    assert killed.finished
    assert rows_of(tmp_path / "killed") == rows_of(tmp_path / "straight")
    assert not list((tmp_path / "killed" / "small").glob("*.running"))


def test_interrupt_says_how_to_go_on(tmp_path: Path, small_study: Path) -> None:
    command = [sys.executable, "-m", "harness", "run", str(small_study), "--out", str(tmp_path / "o"), "--jobs", "2"]
    command += ["--set", "epochs=2000"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # a suite started in a shell's background ignores Ctrl-C, and so would what it starts
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((tmp_path / "o").rglob("checkpoint.pt")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped with 0 of 8 runs finished; every finished epoch is kept" in stderr
    assert f"Go on with the same command: harness run {small_study}" in stderr
    assert "Traceback" not in stderr
    states = [p.state for p in plan(load_study(small_study, ["epochs=2000"]), tmp_path / "o")]
    assert any(s.startswith("interrupted after epoch") for s in states)


def test_full_disk_ends_the_run_with_a_sentence_and_loses_nothing(tmp_path: Path, small_study: Path) -> None:
    """The kernel's own error, by its limit on the size of a file."""
    planned = plan(load_study(small_study, seeds="0"), tmp_path / "out")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        outcomes = list(run_all(planned, "cpu", 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert outcomes[0].error is not None
    assert outcomes[0].error.startswith(
        f"no space left to write {planned[0].folder.running / 'checkpoint.pt'}: free some"
    )
    assert not list(tmp_path.rglob("*.tmp"))
    assert [o.error for o in run_all(planned, "cpu", 1)] == [None] * 4  # space was freed


def test_unwritable_folder(tmp_path: Path, small_study: Path) -> None:
    (tmp_path / "file").write_text("")
    (outcome, *_) = run_all(plan(load_study(small_study), tmp_path / "file"), "cpu", 1)
    assert outcome.error is not None
    assert "cannot write to" in outcome.error
    assert "choose another folder" in outcome.error


def test_damaged_checkpoint_is_named(tmp_path: Path, small_study: Path) -> None:
    planned = plan(load_study(small_study), tmp_path)[0]
    planned.folder.running.mkdir(parents=True)
    (planned.folder.running / "checkpoint.pt").write_bytes(b"half a checkpoint")
    (outcome, *_) = run_all([planned], "cpu", 1)
    assert outcome.error is not None
    assert "checkpoint.pt cannot be read" in outcome.error
    assert f"delete {planned.folder.running} to start this run over" in outcome.error


def test_atomic_write_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    write_atomically(path, b"old")

    def fail(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(HarnessError, match="no space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_devices() -> None:
    assert resolve_device("cpu") == "cpu"
    with pytest.raises(HarnessError, match="unknown device 'gpu': choose auto, cpu or cuda:N"):
        resolve_device("gpu")
    with pytest.raises(HarnessError, match="device 'cuda:7' is not there"):
        resolve_device("cuda:7")


def test_second_order_and_1shot1_run_end_to_end(tmp_path: Path, small_study: Path) -> None:
    settings = ['methods=["darts-2nd", "beta-darts + sdarts-rs"]', "table=none", "epochs=1", "preset=official"]
    for space in ("nasbench1shot1.s1", "nasbench1shot1.s3"):
        study = load_study(small_study, [*settings, f"space={space}", "supernet.cells=3"], "0")
        planned = plan(study, tmp_path / space)
        assert [o.error for o in run_all(planned, "cpu", 1)] == [None, None]
        epochs = pd.read_parquet(planned[0].folder.final / "epochs.parquet")
        for text in epochs["architecture"]:
            assert study.runs[0].space.parse(text).encoding == text
        assert pd.read_parquet(planned[0].folder.final / "lookups.parquet").empty
        assert json.loads((planned[0].folder.final / "manifest.json").read_text())["configuration"]["table"] is None
    changes = [w for s in (*settings, "space=nasbench1shot1.s1", "supernet.cells=3") for w in ("--set", s)]
    words = ["status", str(small_study), "--seeds", "0", "--out", str(tmp_path / "nasbench1shot1.s1"), *changes]
    assert "no table: supernet validation error" in CliRunner().invoke(main, words).stdout
