"""Endpoints, comparisons, the gate and declarations."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.core.markup import render_latex_table, render_markdown_table
from harness.measures import anytime
from harness.results.endpoints import Endpoints
from harness.results.load import load_folder
from harness.results.runs import Runs
from harness.runs.preregistration import Declared, declare, describe_standing
from harness.verdicts.baseline import compare_exactly, list_changes, read_baseline, select_baseline_rows, write_baseline
from harness.verdicts.compare import Pair, compare
from harness.verdicts.gate import GateCheck, Margins, build_margins, gate, judge_overall, summarize_checks
from harness.verdicts.paper import build_paper_table
from tests.conftest import ROOT
from tests.support.results import TABLE, end, finished, made_up, of_errors
from tests.support.results import draw_ranks as seeds

PUBLISHED = ROOT / "results" / "published" / "digits"
NAN = float("nan")


# -- measures of a trajectory --------------------------------------------------------------------------------------


def test_onsets_are_the_first_epoch_that_stays_bad() -> None:
    error = [80, 30, 20, 70, 25, 65, 66]
    assert anytime.find_onset_above_random(error, 60) == 5
    assert anytime.find_onset_degraded(error, 5) == 3
    assert anytime.find_onset_degraded(error, 45) == 5
    assert np.isnan(anytime.find_onset_above_random([80, 30, 20], 60))
    assert anytime.find_onset_above_random([80, 90], 60) == 0
    assert anytime.find_onset_of_many([0, 4, 2, 4, 5], 4) == 3


def test_area_and_degradation() -> None:
    assert anytime.compute_area_under([4, 2, 2], [0, 1, 4]) == (4 * 1 + 2 * 3) / 4
    assert anytime.compute_area_under([7], [0]) == 7
    assert anytime.compute_degradation([50, 30, 42]) == 12
    assert anytime.measure_agreement(["a", "a", "b", "b"]) == (2, pytest.approx(np.log(2)))


# -- endpoints -----------------------------------------------------------------------------------------------------


def test_endpoints_are_of_the_epochs_that_they_name() -> None:
    found = end(made_up({"a": [[9_000, 3, 200, 15_000]]}), Declared())
    errors = 100 - np.sort(TABLE.row_values(TABLE.test))[::-1]
    (row,) = found.runs.to_dict("records")
    assert row["final_error_pct"] == pytest.approx(errors[15_000])
    assert row["oracle_error_pct"] == pytest.approx(errors[3])
    assert row["selected_error_pct"] == pytest.approx(errors[3])  # 3 % 97 is the least
    assert row["area_regret"] == pytest.approx(np.mean(errors[[9_000, 3, 200]]) - errors[0], abs=1e-6)
    assert row["area_regret_seconds"] == pytest.approx(row["area_regret"])  # a second an epoch
    assert row["failed"]
    assert row["onset_above_random"] == 3
    assert found.optimum == pytest.approx(errors[0])
    trials = np.asarray([TABLE.lookup(TABLE.space.parse(a), TABLE.test, "all") for a in set_of(found, "a")])
    assert found.noise == pytest.approx(2 * np.median(trials.std(axis=1, ddof=1) / trials.shape[1] ** 0.5), rel=1e-6)


def set_of(found: Endpoints, method: str) -> list[str]:
    """The cells that `made_up` derives in the test above."""
    order = np.argsort(-TABLE.row_values(TABLE.test), kind="stable")
    return [TABLE.encoding(int(order[rank])) for rank in (9_000, 3, 200, 15_000)]


def test_without_a_table_the_supernet_s_error_counts() -> None:
    results = made_up({"a": seeds(np.random.default_rng(0), 5, 0, 90), "b": seeds(np.random.default_rng(1), 5, 0, 90)})
    alone = Runs(results.epochs, pd.DataFrame(), results.timing, None)
    found = end(alone, Declared())
    assert np.isnan(found.optimum)
    (pair,) = compare(found, Declared())
    assert np.isfinite(pair.shift.estimate)
    assert np.isnan(pair.width)


# -- comparisons ---------------------------------------------------------------------------------------------------


def test_a_difference_that_ten_seeds_carry_is_said() -> None:
    rng = np.random.default_rng(0)
    found = end(made_up({"darts": seeds(rng, 10, 9_000, 15_000), "new": seeds(rng, 10, 0, 2_000)}), Declared())
    (pair,) = compare(found, Declared())
    assert pair.paired
    assert pair.p_holm == pytest.approx(2 / 2**10)
    assert pair.a12 == 1
    assert pair.interval.high < 0
    assert pair.verdict.startswith("new has a lower error than darts: shift -")
    assert "(10 pairs of runs)" in pair.verdict
    (unpaired,) = compare(found, Declared(paired=False))
    assert unpaired.p_holm < pair.p_holm
    (reversed_,) = compare(found, Declared(baseline="new"))
    assert reversed_.verdict.startswith("darts has a higher error than new")


def test_a_p_that_no_digits_can_tell_is_told_as_small_and_kept_as_a_number() -> None:
    """Also where it is 0: that of thousands of pairs is beyond all numbers."""
    rng = np.random.default_rng(0)
    made = made_up({"darts": seeds(rng, 20, 9_000, 15_000), "new": seeds(rng, 20, 0, 2_000)})
    (pair,) = compare(end(made, Declared()), Declared())
    for card in (pair, replace(pair, multiplier=0.0)):
        assert ", p < 0.0001 (20 pairs of runs)" in card.verdict
        assert card.row()["p"] == "< 0.0001"
        assert "| < 0.0001 |" in render_markdown_table([card.row()])
        assert "& $<$ 0.0001 &" in render_latex_table([card.row()])
    assert pair.numbers()["p_holm"] == pytest.approx(2 / 2**20)
    assert replace(pair, multiplier=1e-4 * 2**19).row()["p"] == 1e-4
    check = GateCheck("new", "final error", "", "", "2", 0.0, 0.123, runs=20, reach=lambda n: (0.0, 0.0))
    assert (check.row()["p moved"], check.row()["p stable"]) == ("< 0.0001", 0.12)
    assert check.numbers()["p moved"] == 0.0


def test_three_seeds_carry_no_claim() -> None:
    rng = np.random.default_rng(0)
    found = end(made_up({"darts": seeds(rng, 3, 9_000, 15_000), "new": seeds(rng, 3, 0, 2_000)}), Declared())
    (pair,) = compare(found, Declared())
    assert not pair.reachable
    assert "no claim: 3 pairs of runs cannot show a difference, however large" in pair.verdict
    assert "(the smallest p that they can give is 0.25, and it has to be at most 0.05)" in pair.verdict
    assert "6 pairs of runs are the fewest that can, and 13 are needed to find, in four of five" in pair.verdict
    (unpaired,) = compare(found, Declared(paired=False))
    assert "3 and 3 runs cannot show a difference" in unpaired.verdict
    assert "(the smallest p that they can give is 0.1," in unpaired.verdict
    assert "4 runs of each method are the fewest that can, and 9 are needed" in unpaired.verdict
    (alone,) = compare(end(made_up({"darts": [[1]], "new": [[2]]}), Declared()), Declared())
    assert "1 pair of runs cannot show a difference" in alone.verdict


def test_no_difference_is_not_equivalence() -> None:
    rng = np.random.default_rng(1)
    ranks = {"darts": seeds(rng, 10, 0, 12_000), "new": seeds(rng, 10, 0, 12_000)}
    (pair,) = compare(end(made_up(ranks), Declared()), Declared())
    assert "no difference shown" in pair.verdict
    assert "equivalent in practice" not in pair.verdict
    missed = f"a difference of less than {pair.shift.detectable(0.05):.2g} points may well have been missed"
    assert missed in pair.verdict
    ranks["new"] = ranks["darts"]
    (pair,) = compare(end(made_up(ranks), Declared()), Declared())
    assert pair.shift.test.p == 1
    assert pair.interval == (0, 0, 0)
    assert "new and darts are equivalent in practice, within" in pair.verdict
    (unknown,) = compare(replace(end(made_up(ranks), Declared()), noise=NAN), Declared())
    assert unknown.state == "open"  # where nobody knows what does not matter


def test_equivalence_is_not_said_of_an_interval_that_leaves_it() -> None:
    """Ten seeds of the published study: its shift is small, its interval is not."""
    found = load_published("ten-seeds")
    pair = next(p for p in compare(found, Declared()) if p.new == "sdarts-rs")
    assert pair.interval.high > pair.width
    assert "equivalent" not in pair.verdict


def load_published(name: str) -> Endpoints:
    return end(load_folder(ROOT / "results" / "published" / name), Declared())


def test_another_measure_is_compared_in_its_own_values() -> None:
    results = made_up({"a": [[0, 10]], "b": [[0, 2_000]]})
    assert TABLE.validation is not None
    found = end(results, Declared(), TABLE.validation)
    architecture = TABLE.space.parse(found.runs["final_architecture"].iloc[1])
    assert found.values("b", "final")[0] == pytest.approx(100 - TABLE.lookup(architecture, TABLE.validation))
    assert found.optimum == pytest.approx(100 - TABLE.optimum(TABLE.validation).accuracy_pct)


# -- the table of a paper ------------------------------------------------------------------------------------------


def test_the_table_of_a_paper() -> None:
    rng = np.random.default_rng(0)
    ranks = {
        "darts": seeds(rng, 10, 9_000, 15_000),
        "new": seeds(rng, 10, 0, 2_000),
        "same": seeds(rng, 10, 9_000, 15_000),
    }
    results = made_up(ranks)
    rows, caption = build_paper_table(finished(results))
    assert [r["method"] for r in rows] == ["darts", "new", "same", "best in the table", "random (median)"]
    assert list(rows[0]) == ["method", "n", "digits100 x-valid", "digits100 x-test"]
    values = 100 - end(results, Declared()).values("new", "final")
    assert rows[1]["digits100 x-test"] == f"{values.mean():.2f} ± {values.std(ddof=1):.2f}*"
    assert "*" not in rows[2]["digits100 x-test"]
    assert rows[3]["digits100 x-test"] == f"{TABLE.optimum(TABLE.test).accuracy_pct:.2f}"
    assert rows[4]["digits100 x-test"] == f"{TABLE.random_median(TABLE.test):.2f}"
    assert "* better, † worse than darts" in caption
    assert "no value" not in caption
    told, caption = build_paper_table(
        finished(results, standing="exploratory: seed 3 of every method declared and left out")
    )
    assert not any("*" in row["digits100 x-test"] for row in told)
    assert "No marks: the comparison is exploratory: seed 3" in caption
    one = results.lookups.assign(accuracy_pct=results.lookups["accuracy_pct"].mask(
        results.lookups["method"].eq("new") & results.lookups["seed"].eq(0)
    ))  # fmt: skip
    told, caption = build_paper_table(finished(replace(results, lookups=one)))
    assert "(9 of 10)*" in told[1]["digits100 x-test"]
    assert "(k of n): the table knows what k of n runs derived" in caption
    (alone, *_), _ = build_paper_table(finished(results, Declared(baseline="new")), [TABLE.test])
    assert alone["digits100 x-test"].endswith("†")
    rows, _ = build_paper_table(finished(results), [TABLE.test], "median")
    told = re.fullmatch(r"([\d.]+) \[([\d.]+), ([\d.]+)\]\*", rows[1]["digits100 x-test"])
    assert told
    middle, low, high = map(float, told.groups())
    assert low <= middle <= high
    unknown = results.lookups.assign(accuracy_pct=np.nan)
    nothing, caption = build_paper_table(finished(replace(results, lookups=unknown)), [TABLE.test])
    assert nothing[0]["digits100 x-test"] == "-"
    assert "-: the table has no value there" in caption
    with pytest.raises(HarnessError, match=r"has no digits100/x-test@200: it has digits100/x-valid@4"):
        build_paper_table(finished(results), [TABLE.test._replace(epochs=200)])
    with pytest.raises(HarnessError, match="'area' is no architecture's"):
        build_paper_table(finished(results, Declared(endpoint="area")))
    with pytest.raises(HarnessError, match="these runs have no table"):
        build_paper_table(finished(replace(results, table=None)))


def test_pairs_and_names_that_are_declared() -> None:
    rng = np.random.default_rng(0)
    found = end(made_up({n: seeds(rng, 6, 0, 9_000) for n in "abcd"}), Declared())
    chosen = Declared(pairs=(("b", "a"), ("d", "c")))
    assert [(p.new, p.base, p.pairs) for p in compare(found, chosen)] == [("b", "a", 2), ("d", "c", 2)]
    with pytest.raises(HarnessError, match="there is no finished run of 'e' to compare"):
        compare(found, Declared(baseline="e"))
    alone = end(made_up({"a": [[1]]}), Declared())
    with pytest.raises(HarnessError, match="'a' is the only method with finished runs"):
        compare(alone, Declared())
    uneven = end(made_up({"a": seeds(rng, 5, 0, 9), "b": seeds(rng, 6, 0, 9)}), Declared())
    (pair,) = compare(uneven, Declared())
    assert pair.paired and pair.n == (5, 5)
    assert "left out: b seed 5 (its pair of a is not there)" in pair.verdict
    apart = end(of_errors({"a": {0: [1.0], 1: [2.0]}, "b": {5: [1.0], 6: [2.0]}}), Declared())
    assert not compare(apart, Declared())[0].paired
    with pytest.raises(HarnessError, match="paired = true needs seeds that both 'b' and 'a' have finished"):
        compare(apart, Declared(paired=True))


def test_a_comparison_gives_the_same_digits_again() -> None:
    rng = np.random.default_rng(0)
    found = end(made_up({n: seeds(rng, 6, 0, 9_000) for n in "ab"}), Declared())
    assert [p.numbers() for p in compare(found, Declared())] == [p.numbers() for p in compare(found, Declared())]


def test_declarations_are_kept_and_changes_are_told(tmp_path: Path) -> None:
    runs = {(m, s): f"{m}{s}" for m in ("a", "b") for s in range(3)}
    assert "nothing was declared" in describe_standing(tmp_path, Declared(), runs)
    declare(tmp_path, Declared(), runs, begun=True)
    assert "nothing was declared" in describe_standing(tmp_path, Declared(), runs)
    declare(tmp_path, Declared(), runs, begun=False)
    declare(tmp_path, Declared(level=0.1), runs, begun=False)  # the first one stays
    assert describe_standing(tmp_path, Declared(), runs) == "declared before the first run"
    changed = describe_standing(tmp_path, Declared(endpoint="oracle", level=0.1), runs)
    assert changed == "exploratory: endpoint, level changed since the first run"
    assert Declared.model_validate({"primary": "oracle"}) == Declared(endpoint="oracle")  # as older studies call it


def test_other_runs_than_were_declared_are_exploratory(tmp_path: Path) -> None:
    runs = {(m, s): f"{m}{s}" for m in ("a", "b") for s in range(3)}
    declare(tmp_path, Declared(), runs, begun=False)
    for others, told in (
        ({k: v for k, v in runs.items() if k[1] != 1}, "seed 1 of every method declared and left out"),
        ({k: v for k, v in runs.items() if k[0] != "b"}, "b declared and left out"),
        ({k: v for k, v in runs.items() if k != ("b", 2)}, "b seed 2 declared and left out"),
        (runs | {("a", 3): "a3", ("b", 3): "b3"}, "seed 3 of every method added to what was declared"),
        (runs | {("a", 0): "x"}, "other settings of a than were declared"),
    ):
        assert describe_standing(tmp_path, Declared(), others) == f"exploratory: {told}"
    (tmp_path / "declared.json").write_text(Declared().model_dump_json())  # as older versions wrote it
    assert describe_standing(tmp_path, Declared(), {}) == "declared before the first run"


# -- the gate ------------------------------------------------------------------------------------------------------


QUANTITIES = ("final error", "runs beyond the worst", "failures", "collapse onset")


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("baseline") / "b.parquet"
    write_baseline(made_up({"darts": seeds(np.random.default_rng(0), 12, 0, 300)}), path)
    return path


def test_gate_passes_what_is_shown_to_be_the_same(baseline: Path) -> None:
    today = made_up({"darts": seeds(np.random.default_rng(9), 12, 0, 300)})
    checks = gate(today, read_baseline(baseline), Margins(error=5))
    assert {c.quantity: c.state for c in checks} == dict.fromkeys(QUANTITIES, "stable")
    assert judge_overall(checks) == "stable"


def test_gate_pairs_equal_seeds_and_no_others(baseline: Path) -> None:
    """The same runs are stable within a small margin; as other seeds, among widely spread errors, they show nothing."""
    spread = {"darts": seeds(np.random.default_rng(0), 12, 0, 15_000)}
    before, same = select_baseline_rows(made_up(spread)), made_up(spread)
    assert judge_overall(gate(same, before, Margins(error=0.5))) == "stable"
    others = before.assign(seed=before["seed"] + 100)
    states = {c.quantity: c.state for c in gate(same, others, Margins(error=0.5))}
    assert states["final error"] == "inconclusive"


def test_gate_fails_what_has_moved(baseline: Path) -> None:
    today = made_up({"darts": seeds(np.random.default_rng(9), 12, 12_000, 15_000)})
    checks = gate(today, read_baseline(baseline), Margins(onset=1))
    assert {c.quantity: c.state for c in checks} == dict.fromkeys(QUANTITIES, "moved")
    assert judge_overall(checks) == "moved"


def test_gate_says_that_too_few_runs_show_nothing(baseline: Path, tmp_path: Path) -> None:
    few = made_up({"darts": seeds(np.random.default_rng(9), 2, 0, 300)})
    write_baseline(few, tmp_path / "few.parquet")
    checks = gate(few, read_baseline(tmp_path / "few.parquet"), Margins(error=50))
    assert all(c.identical for c in checks)  # the same runs are stable, however few
    assert (
        summarize_checks(checks)
        == "stable: identical: every row of the baseline's runs of darts is there again, to the last bit"
    )
    others = made_up({"darts": seeds(np.random.default_rng(1), 2, 0, 300)})
    checks = gate(others, read_baseline(tmp_path / "few.parquet"), Margins(error=50))
    assert judge_overall(checks) == "too few"
    assert {c.quantity: c.verdict for c in checks} == {
        "final error": "too few runs: 2, needs 8",
        "collapse onset": "too few runs: 2, needs 8",
        "runs beyond the worst": "too few runs: 2, needs 9",
        "failures": "too few runs: 2, needs 12",
    }
    assert "(seeds='0..11'). Run them" in summarize_checks(checks)


def test_gate_needs_are_the_fewest_that_can_show_it() -> None:
    """With as many runs as it says the best case is stable, with one fewer it is not."""
    options = {
        "error": "final error",
        "onset": "collapse onset",
        "tail": "runs beyond the worst",
        "failure": "failures",
    }
    margins = Margins(error=5, onset=1)
    for n in range(2, 15):
        ranks = seeds(np.random.default_rng(n), n, 0, 300)
        before = select_baseline_rows(made_up({"darts": ranks}))
        now = made_up({"darts": [[*run[:-1], run[-1] + 1] for run in ranks]})
        far = made_up({"darts": [[15_000] * 4 for _ in ranks]})
        for name, quantity in options.items():
            (close,), (moved,) = (gate(today, before, margins, [name]) for today in (now, far))
            assert close.quantity == quantity
            assert ((close.state, moved.state) == ("stable", "moved")) == (n >= close.needs), (n, name)


def with_eigenvalues(results: Runs, factor: float, after: int = 3) -> Runs:
    """The dominant eigenvalue of every run at epoch 1, always the same, and at epoch `after`, times a factor."""
    rows = results.epochs
    last = factor * (1 + 0.01 * rows["seed"])
    measured = np.select([rows["epoch"] == 1, rows["epoch"] == after], [5.0, last], NAN)
    return replace(results, epochs=rows.assign(hessian_largest=measured))


@pytest.mark.parametrize(
    ("factor", "margin", "state"),
    [(1.9, 2, "stable"), (1 / 1.9, 2, "stable"), (2.1, 2, "moved"), (1 / 2.1, 2, "moved"), (1.9, 1.5, "moved")],
)
def test_gate_holds_the_last_eigenvalue_to_a_factor(factor: float, margin: float, state: str) -> None:
    """Up and down alike, whatever was measured before the last time."""
    runs = made_up({"darts": seeds(np.random.default_rng(0), 12, 0, 300)})
    before, now = select_baseline_rows(with_eigenvalues(runs, 0.3)), with_eigenvalues(runs, 0.3 * factor)
    (check,) = gate(now, before, Margins(eigenvalue=margin), ["eigenvalue"])
    assert (check.state, check.margin, check.quantity) == (state, f"factor {margin:g}", "log eigenvalue")
    assert float(check.today) - float(check.baseline) == pytest.approx(np.log(factor), abs=0.02)


def test_runs_are_not_identical_where_a_probe_or_the_table_says_otherwise() -> None:
    """The search's own rows are the same to the last bit, and still something has moved."""
    runs = made_up({"darts": seeds(np.random.default_rng(0), 12, 0, 300)})
    before, measured = select_baseline_rows(with_eigenvalues(runs, 0.3)), with_eigenvalues(runs, 0.6)
    assert [c.identical for c in gate(measured, before, Margins())] == [False] * 5
    assert compare_exactly(measured, before)[0] == "darts, seed 0: from epoch 3 on, first in hessian_largest"
    other = select_baseline_rows(runs).assign(error_pct=lambda rows: rows["error_pct"] + 5)
    assert judge_overall(gate(runs, other, Margins(error=2), ["error"])) == "moved"
    assert compare_exactly(runs, other)[0] == "darts, seed 0: from epoch 0 on, first in error_pct"


