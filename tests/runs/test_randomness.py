"""Kinds of random streams that are held, or vary by themselves: what a run draws, its identity, what may be said."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.core.streams import KINDS, Streams, classify_stream
from harness.results.load import load_study_runs
from harness.runs.execute import plan, run_all
from harness.runs.rehearsal import find_idle_factors
from harness.runs.run import start
from harness.runs.study import Study, compute_run_id, load_study
from harness.search.state import SearchState
from harness.verdicts.collapse import UNKNOWN
from harness.verdicts.compare import compare, describe
from tests.support.results import end

CPU = torch.device("cpu")


def study_of(path: Path, *settings: str, seeds: str = "0") -> Study:
    return load_study(path, ['methods=["darts"]', *settings], seeds)


def beginning(study: Study, place: int = 0) -> SearchState:
    process = start(study.runs[place], CPU)
    assert isinstance(process, SearchState)
    return process


def test_a_study_that_says_nothing_or_that_all_follows_the_seed_has_the_ids_that_it_had(small_study: Path) -> None:
    usual = study_of(small_study, seeds="0..2")
    told = [f'randomness.{kind}="seed"' for kind in KINDS]
    assert [r.id for r in study_of(small_study, *told, seeds="0..2").runs] == [r.id for r in usual.runs]
    assert "randomness" not in usual.runs[0].describe()


def test_each_kind_is_drawn_by_its_own_seed(small_study: Path) -> None:
    """Weights of seed 1, logits of seed 2, and the batches of seed 0."""
    mixed = beginning(study_of(small_study, "randomness.weights=1", "randomness.logits=2"))
    by_seed = [beginning(study_of(small_study, seeds=str(seed))) for seed in range(3)]
    assert [torch.equal(mixed.weights[0], other.weights[0]) for other in by_seed] == [False, True, False]
    assert [torch.equal(mixed.alphas[0], other.alphas[0]) for other in by_seed] == [False, False, True]
    batches = [search.feed.next("train")[1].tolist() for search in (mixed, *by_seed)]
    assert [own == batches[0] for own in batches[1:]] == [True, False, False]


def test_a_searcher_of_a_table_draws_by_the_kind_too(small_study: Path) -> None:
    settings = ['methods=["random-search"]']
    first = [start(load_study(small_study, settings, seed).runs[0], CPU).select().encoding for seed in "01"]
    held = start(load_study(small_study, [*settings, "randomness.draws=1"], "0").runs[0], CPU)
    assert held.select().encoding == first[1] != first[0]


def test_what_is_drawn_as_by_another_study_is_the_same_run(small_study: Path) -> None:
    """Where a kind has the seed's level, nothing was held: the run is that of the seed."""
    usual = {r.seed: r.id for r in study_of(small_study, seeds="0..1").runs}
    crossed = study_of(small_study, 'randomness.weights="0..2"', seeds="0..1").runs
    ids = {(r.seed, r.point.level("weights")): r.id for r in crossed if r.point}
    assert len(set(ids.values())) == 6
    assert {seed: ids[seed, seed] for seed in (0, 1)} == usual
    assert [r.id for r in crossed] == [compute_run_id(r.describe()) for r in crossed]
    assert [r.describe().get("randomness") for r in crossed[:3]] == [None, {"weights": 1}, {"weights": 2}]


@pytest.mark.parametrize(
    ("settings", "points", "varied"),
    [
        (['randomness.weights="0..2"', 'randomness.order="0..3"'], 24, ("weights", "order")),
        (['randomness.weights="0..2"', "randomness.order=7"], 6, ("weights",)),
        (["randomness.order=7"], 2, ()),
        (
            ['randomness.weights="0..2"', 'randomness.order="5..6"', 'randomness.design="one-at-a-time"'],
            2 * (1 + 2 + 2),
            ("weights", "order"),
        ),
        (
            ["randomness.threads=[1, 2]", 'randomness.implementation=["fast", "readable"]'],
            8,
            ("implementation", "threads"),
        ),
    ],
)
def test_designs(small_study: Path, settings: Sequence[str], points: int, varied: tuple[str, ...]) -> None:
    study = study_of(small_study, *settings, seeds="0..1")
    assert (len(study.runs), len({r.id for r in study.runs}), len(study.ids)) == (points, points, points)
    assert study.design.varied == varied
    assert [r.number for r in study.runs] == list(range(points))
    assert [r.id for r in study.runs] == [compute_run_id(r.describe()) for r in study.runs]


def test_one_at_a_time_changes_one_kind_alone(small_study: Path) -> None:
    settings = ['randomness.weights="0..2"', 'randomness.order="5..6"', 'randomness.design="one-at-a-time"']
    assert [dict(r.point.own) for r in study_of(small_study, *settings, seeds="1").runs if r.point] == [
        {},
        {"weights": 0},
        {"weights": 2},
        {"order": 5},
        {"order": 6},
    ]


