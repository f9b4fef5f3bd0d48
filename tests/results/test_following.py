"""Epochs that are sent while their runs are computed: by processes that are killed, and of runs that are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.results.exporters.base import EXPORTERS, Tracker, iterate_parts
from harness.results.following import read_results_so_far, send_all
from harness.results.load import read_planned
from harness.results.runs import Runs
from harness.runs.execute import Planned, plan
from harness.runs.run import execute
from harness.runs.store import RunFolder
from harness.runs.study import load_study
from tests.conftest import ROOT

STUDY = """
name = "live"
space = "nasbench201"
dataset = {{name = "digits100", evaluation_pairs = 32}}
table = "nasbench201.digits"
methods = ["darts", "random-search"]
seeds = "0..1"
epochs = {epochs}
[supernet]
channels = 2
cells = 1
[training]
batch_size = 4
steps_per_epoch = {steps}
[probes.discretisation]
every = 2
batches = 1
"""
Sent = dict[tuple[str, int], list[tuple[int, dict[str, float]]]]
"""Of each run, its epochs with their numbers, in the order of the epochs: twice where one was sent twice."""


def on_tensorboard(place: Path) -> Sent:
    from harness.results.exporters.tensorboard import read_events

    folders = {p.parent for p in place.rglob("events.out.tfevents.*")}
    return {(f.parent.name, int(f.name.removeprefix("seed"))): sorted(read_events(f), key=first) for f in folders}


def on_mlflow(place: Path) -> Sent:
    from mlflow.tracking import MlflowClient

    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    if not place.is_dir():
        return {}
    client = MlflowClient(tracking_uri=place.as_uri())
    found: Sent = {}
    for experiment in client.search_experiments(filter_string="name = 'live'"):
        for run in client.search_runs([experiment.experiment_id]):
            key = run.data.tags["method"], int(run.data.tags["seed"])
            assert key not in found
            points = [m for name in run.data.metrics for m in client.get_metric_history(run.info.run_id, name)]
            assert len({(m.step, m.key) for m in points}) == len(points)  # no number twice
            steps = sorted({m.step for m in points})
            found[key] = [(step, {m.key: m.value for m in points if m.step == step}) for step in steps]
    return found


def first(pair: tuple[int, Any]) -> int:
    return pair[0]


READ: dict[str, Callable[[Path], Sent]] = {"tensorboard": on_tensorboard, "mlflow": on_mlflow}


def harness(*words: object, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *map(str, words), "--out", str(out)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # a suite started in a shell's background ignores Ctrl-C, and so would what it starts
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Until something is so, which a process brings about."""
    until = time.monotonic() + 120
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.1)


def count(sent: Sent) -> int:
    return sum(map(len, sent.values()))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "live.toml"
    path.write_text(STUDY.format(epochs=12, steps=30))
    return path


@pytest.mark.parametrize("form", [pytest.param("tensorboard"), pytest.param("mlflow", marks=pytest.mark.long)])
def test_a_study_is_followed_while_it_runs(form: str, study: Path, tmp_path: Path) -> None:
    """Follower and run are killed and go on; what was sent is what a plain export sends, each epoch once."""
    pytest.importorskip(form)
    out, live, plain = tmp_path / "runs", tmp_path / "live", tmp_path / "plain"
    follow = ("export", study, "--follow", "--format", form, "--to", live)
    read = READ[form]
    processes = [run := harness("run", study, "--jobs", 1, out=out), following := harness(*follow, out=out)]
    try:
        wait_until(lambda: count(read(live)) >= 3, following)
        following.send_signal(signal.SIGKILL)
        following.wait()
        before = count(read(live))
        assert run.poll() is None  # they were sent while it ran
        run.send_signal(signal.SIGKILL)
        run.wait()
        processes += [run := harness("run", study, "--jobs", 1, out=out), following := harness(*follow, out=out)]
        wait_until(lambda: count(read(live)) > before, following)
        following.send_signal(signal.SIGINT)
        said = following.communicate()[1]
        assert following.returncode == 130
        assert "the same command goes on where this one was" in said
        processes.append(following := harness(*follow, out=out))
        said, told = following.communicate(timeout=240)
        assert (following.returncode, said.strip()) == (0, str(live)), told
        assert run.wait() == 0
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    done = CliRunner().invoke(main, ["export", str(out / "live"), "--format", form, "--to", str(plain)])
    assert done.exit_code == 0, done.output
    sent = read(live)
    assert sent == read(plain)
    assert {key: [epoch for epoch, _ in epochs] for key, epochs in sent.items()} == {
        (method, seed): list(range(13)) for method in ("darts", "random-search") for seed in (0, 1)
    }
    assert {p.name for p in (out / "live").iterdir() if p.is_dir()} == {
        ".leases",
        *(p.folder.final.name for p in plan(load_study(study, [], None), out)),
    }


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Planned]:
    """A finished run of DARTS."""
    import torch

    folder = tmp_path_factory.mktemp("computed")
    (folder / "live.toml").write_text(STUDY.format(epochs=4, steps=2))
    loaded = load_study(folder / "live.toml", [], "0")
    one = plan(loaded, folder / "runs")[0]
    execute(one.run, one.folder, torch.device("cpu"))
    return loaded, one