def test_gate_checks_the_eigenvalue_where_every_run_has_it() -> None:
    """Neither where a side was not measured, nor where one run of it was not. A factor of 1 would allow no change."""
    runs = made_up({"darts": seeds(np.random.default_rng(0), 12, 0, 300)})
    measured = with_eigenvalues(runs, 0.3)
    partly = replace(measured, epochs=measured.epochs.assign(
        hessian_largest=measured.epochs["hessian_largest"].where(measured.epochs["seed"] != 0)
    ))  # fmt: skip
    for today, before in ((measured, runs), (runs, measured), (partly, measured), (measured, partly)):
        found = gate(today, select_baseline_rows(before), Margins())
        assert "log eigenvalue" not in {c.quantity for c in found}
    with pytest.raises(HarnessError, match=r"eigenvalue.*greater than 1"):
        build_margins({"eigenvalue": 1.0})


def test_gate_checks_what_is_asked_for_alone(baseline: Path) -> None:
    today = made_up({"darts": seeds(np.random.default_rng(9), 12, 0, 300)})
    rows = read_baseline(baseline)
    assert [c.quantity for c in gate(today, rows, Margins(), ["error"])] == ["final error"]
    assert [c.quantity for c in gate(today, rows, Margins(), ["failures", "darts"])] == ["failures"]
    with pytest.raises(HarnessError, match="only='eror' is no method or quantity here"):
        gate(today, rows, Margins(), ["eror"])
    with pytest.raises(HarnessError, match="these runs have no such quantity"):
        gate(today, rows, Margins(), ["eigenvalue"])