def test_sums_in_another_order_are_another_run(small_study: Path) -> None:
    fast, readable = study_of(small_study, 'randomness.implementation=["fast", "readable"]').runs
    assert (fast.id, readable.id) == (
        study_of(small_study).runs[0].id,
        study_of(small_study, 'supernet.implementation="readable"').runs[0].id,
    )
    one, two = study_of(small_study, "randomness.threads=[1, 2]").runs
    assert (one.threads, two.threads, two.describe()["randomness"]) == (1, 2, {"threads": 2})


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ('randomness.weights="often"', "seeds 'often' cannot be read"),
        ("randomness.weights=[]", 'write "seed", a number that is held, or several'),
        ("randomness.weights=[1, 1]", "they name a seed twice, 1"),
        ("randomness.weights=true", "True is no seed"),
        ("randomness.threads=0", "threads are from 1 to"),
        ('randomness.design="one-at-a-time"', "needs something that varies"),
        ('randomness.implementation=["fast", "fast"]', "names one twice"),
        ('randomness.wieghts="0..1"', "did you mean 'weights'"),
        ('randomness={weights="0..999", order="0..999"}', "more than 10,000 points"),
    ],
)
def test_what_is_no_design_is_told(small_study: Path, setting: str, told: str) -> None:
    with pytest.raises(HarnessError, match=told):
        study_of(small_study, setting)


def test_streams_are_of_kinds() -> None:
    streams = Streams(0, {"order": 5})
    assert streams.derived("train-order") == Streams(5).derived("train-order")
    assert streams.derived("weights") == Streams(0).derived("weights")
    assert {
        name: classify_stream(name) for name in ("further-order", "lengths", "train-augment", "valid-cutout", "gumbel")
    } == {
        "further-order": "order",
        "lengths": "order",
        "train-augment": "augmentation",
        "valid-cutout": "augmentation",
        "gumbel": "draws",
    }
    assert (classify_stream("alpha-init"), classify_stream("alpha-noise"), classify_stream("probe-ranking")) == (
        "logits",
        "draws",
        "probes",
    )


def test_idle_streams_are_found(small_study: Path) -> None:
    settings = [
        'randomness.weights="0..1"',
        'randomness.draws="0..1"',
        'randomness.probes="0..1"',
        "randomness.order=3",
    ]
    methods = 'methods=["darts", "sdarts-rs", "darts-pt", "random-search"]'
    study = load_study(small_study, [methods, *settings], "0..1")
    assert find_idle_factors(study) == {
        "darts": ("probes", "draws"),
        "sdarts-rs": ("probes",),
        "darts-pt": ("probes",),  # its draws are put back after they were used
        "random-search": ("weights", "probes", "seed"),
    }


def test_a_rehearsal_changes_nothing_of_a_run(small_study: Path) -> None:
    study = study_of(small_study, "randomness.weights=1")
    before = study.runs[0].id, [w.clone() for w in beginning(study).weights]
    find_idle_factors(study)
    assert study.runs[0].id == before[0]
    assert all(map(torch.equal, before[1], beginning(study).weights))


def test_runs_that_share_draws_are_not_tested(small_study: Path, tmp_path: Path) -> None:
    settings = ['methods=["darts", "random-search"]', 'randomness.weights="0..1"', "epochs=1"]
    study = load_study(small_study, settings, "0")
    assert [o.error for o in run_all(plan(study, tmp_path), "cpu", 1)] == [None] * 4
    ends = end(load_study_runs(study, tmp_path), study.file.comparison)
    assert ends.runs["seed"].tolist() == [0, 1, 0, 1]
    with pytest.raises(HarnessError, match=r"share what they draw \(weights crossed\).* harness ledger"):
        compare(ends, study.file.comparison)
    assert [row["error (%)"] for row in describe(ends, study.file.comparison, UNKNOWN)] == [
        f"{ends.values(name, 'final').mean():.2f}" for name in ("darts", "random-search")
    ]


def test_plan_shows_the_design(small_study: Path, tmp_path: Path) -> None:
    chosen = ["--set", 'randomness.weights="0..1"', "--set", 'randomness.draws="3..4"', "--set", "randomness.order=7"]
    asked = ["plan", str(small_study), "--set", 'methods=["darts"]', "--seeds", "0", *chosen]
    ended = CliRunner().invoke(main, [*asked, "--format", "json", "--out", str(tmp_path / "out")])
    rows = json.loads(ended.stdout)
    assert [{k: v for k, v in row.items() if k not in ("state", "folder")} for row in rows] == [
        {"method": "darts", "point": n, "seed": 0, "weights": w, "draws": d}
        for n, (w, d) in enumerate([(0, 3), (0, 4), (1, 3), (1, 4)])
    ]
    assert "of the randomness: weights, draws crossed; held: order 7; all else follows the seed" in ended.stderr
    assert "darts does not depend on draws (idle)" in ended.stderr
