"""Trained tables: an architecture is trained when first asked for, once, and is there for good."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.datasets.npz import NpzImages
from harness.plots.trajectory import Trajectory
from harness.results.load import load_study_runs
from harness.runs.execute import plan, run_all
from harness.runs.study import load_study
from harness.spaces.base import Space
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1, NASBench1Shot1S3
from harness.spaces.nasbench201.space import NASBench201
from harness.tables.catalog import open_table
from harness.tables.training import train
from harness.tables.training.on_demand import StackTable, TrainedTable
from harness.tables.training.recipe import TableRecipe

SHORT = TableRecipe(channels=2, steps=8, batch_size=4)
ISOMORPHIC = (  # node 2 is dead in both, and labeled differently
    "1:conv1x1-bn-relu(0)|2:conv3x3-bn-relu(0)|3:conv3x3-bn-relu(1)|4:maxpool3x3(0,3)|5:conv1x1-bn-relu(0,4)|out(0,5)",
    "1:conv1x1-bn-relu(0)|2:maxpool3x3(0)|3:conv3x3-bn-relu(1)|4:maxpool3x3(0,3)|5:conv1x1-bn-relu(0,4)|out(0,5)",
)


def table(tmp_path: Path, space: Space | None = None) -> StackTable:
    return StackTable(space or NASBench1Shot1S3(), tmp_path, SHORT)


def forbid_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(train, "train_stack", never)


def test_a_cell_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = table(tmp_path)
    cell, twin = map(first.space.parse, ISOMORPHIC)
    values = first.lookup(cell, first.test, "all")
    assert values.shape == (3,)
    assert ((values >= 0) & (values <= 100)).all()
    forbid_training(monkeypatch)
    for opened in (first, table(tmp_path)):
        for same in (cell, twin):
            np.testing.assert_array_equal(opened.lookup(same, opened.test, "all"), values)
            np.testing.assert_array_equal(opened.lookup(same, opened.test, "all", at=4), values)
    assert len(list(first.folder.glob("*.npz"))) == len(first) == 1


def test_values_do_not_depend_on_who_asks_first(tmp_path: Path) -> None:
    one, two = table(tmp_path / "1"), table(tmp_path / "2")
    cells = [one.space.parse(text) for text in ISOMORPHIC]
    assert one.lookup(cells[0], one.test) == two.lookup(cells[1], two.test)


def test_the_data_are_those_of_the_study(tmp_path: Path) -> None:
    """Two classes that a network learns at once, where digits would give it one in a hundred."""
    draws = np.random.default_rng(0)
    labels = draws.integers(0, 2, 600)
    pixels = np.clip(draws.normal(60 + 120 * labels[:, None, None], 20, (600, 8, 8)), 0, 255).astype(np.uint8)
    parts = {"train_images": pixels[:400], "test_images": pixels[400:]}
    np.savez(tmp_path / "two.npz", **parts, train_labels=labels[:400], test_labels=labels[400:])
    recipe, data = TableRecipe(channels=4, steps=40, batch_size=32), NpzImages(path=tmp_path / "two.npz")
    ours = StackTable(NASBench1Shot1S3(), tmp_path, recipe, data)
    assert ours.fingerprint != StackTable(NASBench1Shot1S3(), tmp_path, recipe).fingerprint
    assert str(ours.test) == "npz/x-test@4"
    assert ours.lookup(ISOMORPHIC[0], ours.test) > 80
    assert StackTable(NASBench1Shot1S3(), tmp_path, recipe, data).fingerprint == ours.fingerprint
    named = json.loads(json.dumps(ours.describe()))
    read = TrainedTable.of_manifest(named)
    assert (read.fingerprint, read.test, read.columns) == (ours.fingerprint, ours.test, ours.columns)
    with pytest.raises(HarnessError, match="is known by the rows that were read alone, and does not train"):
        read.lookup(ISOMORPHIC[0], read.test)


def test_what_is_said_of_the_embedded_data_is_what_was_said_before() -> None:
    opened = open_table("nasbench1shot1.s2.trained")
    assert opened.describe() == {"name": "nasbench1shot1.s2.trained", "fingerprint": opened.fingerprint}
    assert opened.fingerprint == "84ef296f352fc63efb6eb0a8eecff01d9cc7693dc4cf8392fef7b0273e2c6683"


def test_global_random_state_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    opened = table(tmp_path)
    opened.lookup(opened.space.parse(ISOMORPHIC[0]), opened.test)
    assert torch.equal(before, torch.get_rng_state())


def test_one_cell_alone_is_what_the_embedded_table_holds(tmp_path: Path) -> None:
    """The embedded tables can be recomputed cell by cell."""
    for space, name in ((NASBench201(), "nasbench201.digits"), (NASBench1Shot1S1(), "nasbench1shot1.s1.digits")):
        embedded, trained = open_table(name), StackTable(space, tmp_path)
        assert trained.recipe.describe() == embedded.info["about"]["recipe"]
        cell = space.parse(embedded.encoding(7))
        ours, theirs = (t.lookup(cell, embedded.test, "all") for t in (trained, embedded))
        # another processor rounds otherwise, and one trial in three was seen to end nine points away
        assert np.median(np.abs(np.subtract(ours, theirs))) <= 3


def test_an_incomplete_table_claims_no_optimum(tmp_path: Path) -> None:
    opened = table(tmp_path)
    assert opened.references(opened.test) == {}
    with pytest.raises(HarnessError, match=r"knows no architecture's digits100/x-test@4"):
        opened.optimum(opened.test)


def test_damaged_cells_are_named(tmp_path: Path) -> None:
    opened = table(tmp_path)
    cell = opened.space.parse(ISOMORPHIC[0])
    opened.lookup(cell, opened.test)
    (path,) = opened.folder.glob("*.npz")
    path.write_bytes(b"half")
    with pytest.raises(HarnessError, match=r"\.npz is damaged .*: delete it, and it is trained again"):
        table(tmp_path)
    path.unlink()
    assert table(tmp_path).lookup(cell, opened.test) == opened.lookup(cell, opened.test)


def asking(tmp_path: Path, steps: int) -> "subprocess.Popen[str]":
    """A process that asks for a cell, and writes a line for each training that it does."""
    code = f"""