def test_a_baseline_keeps_what_its_runs_ran_with(tmp_path: Path) -> None:
    """The gate's first line: three times the learning rate, another torch."""
    results = made_up({"darts": [[1, 2]], "new": [[3, 4]]})
    manifests = [
        {
            "method_name": name,
            "configuration": {"seed": 3, "training": {"learning_rate": 0.05, "batch_size": 64}, "method": {name: {}}},
            "environment": {"torch": "2.12.0"},
        }
        for name in ("darts", "new")
    ]
    write_baseline(replace(results, manifests=manifests), tmp_path / "b.parquet")
    kept = read_baseline(tmp_path / "b.parquet")
    assert list_changes(manifests, kept) == ["configuration: the same"]
    today = json.loads(json.dumps(manifests).replace("0.05", "0.15").replace("2.12.0", "2.13.0"))
    today[1]["configuration"]["training"]["batch_size"] = 32
    assert list_changes(today, kept) == [
        "configuration: training.learning_rate 0.05 -> 0.15; training.batch_size 64 -> 32 (new)",
        "made with: torch 2.12.0 -> 2.13.0",
    ]
    assert list_changes([], kept) == ["configuration: not compared, these results keep none"]
    write_baseline(results, tmp_path / "old.parquet")  # as older versions wrote them
    assert list_changes(manifests, read_baseline(tmp_path / "old.parquet")) == [
        "configuration: not compared, the baseline keeps none, as those of imported runs do"
    ]


