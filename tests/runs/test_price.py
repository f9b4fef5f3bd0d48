"""`plan --price`: measured in a process of its own, kept, and right against a run."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from harness.cli.main import main
from harness.runs import price
from harness.runs.execute import plan, run_all
from harness.runs.price import Price, compute_total_seconds, measure_prices
from harness.runs.study import Run, load_study
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def measured_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a thread of this process: another one, which a method has for its peak memory, takes seconds to start."""
    monkeypatch.setattr("joblib.externals.loky.ProcessPoolExecutor", ThreadPoolExecutor)


def test_total_fills_the_places() -> None:
    assert compute_total_seconds([3, 3, 2], 1) == 8
    assert compute_total_seconds([3, 3, 2], 2) == 5
    assert compute_total_seconds([], 2) == 0


def test_a_run_is_the_sum_of_its_parts(small_study: Path) -> None:
    run = load_study(small_study, ["epochs=5", "evaluation.every=2"]).runs[0]
    price = Price(1.0, 0.5, 10, 0.25, 3.0, 7.0, 0.125, 100, 1)
    # epochs 0, 2, 4 and the last are evaluated
    assert price.run_s(run) == 1 + 5 * (5 + 0.25 + 0.125) + 0.125 + 4 * 3 + 7


def test_price_against_a_run(small_study: Path, tmp_path: Path, cache: Path) -> None:
    settings = ['methods=["darts", "random-search"]', "epochs=8", "training.steps_per_epoch=12", "supernet.channels=8"]
    study = load_study(small_study, settings, "0")
    said: list[str] = []
    found = measure_prices(study.runs, "cpu", said.append)
    assert said == ["measuring darts", "measuring random-search"]
    assert measure_prices(study.runs, "cpu", said.append) == found  # kept
    assert len(said) == 2
    planned = plan(study, tmp_path / "out")
    list(run_all(planned, ["cpu"], 1))
    spent = pd.read_parquet(planned[0].folder.final / "timing.parquet")["cpu_s"].iloc[-1]
    assert found["darts"].steps == 12
    assert 0.5 < found["darts"].run_s(study.runs[0]) / spent < 2  # within 30 % on a machine of its own
    size = sum(p.stat().st_size for p in planned[0].folder.final.iterdir()) / 1e6
    assert found["darts"].disk_mb == pytest.approx(size, rel=0.5)


def test_long_steps_are_measured_one_an_epoch(small_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = load_study(small_study).runs[0]
    usual, begun, begin = price.measure(run, "cpu"), [], price.begin

    def watched(run: Run, steps: int, device: torch.device) -> price.Process:
        begun.append(steps)
        return begin(run, steps, device)

    monkeypatch.setattr(price, "begin", watched)
    monkeypatch.setattr(price, "LONG", 0.0)
    found = price.measure(run, "cpu")
    assert begun == [price.STEPS, 1]
    assert found.steps == usual.steps
    assert 0.2 < found.step_s / usual.step_s < 5


@pytest.mark.usefixtures("measured_here")
def test_plan_shows_the_price(small_study: Path, tmp_path: Path) -> None:
    words = ["plan", str(small_study), "--out", str(tmp_path / "out"), "--price", "--device", "cpu", "--seeds", "0..1"]
    words += ["--set", 'methods=["random-search"]']
    done = CliRunner().invoke(main, [*words, "--format", "json"])
    (row,) = json.loads(done.stdout)
    assert (row["method"], row["missing"], row["steps/epoch"]) == ("random-search", 2, 1)
    assert "2 runs, 2 at a time:" in CliRunner().invoke(main, [*words, "--jobs", "2"]).output
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("measured_here")
def test_price_of_what_is_not_here(small_study: Path, tmp_path: Path) -> None:
    """A published table and images that were not fetched: the price is told, and what was left out of it."""
    sizes = ['methods=["darts"]', "supernet.channels=1", "supernet.cells=3", "training.batch_size=4", "epochs=2"]
    asked = ["space=nasbench1shot1.s1", "table=nasbench1shot1.s1", "dataset=cifar10", "evaluation.images=20", *sizes]
    words = ["plan", str(small_study), "--out", str(tmp_path / "out"), "--device", "cpu", "--seeds", "0"]
    words += [word for setting in asked for word in ("--set", setting)]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert "harness tables fetch nasbench101-only108" in refused.stderr
    done = CliRunner().invoke(main, [*words, "--price", "--format", "json"])
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["missing"] == 1
    assert row["ms/step"] > 0
    assert "priced without what is not here" in done.stderr
    assert "harness tables fetch nasbench101-only108" in done.stderr
    assert "get the data by 'harness datasets fetch cifar10'" in done.stderr


def test_price_without_the_images_of_a_file(tmp_path: Path, cache: Path) -> None:
    """The small form of a published study, whose file of images nobody made."""
    study = ROOT / "benchmarks" / "published" / "nasbench201-darts-small.toml"
    words = ["plan", str(study), "--out", str(tmp_path / "out"), "--device", "cpu", "--seeds", "0", "--price"]
    words += ["--set", 'methods=["darts"]', "--set", "epochs=2", "--set", f"dataset.path={tmp_path / 'none.npz'}"]
    for given, told in (
        ([], "check the path, or say how many images of which size are to take its place: --images 50000x8x8x3"),
        (["--images", "8x8"], "--images '8x8' is no size"),
        (["--images", "50x8x8x\u00b2"], "is no size"),
    ):
        refused = CliRunner().invoke(main, [*words, *given])
        assert (refused.exit_code, told in refused.stderr) == (2, True), refused.stderr
    assert "add --price" in CliRunner().invoke(main, ["plan", str(study), "--images", "9x8x8x3"]).stderr
    other = [*words, "--set", "dataset=digits100", "--images", "3000x8x8x3"]  # it would be left aside without a word
    assert "this study asks for none: leave it out" in CliRunner().invoke(main, other).stderr
    done = CliRunner().invoke(main, [*words, "--images", "3000x8x8x3", "--format", "json"])
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["steps/epoch"], row["ms/step"] > 0) == (50, True)
    assert "3000x8x8x3 random images instead" in done.stderr


def test_no_price_of_a_search_in_a_table_that_is_not_here(small_study: Path) -> None:
    asked = ["space=nasbench1shot1.s1", "table=nasbench1shot1.s1", 'methods=["random-search"]']
    words = ["plan", str(small_study), "--price", *(word for setting in asked for word in ("--set", setting))]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert "harness tables fetch nasbench101-only108" in refused.stderr


@pytest.mark.usefixtures("measured_here")
def test_price_where_the_judge_trains_on_images_that_are_not_here(small_study: Path, tmp_path: Path) -> None:
    sizes = ['methods=["darts"]', "supernet.channels=1", "supernet.cells=3", "training.batch_size=4", "epochs=1"]
    small = ["retraining.recipe=small", "retraining.channels=1", "retraining.cells=3", "retraining.batch_size=8"]
    asked = ["space=darts.s3", "table=trained", "judge=last", "dataset=cifar10", "evaluation.images=20", *sizes, *small]
    words = ["plan", str(small_study), "--out", str(tmp_path / "out"), "--device", "cpu", "--seeds", "0", "--price"]
    words += [word for setting in asked for word in ("--set", setting)]
    done = CliRunner().invoke(main, [*words, "--format", "json"])
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["s judging/run"] > 0
