"""Derived cells are trained: the same bytes after kills, once a distinct cell, and looked up by studies."""

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.datasets.digits import Digits
from harness.plots.trajectory import Trajectory
from harness.report.publish import publish
from harness.results.load import load_folder, read_planned
from harness.runs.execute import plan, run_all
from harness.runs.manifest import DamagedError
from harness.runs.price import measure
from harness.runs.retraining import fit
from harness.runs.retraining.fit import Fit, train
from harness.runs.retraining.job import Retraining
from harness.runs.retraining.recipe import RECIPES, RetrainingRecipe, build_recipe
from harness.runs.retraining.table import RetrainedTable
from harness.runs.store import RunFolder
from harness.runs.study import load_study
from harness.spaces.darts.space import DARTSS2, S4

CPU = torch.device("cpu")
TINY = {"channels": 2, "cells": 3, "epochs": 6, "steps_per_epoch": 2, "batch_size": 8, "auxiliary": 0, "cutout": 0.5}
SET = [word for field, value in TINY.items() for word in ("--set", f"recipe.{field}={value}")]
CELL = DARTSS2().random(np.random.default_rng(0)).encoding
STUDY = """
name = "trained"
space = "darts.s2"
dataset = "digits"
table = "trained"
judge = "last"
methods = ["darts"]
seeds = [0]
epochs = 2
retraining = {recipe = "small", seeds = "0..1", channels = 2, cells = 3, epochs = 2, steps_per_epoch = 2}
[supernet]
channels = 2
cells = 3
[training]
batch_size = 8
steps_per_epoch = 2
"""


def job(seed: int = 0, **changes: Any) -> Retraining:
    space = S4()  # noise has to be drawn anew, too
    return Retraining(
        space, space.random(np.random.default_rng(5)), Digits(), RetrainingRecipe(**(TINY | changes)), seed
    )


def rows(one: Retraining, root: Path) -> bytes:
    return (one.folder(root).final / "epochs.parquet").read_bytes()


def killed_at(epoch: int, one: Retraining, root: Path) -> None:
    """Train until this epoch's checkpoint, and be killed: after it is written, or, in even epochs, before."""
    save = RunFolder.save_checkpoint

    def last(folder: RunFolder, state: Any, kept: Any, told: Any) -> None:
        if told["recorded"] < epoch or epoch % 2:
            save(folder, state, kept, told)
        if told["recorded"] == epoch:
            os.kill(os.getpid(), signal.SIGKILL)

    RunFolder.save_checkpoint = last  # type: ignore[method-assign]
    train(one, one.folder(root), CPU)