def test_exact_mode_finds_the_first_changed_epoch(baseline: Path) -> None:
    again = made_up({"darts": seeds(np.random.default_rng(0), 12, 0, 300)})
    assert compare_exactly(again, read_baseline(baseline)) == []
    place = (again.epochs["seed"] == 3) & (again.epochs["epoch"] >= 2)
    again.epochs.loc[place, "train_loss"] += 1e-12
    assert compare_exactly(again, read_baseline(baseline)) == ["darts, seed 3: from epoch 2 on, first in train_loss"]
    fewer = again.select_seeds(range(11))
    assert (
        compare_exactly(fewer, read_baseline(baseline))[-1] == "darts, seed 11: 0 epochs are there, the baseline has 4"
    )


def test_a_baseline_of_language_models_keeps_their_perplexity(tmp_path: Path) -> None:
    results = load_folder(PUBLISHED)
    words = replace(results, epochs=results.epochs.rename(columns={"supernet_accuracy_pct": "supernet_perplexity"}))
    write_baseline(words, tmp_path / "words.parquet")
    baseline = read_baseline(tmp_path / "words.parquet")
    assert compare_exactly(words, baseline) == []
    assert {check.identical for check in gate(words, baseline, Margins())} == {True}
    assert "first in supernet_perplexity" in compare_exactly(results, baseline)[0]
    words.epochs.loc[words.epochs["epoch"] == 20, "supernet_perplexity"] += 1e-12
    assert "from epoch 20 on, first in supernet_perplexity" in compare_exactly(words, baseline)[0]
    baseline.drop(columns="supernet_perplexity").to_parquet(tmp_path / "without.parquet")
    with pytest.raises(HarnessError, match="is no baseline of this tool"):
        read_baseline(tmp_path / "without.parquet")


