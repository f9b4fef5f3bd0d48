"""Endpoints, comparisons, the gate and declarations."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.core.markup import latex, markdown
from harness.measures import anytime
from harness.results.endpoints import Endpoints, endpoints
from harness.results.frames import Results
from harness.runs.preregistration import Declared, declare, standing
from harness.tables.catalog import open_table
from harness.verdicts.baseline import baseline_rows, changes, exact, read_baseline, write_baseline
from harness.verdicts.compare import compare
from harness.verdicts.gate import Check, Margins, gate, margins_of, overall, summary
from harness.verdicts.paper import paper_table
from tests.conftest import ROOT

TABLE = open_table("nasbench201.digits")
PUBLISHED = ROOT / "results" / "published" / "digits"
NAN = float("nan")


def made_up(ranks: dict[str, list[list[int]]], seconds: float = 1.0) -> Results:
    """Results of runs that derive, epoch by epoch, the architectures of these ranks in the table (0: the best)."""
    order = np.argsort(-TABLE.row_values(TABLE.test), kind="stable")
    epochs, lookups, timing = [], [], []
    for method, runs in ranks.items():
        for seed, trajectory in enumerate(runs):
            for epoch, rank in enumerate(trajectory):
                place = {"method": method, "seed": seed, "epoch": epoch}
                architecture = TABLE.space.parse(TABLE.encoding(int(order[rank])))
                counts = {f"count_{o}": architecture.operations.count(o) for o in TABLE.space.operations}
                losses = {"train_loss": 1 / (epoch + 1), "search_valid_loss": 1.0, "alphas": [float(rank)] * 30}
                accuracy = {"supernet_accuracy_pct": float(100 - rank % 97)}
                epochs.append(place | losses | accuracy | counts | {"architecture": architecture.encoding})
                for column, value in TABLE.all_values(architecture):
                    told = {"dataset": column.dataset, "split": column.split, "table_epochs": column.epochs}
                    lookups.append(place | told | {"trial": str(column.trial), "accuracy_pct": value})
                timing.append(place | {"wall_s": seconds * epoch})
    return Results(pd.DataFrame(epochs), pd.DataFrame(lookups), pd.DataFrame(timing), TABLE)


def seeds(rng: np.random.Generator, n: int, low: int, high: int) -> list[list[int]]:
    return [[int(r) for r in rng.integers(low, high, 4)] for _ in range(n)]


# -- measures of a trajectory --------------------------------------------------------------------------------------


def test_onsets_are_the_first_epoch_that_stays_bad() -> None:
    error = [80, 30, 20, 70, 25, 65, 66]
    assert anytime.onset_above_random(error, 60) == 5
    assert anytime.onset_degraded(error, 5) == 3
    assert anytime.onset_degraded(error, 45) == 5
    assert np.isnan(anytime.onset_above_random([80, 30, 20], 60))
    assert anytime.onset_above_random([80, 90], 60) == 0
    assert anytime.onset_parameter_free([0, 4, 2, 4, 5], 4) == 3


def test_area_and_degradation() -> None:
    assert anytime.area_under([4, 2, 2], [0, 1, 4]) == (4 * 1 + 2 * 3) / 4
    assert anytime.area_under([7], [0]) == 7
    assert anytime.degradation([50, 30, 42]) == 12
    assert anytime.agreement(["a", "a", "b", "b"]) == (2, pytest.approx(np.log(2)))


# -- endpoints -----------------------------------------------------------------------------------------------------


def test_endpoints_are_of_the_epochs_that_they_name() -> None:
    found = endpoints(made_up({"a": [[9_000, 3, 200, 15_000]]}), Declared())
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
    (codes,), trials = found.coded(("a",), "final")
    values = TABLE.lookup(TABLE.space.parse(row["final_architecture"]), TABLE.test, "all")
    assert sorted(trials[codes[0]]) == pytest.approx(sorted(100 - values))


def test_without_a_table_the_supernet_s_error_counts() -> None:
    results = made_up({"a": seeds(np.random.default_rng(0), 5, 0, 90), "b": seeds(np.random.default_rng(1), 5, 0, 90)})
    alone = Results(results.epochs, pd.DataFrame(), results.timing, None)
    found = endpoints(alone, Declared())
    assert np.isnan(found.optimum)
    (pair,) = compare(found, Declared())
    assert np.isfinite(pair.points.low)
    assert np.isnan(pair.normalised.estimate)


# -- comparisons ---------------------------------------------------------------------------------------------------


def test_a_difference_that_ten_seeds_carry_is_said() -> None:
    rng = np.random.default_rng(0)
    found = endpoints(made_up({"darts": seeds(rng, 10, 9_000, 15_000), "new": seeds(rng, 10, 0, 2_000)}), Declared())
    (pair,) = compare(found, Declared())
    assert pair.paired
    assert pair.p_holm == pytest.approx(2 / 2**10)
    assert pair.improvement == 1
    assert pair.points.high < 0
    assert pair.practice.better > 0.99
    assert pair.verdict.startswith("new has a lower error than darts: median difference -")
    assert "(10 pairs of runs)" in pair.verdict
    (unpaired,) = compare(found, Declared(paired=False))
    assert unpaired.p_holm < pair.p_holm
    (reversed_,) = compare(found, Declared(baseline="new"))
    assert reversed_.verdict.startswith("darts has a higher error than new")


def test_a_p_that_no_digits_can_tell_is_told_as_small_and_kept_as_a_number() -> None:
    """Also where it is 0: that of thousands of pairs is beyond all numbers."""
    rng = np.random.default_rng(0)
    made = made_up({"darts": seeds(rng, 20, 9_000, 15_000), "new": seeds(rng, 20, 0, 2_000)})
    (pair,) = compare(endpoints(made, Declared()), Declared())
    for card in (pair, replace(pair, p_holm=0.0)):
        assert ", p < 0.0001 (20 pairs of runs)" in card.verdict
        assert card.row()["p"] == "< 0.0001"
        assert "| < 0.0001 |" in markdown([card.row()])
        assert "& $<$ 0.0001 &" in latex([card.row()])
    assert pair.numbers()["p_holm"] == pytest.approx(2 / 2**20)
    assert replace(pair, p_holm=1e-4).row()["p"] == 1e-4
    check = Check("new", "final error", "", "", "2", moved=0.0, equivalent=0.123, runs=20, needs=5)
    assert (check.row()["p moved"], check.row()["p stable"]) == ("< 0.0001", 0.12)
    assert check.numbers()["p moved"] == 0.0


def test_three_seeds_carry_no_claim() -> None:
    rng = np.random.default_rng(0)
    found = endpoints(made_up({"darts": seeds(rng, 3, 9_000, 15_000), "new": seeds(rng, 3, 0, 2_000)}), Declared())
    (pair,) = compare(found, Declared())
    assert not pair.reachable
    assert "no claim: with 3 pairs of runs no difference, however large, can be significant" in pair.verdict
    assert "(the smallest p that they can give is 0.25; it has to be 0.05 or less)" in pair.verdict
    assert "run at least 6 seeds a method" in pair.verdict
    (unpaired,) = compare(found, Declared(paired=False))
    assert "with 3 and 3 runs no difference" in unpaired.verdict
    assert "(the smallest p that they can give is 0.1;" in unpaired.verdict
    assert "run at least 4 seeds a method" in unpaired.verdict
    (alone,) = compare(endpoints(made_up({"darts": [[1]], "new": [[2]]}), Declared()), Declared())
    assert "with 1 pair of runs no difference" in alone.verdict


def test_no_difference_is_not_equivalence() -> None:
    rng = np.random.default_rng(1)
    ranks = {"darts": seeds(rng, 10, 0, 12_000), "new": seeds(rng, 10, 0, 12_000)}
    (pair,) = compare(endpoints(made_up(ranks), Declared()), Declared())
    assert "no difference shown" in pair.verdict
    assert "equivalent in practice" not in pair.verdict
    assert "no proof that there is none: to be noticed in four of five such studies, one method has to win 86 %" in (
        pair.verdict
    )
    ranks["new"] = ranks["darts"]
    (pair,) = compare(endpoints(made_up(ranks), Declared()), Declared())
    assert pair.test.p == 1
    assert pair.points == (0, 0, 0)
    assert "they are equivalent in practice: within" in pair.verdict


def test_equivalence_is_not_said_beside_an_interval_that_leaves_it() -> None:
    """Ten seeds of the published study: the posterior is sure, the interval of the median difference is not."""
    found = load_published("ten-seeds")
    pairs = {p.new: p for p in compare(found, Declared())}
    pair = pairs["sdarts-rs"]
    assert pair.practice.equivalent >= 0.95
    assert pair.points.high > pair.width
    assert "equivalent" not in pair.verdict


def load_published(name: str) -> Endpoints:
    return endpoints(Results.of_folder(ROOT / "results" / "published" / name), Declared())


def test_another_measure_is_compared_in_its_own_values() -> None:
    results = made_up({"a": [[0, 10]], "b": [[0, 2_000]]})
    assert TABLE.validation is not None
    found = endpoints(results, Declared(), TABLE.validation)
    architecture = TABLE.space.parse(found.runs["final_architecture"].iloc[1])
    assert found.values("b", "final")[0] == pytest.approx(100 - TABLE.lookup(architecture, TABLE.validation))
    assert found.optimum == pytest.approx(100 - TABLE.optimum(TABLE.validation).accuracy_pct)
    assert sorted(found.trials.loc[architecture.encoding]) == pytest.approx(
        sorted(100 - TABLE.lookup(architecture, TABLE.validation, "all"))
    )


# -- the table of a paper ------------------------------------------------------------------------------------------


def test_the_table_of_a_paper() -> None:
    rng = np.random.default_rng(0)
    ranks = {
        "darts": seeds(rng, 10, 9_000, 15_000),
        "new": seeds(rng, 10, 0, 2_000),
        "same": seeds(rng, 10, 9_000, 15_000),
    }
    results = made_up(ranks)
    rows, caption = paper_table(results, Declared())
    assert [r["method"] for r in rows] == ["darts", "new", "same", "best in the table", "random (median)"]
    assert list(rows[0]) == ["method", "n", "digits100 x-valid", "digits100 x-test"]
    values = 100 - endpoints(results, Declared()).values("new", "final")
    assert rows[1]["digits100 x-test"] == f"{values.mean():.2f} ± {values.std(ddof=1):.2f}*"
    assert "*" not in rows[2]["digits100 x-test"]
    assert rows[3]["digits100 x-test"] == f"{TABLE.optimum(TABLE.test).accuracy_pct:.2f}"
    assert rows[4]["digits100 x-test"] == f"{TABLE.random_median(TABLE.test):.2f}"
    assert "* better, † worse than darts" in caption
    assert "no value" not in caption
    (alone, *_), _ = paper_table(results, Declared(baseline="new"), [TABLE.test])
    assert alone["digits100 x-test"].endswith("†")
    rows, _ = paper_table(results, Declared(), [TABLE.test], "median")
    told = re.fullmatch(r"([\d.]+) \[([\d.]+), ([\d.]+)\]\*", rows[1]["digits100 x-test"])
    assert told
    middle, low, high = map(float, told.groups())
    assert low <= middle <= high
    unknown = results.lookups.assign(accuracy_pct=np.nan)
    nothing, caption = paper_table(Results(results.epochs, unknown, results.timing, TABLE), Declared(), [TABLE.test])
    assert nothing[0]["digits100 x-test"] == "-"
    assert "-: the table has no value there" in caption
    with pytest.raises(HarnessError, match=r"has no digits100/x-test@200: it has digits100/x-valid@4"):
        paper_table(results, Declared(), [TABLE.test._replace(epochs=200)])
    with pytest.raises(HarnessError, match="'area' is no architecture's"):
        paper_table(results, Declared(primary="area"))
    with pytest.raises(HarnessError, match="these runs have no table"):
        paper_table(Results(results.epochs, results.lookups, results.timing, None), Declared())


def test_pairs_and_names_that_are_declared() -> None:
    rng = np.random.default_rng(0)
    found = endpoints(made_up({n: seeds(rng, 6, 0, 9_000) for n in "abcd"}), Declared())
    chosen = Declared(pairs=(("b", "a"), ("d", "c")))
    assert [(p.new, p.base, p.pairs) for p in compare(found, chosen)] == [("b", "a", 2), ("d", "c", 2)]
    with pytest.raises(HarnessError, match="there is no finished run of 'e' to compare"):
        compare(found, Declared(baseline="e"))
    alone = endpoints(made_up({"a": [[1]]}), Declared())
    with pytest.raises(HarnessError, match="'a' is the only method with finished runs"):
        compare(alone, Declared())
    uneven = endpoints(made_up({"a": seeds(rng, 5, 0, 9), "b": seeds(rng, 6, 0, 9)}), Declared())
    assert not compare(uneven, Declared())[0].paired
    with pytest.raises(HarnessError, match="paired = true needs the same finished seeds"):
        compare(uneven, Declared(paired=True))


def test_a_comparison_gives_the_same_digits_again() -> None:
    rng = np.random.default_rng(0)
    found = endpoints(made_up({n: seeds(rng, 6, 0, 9_000) for n in "ab"}), Declared())
    assert compare(found, Declared()) == compare(found, Declared())


def test_declarations_are_kept_and_changes_are_told(tmp_path: Path) -> None:
    assert "nothing was declared" in standing(tmp_path, Declared())
    declare(tmp_path, Declared(), begun=True)
    assert "nothing was declared" in standing(tmp_path, Declared())
    declare(tmp_path, Declared(), begun=False)
    declare(tmp_path, Declared(level=0.1), begun=False)  # the first one stays
    assert standing(tmp_path, Declared()) == "declared before the first run"
    changed = standing(tmp_path, Declared(primary="oracle", level=0.1))
    assert changed == "exploratory: primary, level changed since the first run"


# -- the gate ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("baseline") / "b.parquet"
    write_baseline(made_up({"darts": seeds(np.random.default_rng(0), 12, 0, 300)}), path)
    return path


def test_gate_passes_what_is_shown_to_be_the_same(baseline: Path) -> None:
    today = made_up({"darts": seeds(np.random.default_rng(9), 12, 0, 300)})
    checks = gate(today, read_baseline(baseline), Margins(error=5), Declared())
    assert {c.quantity: c.state for c in checks} == {"final error": "stable", "failures": "stable"}
    assert overall(checks) == "stable"


def test_gate_pairs_equal_seeds_and_no_others(baseline: Path) -> None:
    """The same runs are stable within a small margin; as other seeds, among widely spread errors, they show nothing."""
    spread = {"darts": seeds(np.random.default_rng(0), 12, 0, 15_000)}
    before, same = baseline_rows(made_up(spread)), made_up(spread)
    assert overall(gate(same, before, Margins(error=0.5), Declared())) == "stable"
    others = before.assign(seed=before["seed"] + 100)
    states = {c.quantity: c.state for c in gate(same, others, Margins(error=0.5), Declared())}
    assert states["final error"] == "inconclusive"


def test_gate_fails_what_has_moved(baseline: Path) -> None:
    today = made_up({"darts": seeds(np.random.default_rng(9), 12, 12_000, 15_000)})
    checks = gate(today, read_baseline(baseline), Margins(onset=1), Declared())
    assert {c.quantity: c.state for c in checks} == {
        "final error": "moved",
        "failures": "moved",
        "collapse onset": "moved",
    }
    assert overall(checks) == "moved"


def test_gate_says_that_too_few_runs_show_nothing(baseline: Path, tmp_path: Path) -> None:
    few = made_up({"darts": seeds(np.random.default_rng(9), 2, 0, 300)})
    write_baseline(few, tmp_path / "few.parquet")
    checks = gate(few, read_baseline(tmp_path / "few.parquet"), Margins(error=50), Declared())
    assert all(c.identical for c in checks)  # the same runs are stable, however few
    assert summary(checks) == "stable: identical: every row of every run is that of the baseline, to the last bit"
    others = made_up({"darts": seeds(np.random.default_rng(1), 2, 0, 300)})
    checks = gate(others, read_baseline(tmp_path / "few.parquet"), Margins(error=50), Declared())
    assert overall(checks) == "too few"
    assert {c.quantity: c.verdict for c in checks} == {
        "final error": "too few runs: 2, needs 5",
        "failures": "too few runs: 2, needs 11",
    }
    assert "Run them (--seeds 0..10)" in summary(checks)


def test_gate_needs_are_the_fewest_that_can_show_it() -> None:
    """With as many runs as it says the best case is stable, with one fewer it is not."""
    for n, expected in ((10, "too few"), (11, "stable")):
        ranks = seeds(np.random.default_rng(n), n, 0, 300)
        before = baseline_rows(made_up({"darts": ranks}))
        now = made_up({"darts": [[*run[:-1], run[-1] + 1] for run in ranks]})
        assert overall(gate(now, before, Margins(error=5), Declared())) == expected


def with_eigenvalues(results: Results, factor: float, after: int = 3) -> Results:
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
    before, now = baseline_rows(with_eigenvalues(runs, 0.3)), with_eigenvalues(runs, 0.3 * factor)
    (check,) = gate(now, before, Margins(eigenvalue=margin), Declared(), ["eigenvalue"])
    assert (check.state, check.margin, check.quantity) == (state, f"factor {margin:g}", "log eigenvalue")
    assert float(check.today) - float(check.baseline) == pytest.approx(np.log(factor), abs=0.02)


def test_runs_are_not_identical_where_a_probe_or_the_table_says_otherwise() -> None:
    """The search's own rows are the same to the last bit, and still something has moved."""
    runs = made_up({"darts": seeds(np.random.default_rng(0), 12, 0, 300)})
    before, measured = baseline_rows(with_eigenvalues(runs, 0.3)), with_eigenvalues(runs, 0.6)
    assert [c.identical for c in gate(measured, before, Margins(), Declared())] == [False] * 3
    assert exact(measured, before)[0] == "darts, seed 0: from epoch 3 on, first in hessian_largest"
    other = baseline_rows(runs).assign(error_pct=lambda rows: rows["error_pct"] + 5)
    assert overall(gate(runs, other, Margins(error=2), Declared(), ["error"])) == "moved"
    assert exact(runs, other)[0] == "darts, seed 0: from epoch 0 on, first in error_pct"