def test_killed_five_times_it_gives_the_same_bytes(tmp_path: Path) -> None:
    whole, killed = job(), tmp_path / "killed"
    train(whole, whole.folder(tmp_path / "whole"), CPU)
    for epoch in range(1, 6):
        worker = multiprocessing.get_context("fork").Process(target=killed_at, args=(epoch, whole, killed))
        worker.start()
        worker.join(120)
        assert worker.exitcode == -signal.SIGKILL
    train(whole, whole.folder(killed), CPU)
    assert rows(whole, killed) == rows(whole, tmp_path / "whole")
    found = whole.folder(killed).tables()
    assert found["epochs"]["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert found["timing"]["wall_s"].is_monotonic_increasing
    assert [p.name for p in killed.iterdir() if not p.name.startswith(".")] == [whole.folder(killed).final.name]


def test_a_damaged_training_says_what_to_do(tmp_path: Path) -> None:
    one = job(epochs=1)
    folder = one.folder(tmp_path)
    train(one, folder, CPU)
    (folder.final / "epochs.parquet").write_bytes(b"")
    with pytest.raises(DamagedError, match=f"its SHA-256 differs: delete {folder.final}, and it is trained again"):
        folder.tables()
    with pytest.raises(HarnessError, match="weight_decay = 1e\\+300 is not usable"):
        build_recipe("small", {"weight_decay": 1e300})


def test_what_the_rows_depend_on(tmp_path: Path) -> None:
    first = job(epochs=1)
    for other in (job(seed=1, epochs=1), job(epochs=1, drop_path=0.1), job(epochs=1, channels=4)):
        assert other.id != first.id
    again = job(epochs=1)
    for one, root in ((first, "a"), (again, "b")):
        train(one, one.folder(tmp_path / root), CPU)
    assert rows(first, tmp_path / "a") == rows(again, tmp_path / "b")
    told = first.folder(tmp_path / "a").manifest()
    assert told["retraining"]["recipe"]["channels"] == 2
    assert told["costs"]["parameters_M"] == pytest.approx(
        sum(w.numel() for w in Fit(first, CPU).net.parameters()) / 1e6
    )


def test_the_published_recipe() -> None:
    """600 epochs; from .025 by a cosine to zero; drop-path to .2 linearly, both set at an epoch's beginning."""
    recipe = RECIPES["published"]
    assert [round(recipe.rate(e), 7) for e in (0, 300, 599)] == [0.025, 0.0125, 0.0000002]
    assert [round(recipe.dropped(e), 6) for e in (0, 300, 599)] == [0, 0.1, 0.199667]
    assert (recipe.channels, recipe.cells, recipe.epochs, recipe.batch_size) == (36, 20, 600, 96)
    assert (recipe.auxiliary, recipe.cutout * 32, recipe.weight_decay, recipe.gradient_clip) == (0.4, 16, 3e-4, 5)


def test_both_halves_are_trained_on_and_cut() -> None:
    one = Fit(job(batch_size=1198, steps_per_epoch=None), CPU)
    assert one.steps == 1
    x, y = one._batch()
    halves = [one.images.parts[part][1] for part in ("train", "valid")]  # type: ignore[attr-defined]
    assert torch.equal(torch.bincount(y), torch.bincount(torch.cat(halves)))
    assert ((x == 0).flatten(1).sum(dim=1) >= 4).all(), "each image has lost a corner at least"


def test_a_study_that_trains_what_it_derives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "s.toml"
    path.write_text(STUDY)
    study = load_study(path)
    planned = plan(study, tmp_path / "runs")
    assert [o.error for o in run_all(planned, "cpu", 1)] == [None]
    (found,) = (p.folder.tables() for p in planned)
    assert found["lookups"][["epoch", "dataset", "split", "table_epochs", "trial"]].values.tolist() == [
        [2, "digits", "test", 2, "0"],
        [2, "digits", "test", 2, "1"],
    ]
    own = [pd.read_parquet(p) for p in sorted((tmp_path / "cache/trained/networks").glob("*/epochs.parquet"))]
    assert sorted(f["test_accuracy_pct"].iloc[-1] for f in own) == pytest.approx(
        sorted(found["lookups"]["accuracy_pct"])
    )

    monkeypatch.setattr(fit, "train", lambda job, folder, device: folder.tables())  # an error where it is not there
    for again in (study.table, load_study(path).table):
        assert isinstance(again, RetrainedTable)
        assert again.lookup(found["epochs"]["architecture"].iloc[-1], again.test, 1) == pytest.approx(
            found["lookups"]["accuracy_pct"].iloc[1]
        )
    for read in (load_folder(tmp_path / "runs/trained"), load_folder(publish(study, planned, tmp_path / "published"))):
        assert read.table is not None
        assert read.table.fingerprint == again.fingerprint
        errors = read.errors()["error_pct"]
        assert errors.isna().tolist() == [True, True, False]
        assert Trajectory().data(read).reference == {}
    assert "percentile" not in read_planned(study, planned).final()
    small = {"channels": 2, "cells": 3, "epochs": 2, "steps_per_epoch": 2}
    words = [word for field, value in small.items() for word in ("--set", f"recipe.{field}={value}")]
    done = call(str(planned[0].folder.final), "--recipe", "small", "--seeds", "0..1", *words, "--format", "json")
    mean = 100 - found["lookups"]["accuracy_pct"].mean()
    assert json.loads(done.stdout)[0]["error_pct"] == pytest.approx(mean, abs=0.006)


def test_when_the_table_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(STUDY)

    def judged(*settings: str) -> list[int]:
        (run,) = load_study(path, ["epochs=5", *settings]).runs
        assert ("judge" in run.describe()) is (settings != ("judge=1",))
        return [epoch for epoch in range(6) if run.judged(epoch)]

    assert judged() == [5]
    assert judged("judge=1") == [0, 1, 2, 3, 4, 5]
    assert judged("judge=2") == [0, 2, 4, 5]


def test_what_it_costs_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(STUDY)
    (run,) = load_study(path, ["judge=1"]).runs
    found = measure(run, "cpu")
    one = found.judging_s / 3
    assert one > 0
    assert found.run_s(run) - replace(found, judging_s=0).run_s(run) == pytest.approx(3 * one)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("judge=0", 'judge = 0 is not usable: the table is asked after every so many epochs: write 1, 5, or "last"'),
        ("retraining.recipe=smal", "unknown recipe 'smal': did you mean 'small'?"),
        ("retraining.chanels=3", "recipe 'small' has no key 'chanels': did you mean 'channels' or"),
        ("retraining.epochs=0", "recipe 'small': epochs = 0 is not usable"),
        ("table=none", 'has [retraining], but table = "none": say table = "trained"'),
        ('methods=["random-search"]', "chooses by validation accuracy"),
    ],
)
def test_what_a_study_cannot_ask_is_explained(tmp_path: Path, setting: str, message: str) -> None:
    (tmp_path / "s.toml").write_text(STUDY)
    with pytest.raises(HarnessError) as error:
        study = load_study(tmp_path / "s.toml", [setting])
        study.runs[0].method.searcher.start(study.runs[0].space, study.table, None)
    assert message in str(error.value)