def test_gate_explains_what_cannot_be_compared(baseline: Path, tmp_path: Path) -> None:
    other = made_up({"else": [[1, 2]]})
    with pytest.raises(HarnessError, match="no finished run of the baseline's 'darts'"):
        gate(other, read_baseline(baseline), Margins())
    with pytest.raises(HarnessError, match=r"there is no baseline at .*--write"):
        read_baseline(tmp_path / "none.parquet")
    (tmp_path / "half.parquet").write_bytes(baseline.read_bytes()[:300])
    with pytest.raises(HarnessError, match="is no baseline of this tool"):
        read_baseline(tmp_path / "half.parquet")
    read_baseline(baseline).assign(error_pct=float("inf")).to_parquet(tmp_path / "endless.parquet")
    with pytest.raises(HarnessError, match="its column error_pct holds infinity"):
        read_baseline(tmp_path / "endless.parquet")
    read_baseline(baseline).assign(seed=float("nan")).to_parquet(tmp_path / "nobody.parquet")
    with pytest.raises(HarnessError, match="its column seed holds what is no whole number"):
        read_baseline(tmp_path / "nobody.parquet")
    rows = read_baseline(baseline).assign(measure="another table")
    with pytest.raises(HarnessError, match=r"the baseline's errors are of another table, these of nasbench201\.digits"):
        gate(other, rows, Margins())