def test_gate_checks_the_eigenvalue_where_every_run_has_it() -> None:
    """Neither where a side was not measured, nor where one run of it was not. A factor of 1 would allow no change."""
    runs = made_up({"darts": seeds(np.random.default_rng(0), 12, 0, 300)})
    measured = with_eigenvalues(runs, 0.3)
    partly = replace(measured, epochs=measured.epochs.assign(
        hessian_largest=measured.epochs["hessian_largest"].where(measured.epochs["seed"] != 0)
    ))  # fmt: skip
    for today, before in ((measured, runs), (runs, measured), (partly, measured), (measured, partly)):
        found = gate(today, baseline_rows(before), Margins(), Declared())
        assert "log eigenvalue" not in {c.quantity for c in found}
    with pytest.raises(HarnessError, match=r"eigenvalue.*greater than 1"):
        margins_of({"eigenvalue": 1.0})


def test_gate_checks_what_is_asked_for_alone(baseline: Path) -> None:
    today = made_up({"darts": seeds(np.random.default_rng(9), 12, 0, 300)})
    rows = read_baseline(baseline)
    assert [c.quantity for c in gate(today, rows, Margins(), Declared(), ["error"])] == ["final error"]
    assert [c.quantity for c in gate(today, rows, Margins(), Declared(), ["failures", "darts"])] == ["failures"]
    with pytest.raises(HarnessError, match="--only 'eror' is no method or quantity here"):
        gate(today, rows, Margins(), Declared(), ["eror"])
    with pytest.raises(HarnessError, match="these runs have no such quantity"):
        gate(today, rows, Margins(), Declared(), ["eigenvalue"])


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
    write_baseline(results, tmp_path / "b.parquet", manifests)
    kept = read_baseline(tmp_path / "b.parquet")
    assert changes(manifests, kept) == ["configuration: the same"]
    today = json.loads(json.dumps(manifests).replace("0.05", "0.15").replace("2.12.0", "2.13.0"))
    today[1]["configuration"]["training"]["batch_size"] = 32
    assert changes(today, kept) == [
        "configuration: training.learning_rate 0.05 -> 0.15; training.batch_size 64 -> 32 (new)",
        "made with: torch 2.12.0 -> 2.13.0",
    ]
    assert changes([], kept) == ["configuration: not compared, these results keep none"]
    write_baseline(results, tmp_path / "old.parquet")  # as older versions wrote them
    assert changes(manifests, read_baseline(tmp_path / "old.parquet")) == [
        "configuration: not compared, the baseline keeps none (write it again to have it compared)"
    ]