def call(*words: str) -> Result:
    return CliRunner().invoke(main, ["train", *words])


def test_the_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path / "cache"))
    words = ["--space", "darts.s2", "--dataset", "digits", *SET, "--set", "recipe.epochs=1", "--format", "json"]
    done = call(f"NAME = {CELL}", CELL, *words, "--recipe", "small", "--recipe", "published", "--seeds", "0..1")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [(r["cell"], r["recipe"], r["n"]) for r in found[:2]] == [("NAME", "small", 2), ("NAME", "published", 2)]
    assert [r["recipe"] for r in found[2:4]] == ["mean over recipes", f"best: {min(found[:2], key=error)['recipe']}"]
    assert found[2]["error_pct"] == pytest.approx((found[0]["error_pct"] + found[1]["error_pct"]) / 2, abs=0.006)
    assert len(list((tmp_path / "cache/trained/networks").glob("darts*"))) == 4, "one cell, two recipes, two seeds"
    monkeypatch.setattr(fit, "Fit", None)  # nothing is trained again
    assert json.loads(call(CELL, *words, "--recipe", "small", "--seeds", "0..1").stdout)[0]["error_pct"] == error(
        found[0]
    )


def error(row: dict[str, Any]) -> float:
    return float(row["error_pct"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([CELL], "of which space is "),
        ([CELL, "--space", "darts.s2"], "on which images is it to be trained? Say --dataset"),
        ([CELL, "--space", "darts.s2", "--dataset", "digits", "--recipe", "big"], "unknown recipe 'big'"),
        ([CELL, "--space", "darts.s2", "--dataset", "digits", "--seeds", "x"], "--seeds: seeds 'x' cannot be read"),
        ([CELL, "--space", "darts.s2", "--set", "dataset.path=x"], "needs --dataset NAME, whose field it is"),
        ([CELL, "--space", "darts.s2", "--set", "depth=3"], "--set 'depth' is not known here"),
        ([CELL.replace("sep", "dep"), "--space", "darts.s2", "--dataset", "digits"], "has no operation 'dep_conv_3x3'"),
        (["."], ". is no folder of a finished run: name one under results/runs/STUDY"),
    ],
)
def test_what_the_verb_cannot_do_is_explained(words: list[str], message: str) -> None:
    done = call(*words)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