# -- the command line ----------------------------------------------------------------------------------------------


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    return result.exit_code, result.stdout if result.exit_code == 0 else result.output


def test_verbs_read_published_results(tmp_path: Path) -> None:
    code, text = run("compare", PUBLISHED)
    assert code == 0
    assert "sdarts-adv against darts: no claim: 3 pairs of runs cannot show a difference, however large" in text
    code, text = run("compare", PUBLISHED, "--format", "json", "--endpoint", "oracle")
    assert {row["endpoint"] for row in json.loads(text)} == {"oracle"}
    file = tmp_path / "b.parquet"
    assert run("gate", PUBLISHED, "--write", file)[0] == 0
    assert run("gate", PUBLISHED, "--against", file, "--exact")[0] == 0
    code, text = run("gate", PUBLISHED, "--against", file, "--error", "60")
    assert code == 0
    assert text.startswith("configuration: the same")
    assert "stable: identical" in text
    code, text = run("gate", PUBLISHED, "--against", file, "--seeds", "0..1")
    assert code == 4
    assert "darts: seed 2 of the baseline is missing" in text
    assert run("gate", PUBLISHED, "--against", file, "--seeds", "0..1", "--accept", "inconclusive")[0] == 4
    asked = CliRunner().invoke(main, ["compare", str(PUBLISHED), "--seeds", "0..50"])
    assert "note: no run there has seed 3, 4, 5, 6, 7, ... (48 of those asked for)" in asked.stderr
    code, text = run("gate", PUBLISHED, "--against", file, "--only", "eror")  # as it is written there, not in Python
    assert (code, "--only eror is no method or quantity here" in text) == (2, True)
    wide = ("gate", ROOT / "results" / "published" / "ten-seeds")
    assert run(*wide, "--write", file)[0] == 0
    code, text = run(*wide, "--against", file, "--seeds", "0..8", "--only", "darts", "--only", "error")
    assert code == 4
    assert "darts: seed 9 of the baseline is missing: run what is missing" in text
    assert run("gate", PUBLISHED, "--write", file)[0] == 0
    code, text = run("gate", PUBLISHED, "--against", file, "--seeds", "0..1", "--exact")
    assert code == 1
    assert "seed 2: 0 epochs are there" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "comparison.endpont=final"], "comparison has no key 'endpont'.*endpoint"),
        (["--set", "epochs=3"], "only comparison.* and figures.* can be set, not 'epochs'"),
        (["--set", "comparison.baseline=dart"], "no finished run of 'dart' to compare.*'darts'"),
        (["--seeds", "9..1"], "count down"),
        (["--seeds", "7"], "there are no finished runs to compare"),
    ],
)
def test_wrong_comparisons_are_explained(arguments: list[str], message: str) -> None:
    code, text = run("compare", PUBLISHED, *arguments)
    assert code == 2
    assert re.search(message, text.replace("\n", " ")), text