import time
from pathlib import Path
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S3
from harness.tables.training import train
from harness.tables.training.recipe import TableRecipe
from harness.tables.training.on_demand import StackTable
original = train.train_stack
def logged(*arguments):
    with open({str(tmp_path / "log")!r}, "a") as log:
        log.write("trained\\n")
    return original(*arguments)
train.train_stack = logged
table = StackTable(NASBench1Shot1S3(), Path({str(tmp_path)!r}), TableRecipe(channels=2, steps={steps}, batch_size=4))
print(table.lookup(table.space.parse({ISOMORPHIC[0]!r}), table.test))
"""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_workers_train_a_cell_once(tmp_path: Path) -> None:
    workers = [asking(tmp_path, steps=80) for _ in range(2)]
    answers = []
    for worker in workers:
        out, error = worker.communicate(timeout=120)
        assert worker.returncode == 0, error
        answers.append(out)
    assert answers[0] == answers[1]
    assert (tmp_path / "log").read_text().splitlines() == ["trained"] * 3  # three trials


def test_a_killed_worker_leaves_nothing_behind(tmp_path: Path) -> None:
    victim = asking(tmp_path, steps=4_000)
    limit = time.monotonic() + 60
    while not (tmp_path / "log").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    assert list(tmp_path.glob("*/*.npz")) == []
    out, error = asking(tmp_path, steps=8).communicate(timeout=120)
    assert float(out) >= 0, error


def test_a_study_on_a_trained_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "s.toml"
    path.write_text(
        """
name = "trained"
space = "nasbench1shot1.s2"
dataset = {name = "digits100", evaluation_pairs = 16}
table = "nasbench1shot1.s2.trained"
methods = ["random-search"]
seeds = [0]
epochs = 1
[supernet]
channels = 2
cells = 1
"""
    )
    study = load_study(path)
    planned = plan(study, tmp_path / "runs")
    assert [o.error for o in run_all(planned, "cpu", 1)] == [None]
    results = load_study_runs(study, tmp_path / "runs")
    stamped = (planned[0].folder.final / "manifest.json").read_text()
    assert study.table is not None
    assert study.table.fingerprint in stamped
    assert "percentile" not in results.final()
    assert Trajectory().data(results).reference == {}
    with pytest.raises(HarnessError, match="its optimum is unknown, draw the error instead"):
        Trajectory(metric="regret").data(results)