def test_exact_mode_finds_the_first_changed_epoch(baseline: Path) -> None:
    again = made_up({"darts": seeds(np.random.default_rng(0), 12, 0, 300)})
    assert exact(again, read_baseline(baseline)) == []
    place = (again.epochs["seed"] == 3) & (again.epochs["epoch"] >= 2)
    again.epochs.loc[place, "train_loss"] += 1e-12
    assert exact(again, read_baseline(baseline)) == ["darts, seed 3: from epoch 2 on, first in train_loss"]
    fewer = again.of_seeds(range(11))
    assert exact(fewer, read_baseline(baseline))[-1] == "darts, seed 11: 0 epochs are there, the baseline has 4"


def test_gate_explains_what_cannot_be_compared(baseline: Path, tmp_path: Path) -> None:
    other = made_up({"else": [[1, 2]]})
    with pytest.raises(HarnessError, match="no finished run of the baseline's 'darts'"):
        gate(other, read_baseline(baseline), Margins(), Declared())
    with pytest.raises(HarnessError, match=r"there is no baseline at .*--write"):
        read_baseline(tmp_path / "none.parquet")
    (tmp_path / "half.parquet").write_bytes(baseline.read_bytes()[:300])
    with pytest.raises(HarnessError, match="is no baseline of this tool"):
        read_baseline(tmp_path / "half.parquet")
    read_baseline(baseline).assign(seed=float("nan")).to_parquet(tmp_path / "nobody.parquet")
    with pytest.raises(HarnessError, match="its column seed holds what is no whole number"):
        read_baseline(tmp_path / "nobody.parquet")
    rows = read_baseline(baseline).assign(measure="another table")
    with pytest.raises(HarnessError, match=r"the baseline's errors are of another table, these of nasbench201\.digits"):
        gate(other, rows, Margins(), Declared())


