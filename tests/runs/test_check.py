"""`plan` and `run` refuse a study whose parts do not fit, in a sentence, before anything is written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.runs.check import check_study
from harness.runs.study import load_study
from tests.conftest import ROOT

SIDE = 8


def images(path: Path, side: int = SIDE, count: int = 64, labels: Any = None) -> Path:
    rng = np.random.default_rng(0)
    own = np.arange(count) % 4 if labels is None else labels
    pixels = rng.integers(0, 255, (count, side, side, 3), dtype=np.uint8)
    np.savez(path, train_images=pixels, train_labels=own, test_images=pixels, test_labels=own)
    return path


def plan(verb: str, study: Path, out: Path, *settings: str) -> tuple[int, str]:
    words = [verb, str(study), "--out", str(out), *(w for s in settings for w in ("--set", s))]
    done = CliRunner().invoke(main, words)
    return done.exit_code, done.output


@pytest.mark.parametrize("verb", ["plan", "run"])
@pytest.mark.parametrize(
    ("made", "settings", "message"),
    [
        ({"count": 20}, [], "the training half of npz has 10 images, fewer than one batch of 16: lower"),
        ({"labels": np.zeros(64, int)}, [], "the training half of npz has images of one class alone (0)"),
        ({"labels": np.full(64, 3)}, [], "labels count from 0 without a gap"),
        ({"labels": np.arange(64) // 32}, [], "the images are sorted, say split = 'shuffled' or 'stratified'"),
        ({"side": 7}, [], "images of 7 x 7 pixels do not go through the network of nasbench201"),
        (
            {},
            ["table=none", 'methods=["darts"]', "probes.ranking.every=1"],
            "the probe 'ranking' needs a table that holds every architecture",
        ),
        ({}, ["supernet.channels=3", 'methods=["pc-darts"]'], "3 channels cannot be divided into 4 parts"),
        (
            {},
            ["methods={nasp={nasp={l2=0.1}}}"],
            "nasp.l2 charges for an operation's weights, which nasbench201 does not count: leave it out",
        ),
        ({}, ["methods={random-search={random-search={schedule=7}}}"], "7"),
    ],
)
def test_what_does_not_fit(
    verb: str, made: dict[str, Any], settings: list[str], message: str, small_study: Path, tmp_path: Path
) -> None:
    data = images(tmp_path / "a.npz", **made)
    own = [f'dataset={{name = "npz", path = "{data}"}}', "training.batch_size=16", *settings]
    code, said = plan(verb, small_study, tmp_path / "out", *own)
    assert code == 2
    assert said.startswith(f"error: study {small_study}: ")
    assert message in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_absent_data(verb: str, small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path / "cache"))
    code, said = plan(verb, small_study, tmp_path / "out", "dataset=cifar10")
    assert (code, "get the data by 'harness datasets fetch cifar10'" in said) == (2, True)
    code, said = plan(verb, small_study, tmp_path / "out", 'dataset={name = "svhn", root = "nowhere"}')
    assert (code, "no train_32x32.mat in nowhere: name the folder" in said) == (2, True)
    code, said = plan(verb, small_study, tmp_path / "out", "table=absent")
    assert (code, "unknown table 'absent'" in said) == (2, True)
    code, said = plan(verb, small_study, tmp_path / "out", 'table="nasbench1shot1.s1.digits"')
    assert (code, "is of the space 'nasbench1shot1.s1', not 'nasbench201'" in said) == (2, True)
    assert list(tmp_path.iterdir()) == [small_study]


def test_every_problem_is_told_once(small_study: Path, tmp_path: Path) -> None:
    data = images(tmp_path / "a.npz", count=20, labels=np.zeros(20, int))
    own = f'dataset={{name = "npz", path = "{data}"}}'
    code, said = plan("plan", small_study, tmp_path / "out", own, "training.batch_size=16")
    assert (code, len(said.strip().splitlines())) == (2, 4)  # each half: too small, and of one class


def test_committed_studies_fit() -> None:
    for name in ("digits", "digits-1shot1"):
        study = load_study(ROOT / "benchmarks" / "trajectories" / f"{name}.toml")
        check_study(study, study.runs)


def test_nothing_is_asked_of_finished_runs(small_study: Path) -> None:
    study = load_study(small_study, ["dataset=cifar10"])
    check_study(study, [])