def prefixes(computed: tuple[Any, Planned]) -> Iterator[Runs]:
    """The run as it was after each of its epochs."""
    loaded, one = computed
    tables = {name: frame.to_dict("records") for name, frame in one.folder.tables().items()}
    for epoch in range(5):
        rows = {name: [row for row in table if row["epoch"] <= epoch] for name, table in tables.items()}
        yield read_results_so_far(one, loaded, rows)


def tracker_at(form: str, place: Path) -> Tracker:
    pytest.importorskip(form)
    tracker: Any = EXPORTERS.find(form)()
    tracker.open("live", str(place))
    return tracker


@pytest.mark.parametrize("form", READ)
def test_other_rows_take_the_place_of_what_was_sent(form: str, computed: tuple[Any, Planned], tmp_path: Path) -> None:
    """A run of which three epochs were sent was begun anew, on a machine that gave another loss."""
    parts = [next(iter(iterate_parts(results, whole=False))) for results in prefixes(computed)]
    before = tracker_at(form, tmp_path / "live")
    other = parts[2].rows.assign(loss=parts[2].rows["loss"] + 1)
    before.send(type(parts[2])(**vars(parts[2]) | {"rows": other}))
    before.close()
    tracker = tracker_at(form, tmp_path / "live")
    assert tracker.send(parts[0]) == 3  # it is not as far again, and its first epoch is the same
    assert tracker.replaced == []
    assert tracker.send(parts[1]) == 2
    assert tracker.replaced == ["darts seed 0"]
    (whole,) = iterate_parts(read_planned(computed[0], [computed[1]]), whole=True)
    tracker.send(whole)
    tracker.close()
    plain = tracker_at(form, tmp_path / "plain")
    plain.send(whole)
    plain.close()
    assert READ[form](tmp_path / "live") == READ[form](tmp_path / "plain")


def test_an_epoch_of_which_half_was_sent_is_completed(computed: tuple[Any, Planned], tmp_path: Path) -> None:
    """MLflow takes numbers one by one; a follower that was killed between two of them leaves an epoch in part."""
    *_, last = prefixes(computed)
    (part,) = iterate_parts(last, whole=False)
    before = tracker_at("mlflow", tmp_path / "live")
    board = before.begin(part)
    row = part.rows.to_dict("records")[0]
    before.add(board, [(row, dict(list(before.numbers(row).items())[:2]))])
    tracker = tracker_at("mlflow", tmp_path / "live")
    send_all(last, tracker, whole=True)
    assert on_mlflow(tmp_path / "live")[part.method, part.seed] == [
        (int(row["epoch"]), tracker.numbers(row)) for row in part.rows.to_dict("records")
    ]


def test_weights_and_biases_begin_a_run_anew_where_it_was_left(computed: tuple[Any, Planned], tmp_path: Path) -> None:
    """Its folders cannot be gone on with: an unfinished one is replaced, a finished one stays."""
    _, _, third, *_, last = prefixes(computed)
    before = tracker_at("wandb", tmp_path / "live")
    send_all(third, before, whole=False)
    before.close()  # as a kill would leave it: not marked as whole
    (left,) = (tmp_path / "live").glob("wandb/offline-run-*")
    time.sleep(1.1)  # its folders are named by the second
    tracker = tracker_at("wandb", tmp_path / "live")
    assert send_all(third, tracker, whole=False) == 3
    assert send_all(last, tracker, whole=True) == 5
    (there,) = (tmp_path / "live").glob("wandb/offline-run-*")
    assert there.name != left.name
    again = tracker_at("wandb", tmp_path / "live")
    assert send_all(last, again, whole=True) == 5
    assert [p.name for p in (tmp_path / "live").glob("wandb/offline-run-*")] == [there.name]


def test_the_rows_of_a_run_are_read_beside_it(computed: tuple[Any, Planned], tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, computed[1].folder.final.name)
    assert folder.rows_so_far() is None
    tables = {name: frame.to_dict("records") for name, frame in computed[1].folder.tables().items()}
    for row in tables["epochs"]:
        row["alphas"] = list(row["alphas"])
    folder.open()
    folder.save_checkpoint({"state": 1}, tables, {"recorded": 5, "epochs": 5, "steps": 0, "wall_s": 1.0})
    found = folder.rows_so_far()
    assert found is not None
    assert [row["alphas"] for row in found["epochs"]] == [row["alphas"] for row in tables["epochs"]]
    (one,) = iterate_parts(read_results_so_far(computed[1], computed[0], found), whole=True)
    (same,) = iterate_parts(read_planned(computed[0], [computed[1]]), whole=True)
    assert one.rows.equals(same.rows[one.rows.columns])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--format", "csv"), "takes no epochs as they come: --follow is for"),
        ((), "needs the study's file, not the folder"),
    ],
)
def test_what_cannot_be_followed_is_said(words: tuple[str, ...], sentence: str, study: Path, tmp_path: Path) -> None:
    source = study if words else tmp_path
    words = words or ("--format", "tensorboard")
    result = CliRunner().invoke(main, ["export", str(source), "--follow", *words])
    assert (result.exit_code, sentence in result.output) == (2, True)