# -- the command line ----------------------------------------------------------------------------------------------


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    return result.exit_code, result.stdout if result.exit_code == 0 else result.output


def test_verbs_read_published_results(tmp_path: Path) -> None:
    code, text = run("compare", PUBLISHED)
    assert code == 0
    assert "sdarts-adv against darts: no claim: with 3 pairs of runs no difference, however large" in text
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
    assert "too few runs: final error needs 3" in text
    assert run("gate", PUBLISHED, "--against", file, "--seeds", "0..1", "--accept", "inconclusive")[0] == 0
    wide = ("gate", ROOT / "results" / "published" / "ten-seeds")
    assert run(*wide, "--write", file)[0] == 0
    code, text = run(*wide, "--against", file, "--seeds", "0..8", "--only", "darts", "--only", "error")
    assert code == 3
    assert "inconclusive: neither moved nor stable is shown of darts: final error" in text
    assert run("gate", PUBLISHED, "--write", file)[0] == 0
    code, text = run("gate", PUBLISHED, "--against", file, "--seeds", "0..1", "--exact")
    assert code == 1
    assert "seed 2: 0 epochs are there" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "comparison.primry=final"], "comparison has no key 'primry'.*primary"),
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
    assert markdown(rows).splitlines() == [
        "| method | p | x |",
        "| --- | ---: | --- |",
        "| a_b | 0.5 |  |",
        "| c & d | 1 | 50 % |",
    ]
    lines = latex(rows).splitlines()
    assert lines[0] == r"\begin{tabular}{lrl}"
    assert lines[3:6] == [r"\midrule", r"a\_b & 0.5 &  \\", r"c \& d & 1 & 50 \% \\"]
    assert latex([]) == markdown([]) == ""