def test_gate_margins_are_checked() -> None:
    code, text = run("gate", PUBLISHED, "--against", "x.parquet", "--error", "-1")
    assert (code, "there is no baseline" in text) == (2, True)
    code, text = run("gate", PUBLISHED)
    assert code == 2
    assert "a gate needs a baseline: --against FILE.parquet" in text


def test_tables_for_papers() -> None:
    rows = [{"method": "a_b", "p": 0.5, "x": None}, {"method": "c & d", "p": 1, "x": "50 %"}]
    assert render_markdown_table(rows).splitlines() == [
        "| method | p | x |",
        "| --- | ---: | --- |",
        "| a_b | 0.5 |  |",
        "| c & d | 1 | 50 % |",
    ]
    lines = render_latex_table(rows).splitlines()
    assert lines[0] == r"\begin{tabular}{lrl}"
    assert lines[3:6] == [r"\midrule", r"a\_b & 0.5 &  \\", r"c \& d & 1 & 50 \% \\"]
    assert render_latex_table([]) == render_markdown_table([]) == ""


def test_thousands_of_methods_take_seconds() -> None:
    """A look for each at the runs of all would take minutes; what is found is what each pair by itself gives."""
    rng = np.random.default_rng(0)
    count, seeds = 2000, 10
    rows = {
        "method": np.repeat([f"m{i}" for i in range(count)], seeds),
        "seed": np.tile(np.arange(seeds), count),
        "final_error_pct": rng.normal(50, 5, count * seeds).round(3),
        "failed": rng.integers(0, 2, count * seeds).astype(float),
    }
    found = Endpoints(pd.DataFrame(rows), 5.0, 50.0)
    began = time.process_time()
    pairs = compare(found, Declared())
    assert time.process_time() - began < 10
    assert len(pairs) == count - 1
    some = Endpoints(found.runs[found.runs["method"].isin(["m0", "m7"])], 5.0, 50.0)
    (alone,) = compare(some, Declared())
    (same,) = (pair for pair in pairs if pair.new == "m7")
    assert (alone.shift.test, alone.a12, alone.failures, alone.rates) == (
        same.shift.test,
        same.a12,
        same.failures,
        same.rates,
    )


