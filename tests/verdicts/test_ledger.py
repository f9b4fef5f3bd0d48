"""The ledger of a spread: of errors that were made up of known parts, and of a small study."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.plots.base import FIGURES
from harness.report.publish import publish
from harness.results.load import load_folder, load_study_runs
from harness.runs.execute import plan, run_all
from harness.runs.randomness import Point, Randomness
from harness.runs.study import load_study
from harness.verdicts.ledger import Ledger, compute_ledgers
from tests.conftest import ROOT
from tests.support.results import of_errors


def of(randomness: dict[str, object], seeds: tuple[int, ...], error: Callable[[Point], float]) -> Ledger:
    """The ledger of runs whose errors are a function of where they stand."""
    design = Randomness.model_validate(randomness).laid_out(seeds)
    runs = {"m": {point.number: [50.0, error(point)] for point in design.points}}
    (found,) = compute_ledgers(replace(of_errors(runs), design=design))
    return found


def test_additive_errors_are_parts_alone() -> None:
    found = of(
        {"weights": "0..2", "order": "0..2", "draws": "0..1"},
        (0,),
        lambda p: 10 + 3.0 * float(p.level("weights")) + float(p.level("order")),
    )
    assert found.idle == ("draws",)
    assert found.stack == pytest.approx({"weights": 0.9, "order": 0.1, "draws": 0, "together": 0}, abs=1e-9)
    assert {name: part.alone.estimate for name, part in found.parts.items()} == pytest.approx(
        {"weights": 9, "order": 1, "draws": 0}
    )
    assert found.verdict.startswith("m: standard deviation 3.16 points: weights 90 %, order 10 %; a second draw")
    assert "of all 50 %, of weights 45 %, of order 5 %, so one of weights is worth 9.0 of order; idle: draws" in (
        found.verdict
    )


def test_what_two_kinds_have_only_together_is_neither_s() -> None:
    """The sign of a product: no level of either has another mean."""
    signs = {0: -1.0, 1: 1.0}
    found = of(
        {"weights": "0..1", "order": "0..1"},
        (0, 1),
        lambda p: 20 + 5 * signs[int(p.level("weights"))] * signs[int(p.level("order"))],
    )
    assert found.stack["together"] == pytest.approx(1)
    assert found.idle == ("seed",)
    assert found.parts["weights"].falls.estimate == pytest.approx(0.5)


def test_one_at_a_time_around_each_seed() -> None:
    found = of(
        {"design": "one-at-a-time", "weights": "10..12", "order": "10..11"},
        (0, 1),
        lambda p: 30 * p.seed + (0 if p.level("weights") == p.seed else 2.0 * (int(p.level("weights")) - 9)),
    )
    assert found.parts["weights"].whole.estimate == pytest.approx(np.var([0, 2, 4, 6], ddof=1))
    assert (found.idle, found.together) == (("order",), None)
    assert "overlap where kinds act together" in found.verdict


def test_runs_that_never_differ_are_told() -> None:
    assert of({"weights": "0..1"}, (0,), lambda _: 7.0).verdict == "m: no run differs from another"


def test_a_missing_run_is_named() -> None:
    design = Randomness.model_validate({"weights": "0..2"}).laid_out((0,))
    results = replace(of_errors({"m": {0: [1.0], 2: [2.0]}}), design=design)
    with pytest.raises(HarnessError, match=r"1 of 3 runs of m's design are not there.*point 1\)"):
        compute_ledgers(results)
    with pytest.raises(HarnessError, match="nothing here varies by itself"):
        compute_ledgers(replace(results, design=None))


def test_a_study_is_run_read_published_and_drawn(small_study: Path, tmp_path: Path) -> None:
    settings = ['methods=["darts", "random-search"]', 'randomness={weights="0..1", order="0..1"}', "epochs=2"]
    study = load_study(small_study, settings, "0")
    planned = plan(study, tmp_path / "out")
    assert [o.error for o in run_all(planned, "cpu", 1)] == [None] * 8
    finished = load_study_runs(study, tmp_path / "out")
    made = compute_ledgers(finished)
    assert [(each.method, each.n) for each in made] == [("darts", 4), ("random-search", 4)]
    assert made[1].verdict == "random-search: no run differs from another"
    published = load_folder(publish(study, planned, tmp_path / "published"))
    assert compute_ledgers(published) == made
    frame = harness.ledger(published.folder)
    assert frame.attrs["verdicts"] == [each.verdict for each in made]
    assert frame["part"].tolist()[:5] == ["weights", "order", "together", "table trials", "total"]
    figure = FIGURES.build("ledger", {})
    content = figure.content(published)
    assert content.rows.groupby("method")["share"].sum().round(6).tolist() in ([1, 0], [0, 0])
    assert figure.render(content).axes[0].get_xlabel() == "share of the variance (%)"
    page = (tmp_path / "published" / "small" / "README.md").read_text()
    assert f"- {made[0].verdict}." in page
    assert "![ledger](ledger.png)" in page


def test_the_verb_prints_a_row_a_part(small_study: Path, tmp_path: Path) -> None:
    asked = ["--set", 'methods=["random-search"]', "--set", 'randomness.draws="0..2"', "--seeds", "0"]
    where = ["--out", str(tmp_path)]
    assert CliRunner().invoke(main, ["run", str(small_study), *asked, *where, "--jobs", "1"]).exit_code == 0
    told = CliRunner().invoke(main, ["ledger", str(small_study), *asked, *where, "--format", "json"])
    rows = json.loads(told.stdout)
    assert [row["part"] for row in rows] == ["draws", "together", "table trials", "total"]
    assert rows[0]["alone"] == rows[3]["whole"]
    latex = CliRunner().invoke(main, ["ledger", str(small_study), *asked, *where, "--format", "latex"]).stdout
    assert "\\toprule" in latex
    assert "% Endpoint final; levels: draws 3, crossed" in latex


@pytest.mark.parametrize("verb", [["compare"], ["paper"], ["gate", "--write", "baseline.parquet"]])
def test_verbs_of_independent_runs_refuse_runs_that_share_draws(
    verb: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, *rest = verb
    result = CliRunner().invoke(main, [name, str(ROOT / "results" / "published" / "cifar10-8-ledger"), *rest])
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "share" in result.stderr and "weights, logits, order, implementation crossed" in result.stderr