def on_machines(where: dict[tuple[str, int], str], paired: bool | None = None) -> list[Pair]:
    """Sixteen runs of two methods, eight each, `new` a point better, on these machines."""
    rng = np.random.default_rng(0)
    runs = {m: {s: [30 + shift + float(rng.normal())] for s in range(8)} for m, shift in (("base", 0.0), ("new", -1.0))}
    results = replace(of_errors(runs), machines=where)
    return compare(end(results, Declared(paired=paired)), Declared(paired=paired))


def test_runs_of_several_machines_say_so_and_are_compared_within_them() -> None:
    mixed = {(m, s): "one" if s < 4 else "other" for m in ("base", "new") for s in range(8)}
    (pair,) = on_machines(mixed)
    assert "each pair is of one machine, of which there are several" in pair.verdict
    across = mixed | {("new", 0): "other", ("new", 5): "one"}
    (pair,) = on_machines(across)
    assert "2 of 8 pairs are across machines, which share no more than a seed (seeds 0, 5)" in pair.verdict
    (pair,) = on_machines(mixed, paired=False)
    assert "compared within machines" in pair.verdict
    assert pair.shift.kind == "unpaired, rank-sum within machines"
    assert on_machines({})[0].machines == ""


def test_what_may_be_the_machine_is_named() -> None:
    apart = {(m, s): m for m in ("base", "new") for s in range(8)}
    for paired in (None, False):
        (pair,) = on_machines(apart, paired)
        assert "no machine has runs of both, so what differs may be the machine (new on new and base on base)" in (
            pair.verdict
        )
    third = {(m, s): "one" for m in ("base", "new") for s in range(8)} | {("new", 7): "third"}
    (pair,) = on_machines(third, paired=False)
    assert "left out: new seed 7 (its machine has no run of base)" in pair.verdict
    assert pair.n == (7, 8)


def test_a_pair_whose_seeds_drift_is_no_claim() -> None:
    rng = np.random.default_rng(0)
    errors = [*rng.normal(29, 1, 30), *rng.normal(31, 1, 60)]
    runs = of_errors({"base": {s: [30.0] for s in range(90)}, "new": {s: [e] for s, e in enumerate(errors)}})
    declared = Declared(baseline="base", until_decided=True, rope=2.0)
    (pair,) = compare(end(runs, declared), declared)
    assert pair.state == "open" and pair.numbers()["shift_low"] == -np.inf
    assert "no claim: the pairs that came first and those that came later show different shifts" in pair.verdict
    before = runs.select_seeds(range(30))
    (pair,) = compare(end(before, declared), declared)
    assert pair.state == "lower"
