"""What must hold of every verdict, whatever the runs: compare, gate, paper and claims, by hypothesis."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.results.endpoints import Endpoints
from harness.results.load import load_folder
from harness.results.runs import Runs
from harness.runs.preregistration import Declared
from harness.tables.measure import Measure
from harness.verdicts.baseline import select_baseline_rows
from harness.verdicts.claims.base import CLAIMS, Evidence, Protocol
from harness.verdicts.collapse import UNKNOWN, compute_base_rate
from harness.verdicts.compare import Pair, compare, describe
from harness.verdicts.gate import Margins, gate, judge_overall, list_unchecked, summarize_checks
from harness.verdicts.paper import build_paper_table
from tests.conftest import ROOT
from tests.support.results import TABLE, end, finished, made_up, of_errors

OTHER = {"lower": "higher", "higher": "lower"}
ERRORS = st.integers(20, 360).map(lambda v: v / 4)
ErrorsBySeed = dict[str, dict[int, list[float]]]


@st.composite
def studies(draw: st.DrawFn, methods: tuple[str, ...] = ("a", "b"), least: int = 2, most: int = 12) -> ErrorsBySeed:
    """Runs of one epoch; some methods lie apart from the others, so that every verdict comes up."""
    n = draw(st.integers(least, most))
    found: ErrorsBySeed = {}
    for method in methods:
        apart = draw(st.sampled_from([0.0, 0.0, 8.0]))
        values = draw(st.lists(ERRORS, min_size=n, max_size=n))
        found[method] = {seed: [50.0, min(99.0, v + apart)] for seed, v in enumerate(values)}
    return found


def pairs_of(runs: ErrorsBySeed, declared: Declared | None = None) -> dict[str, Pair]:
    declared = declared or Declared(baseline="a", rope=2.0)
    return {p.new: p for p in compare(end(of_errors(runs), declared), declared)}


# -- compare -------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(studies())
def test_swapping_two_methods_swaps_the_verdict(runs: ErrorsBySeed) -> None:
    pair, other = pairs_of(runs)["b"], pairs_of(runs, Declared(baseline="b", rope=2.0))["a"]
    assert other.state == OTHER.get(pair.state, pair.state)
    assert other.p_holm == pair.p_holm
    assert other.a12 == pytest.approx(1 - pair.a12)
    assert other.interval == pytest.approx((-pair.interval[0], -pair.interval[2], -pair.interval[1]), abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(studies(), st.integers(-20, 4).map(lambda v: v / 4))
def test_shifting_all_values_changes_nothing(runs: ErrorsBySeed, number: float) -> None:
    moved = {m: {s: [v + number for v in e] for s, e in seeds.items()} for m, seeds in runs.items()}
    pair, other = pairs_of(runs)["b"], pairs_of(moved)["b"]
    assert (other.state, other.p_holm) == (pair.state, pair.p_holm)
    assert other.interval == pytest.approx(pair.interval, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(studies())
def test_words_interval_p_and_mark_say_one_thing(runs: ErrorsBySeed) -> None:
    """Of every pair: the sentence, the numbers and the direction."""
    pair = pairs_of(runs)["b"]
    shown = pair.p_holm <= pair.level
    assert shown == (pair.interval.low > 0 or pair.interval.high < 0)
    assert shown == (pair.state in OTHER)
    if shown:
        assert pair.verdict.startswith(f"b has a {'lower' if pair.interval.high < 0 else 'higher'} error than a: ")
    else:
        assert " error than a: " not in pair.verdict
    assert ("tend to the" in pair.verdict) == (
        pair.shift.direction != "neither" and pair.a12 != 0.5 and (pair.a12 > 0.5) != (pair.shift.direction == "lower")
    )


@pytest.mark.parametrize("pattern", [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)])
def test_the_words_of_every_sign_pattern(pattern: tuple[int, int]) -> None:
    """Sign of the pairs' differences, and of the runs without their pairs: the first decides, the second is told."""
    within, across = pattern
    base = np.arange(12) * 2.0 + 10
    if within and across and within != across:  # most a little to one side, a few far to the other
        new = base + 0.25 * within
        new[6:10] = base[6:10] + 0.25 * within
        new[0], new[1] = base[0] - 30.0 * within, base[1] - 30.0 * within
        new = new if within < 0 else new + 40
        base = base if within < 0 else base + 40
        new, base = np.abs(new), np.abs(base)
    else:
        new = base + 0.25 * within if within else np.where(np.arange(12) % 2, base + 0.25, base - 0.25)
    runs = {
        "a": {s: [50.0, float(v)] for s, v in enumerate(base)},
        "b": {s: [50.0, float(v)] for s, v in enumerate(new)},
    }
    pair = pairs_of(runs, Declared(baseline="a", rope=0.01))["b"]
    words = {"lower": "has a lower error", "higher": "has a higher error"}
    for state, told in words.items():
        assert (told in pair.verdict) == (pair.state == state)
    if within and within == across:
        assert pair.state == ("lower" if within < 0 else "higher")
    if not within:
        assert pair.state not in words


@settings(max_examples=60, deadline=None)
@given(studies(methods=("a", "b", "c", "d")), st.sampled_from("bcd"))
def test_deleting_a_method_changes_no_other_pair_but_for_the_family_s_size(runs: ErrorsBySeed, gone: str) -> None:
    before = pairs_of(runs)
    after = pairs_of({m: r for m, r in runs.items() if m != gone})
    for name, pair in after.items():
        assert pair.shift.test == before[name].shift.test
        assert pair.multiplier <= before[name].multiplier
        assert pair.left_out == before[name].left_out


@settings(max_examples=60, deadline=None)
@given(studies(methods=("a", "b", "c")), st.data())
def test_a_run_that_is_missing_changes_its_own_method_s_pairs_alone(runs: ErrorsBySeed, data: st.DataObject) -> None:
    n = len(runs["b"])
    seed = data.draw(st.integers(0, n - 1))
    fewer = runs | {"b": {s: e for s, e in runs["b"].items() if s != seed}}
    before, after = pairs_of(runs), pairs_of(fewer)
    assert after["c"].shift.test == before["c"].shift.test
    assert after["c"].left_out == ()
    if 2 * (n - 1) >= n:
        assert after["b"].paired and after["b"].n == (n - 1, n - 1)
        assert f"a seed {seed} (its pair of b is not there)" in after["b"].verdict


@settings(max_examples=60, deadline=None)
@given(studies(least=3), st.data())
def test_a_value_that_is_not_there_is_left_out_counted_and_named(runs: ErrorsBySeed, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, len(runs["b"]) - 1))
    unknown = runs | {"b": runs["b"] | {seed: [50.0, float("nan")]}}
    pair = pairs_of(unknown)["b"]
    without = {m: {s: e for s, e in r.items() if s != seed} for m, r in runs.items()}
    assert pair.shift.test == pairs_of(without)["b"].shift.test
    assert f"b seed {seed} (has no value there)" in pair.verdict


@settings(max_examples=60, deadline=None)
@given(studies(), st.randoms(use_true_random=False))
def test_order_of_rows_and_numbers_of_seeds_do_not_matter(runs: ErrorsBySeed, random: object) -> None:
    results = of_errors(runs)
    places = np.random.default_rng(random.randrange(2**32)).permutation(len(results.epochs))  # type: ignore[attr-defined]
    epochs = results.epochs.iloc[places].reset_index(drop=True)
    other = replace(results, epochs=epochs, timing=results.timing.iloc[places[::-1]].reset_index(drop=True))
    declared = Declared(baseline="a", rope=2.0, failure="degraded")
    (pair,), (shuffled,) = (compare(end(r, declared), declared) for r in (results, other))
    assert shuffled.numbers() == pair.numbers()
    renumbered = {m: {100 + 7 * s: e for s, e in r.items()} for m, r in runs.items()}
    assert pairs_of(renumbered)["b"].shift.test == pair.shift.test


@settings(max_examples=60, deadline=None)
@given(studies(least=6), st.data())
def test_paired_and_unpaired_may_say_the_same(runs: ErrorsBySeed, data: st.DataObject) -> None:
    """The same five answers, by the same rules; fewer runs than can show anything say so in both."""
    for paired in (True, False):
        pair = pairs_of(runs, Declared(baseline="a", rope=2.0, paired=paired))["b"]
        assert pair.state in ("lower", "higher", "equivalent", "open")
        few = {m: {s: e for s, e in r.items() if s < 2} for m, r in runs.items()}
        assert pairs_of(few, Declared(baseline="a", rope=2.0, paired=paired))["b"].state == "too few"


# -- paper ---------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 10))
def test_a_mark_is_the_verdict_s(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    ranks = {m: [[int(r)] for r in rng.integers(low, 15_000, n)] for m, low in (("a", 8_000), ("b", 0))}
    results = made_up(ranks)
    (pair,) = compare(end(results, Declared()), Declared())
    rows, _ = build_paper_table(finished(results), [TABLE.test])
    mark = {"lower": "*", "higher": "†"}.get(pair.state, "")
    assert rows[1]["digits100 x-test"].removesuffix(mark)[-1].isdigit()
    assert rows[1]["digits100 x-test"].endswith(mark)


# -- claims --------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(studies())
def test_a_claim_is_decided_as_the_pair_is(runs: ErrorsBySeed) -> None:
    fields = {"says": "s", "source": "table 1", "protocol": Protocol(data="d", split="s")}
    claim = CLAIMS.build("lower-error", fields | {"method": "b", "against": "a"})
    back = CLAIMS.build("lower-error", fields | {"method": "a", "against": "b"})
    evidence = Evidence(None, runs=finished(of_errors(runs)))
    states = {"lower": "reproduced", "higher": "not reproduced"}
    state = pairs_of(runs)["b"].state
    assert claim.check(evidence).state == states.get(state, "cannot be tested")
    assert back.check(evidence).state == states.get(OTHER.get(state, ""), "cannot be tested")


# -- the gate ------------------------------------------------------------------------------------------------------


def answer(today: Runs, before: Runs, only: tuple[str, ...] = ()) -> str:
    judged = replace(today, declared=Declared(failure="degraded"))
    return judge_overall(gate(judged, select_baseline_rows(before), Margins(error=5), only))


@settings(max_examples=60, deadline=None)
@given(studies(methods=("m",), least=3, most=16), st.data())
def test_deleting_a_run_never_makes_the_gate_stable(runs: ErrorsBySeed, data: st.DataObject) -> None:
    """Today's, of the baseline's seeds or of others of as many; the same runs or changed ones."""
    before = runs
    moved = data.draw(st.sampled_from([0.0, 0.25, 5.0, 40.0]))
    others = data.draw(st.booleans())
    today = {"m": {s + 100 * others: [50.0, min(99.0, e[-1] + moved)] for s, e in runs["m"].items()}}
    gone = data.draw(st.sampled_from(sorted(today["m"])))
    fewer = {"m": {s: e for s, e in today["m"].items() if s != gone}}
    assume(fewer["m"])
    for only in ((), ("error",), ("failure",), ("tail",), ("onset",)):
        assert answer(of_errors(fewer), of_errors(before), only) != "stable"


@settings(max_examples=40, deadline=None)
@given(studies(methods=("m",), least=3, most=16), st.data())
def test_a_run_without_a_value_counts_as_missing(runs: ErrorsBySeed, data: st.DataObject) -> None:
    gone = data.draw(st.integers(0, len(runs["m"]) - 1))
    today = {"m": runs["m"] | {gone: [50.0, float("nan")]}}
    checks = gate(of_errors(today), select_baseline_rows(of_errors(runs)), Margins(error=5))
    assert all(f"seed {gone} has no value after its last epoch today" in c.lacking for c in checks)
    assert judge_overall(checks) != "stable"


@pytest.mark.parametrize("others", [False, True], ids=["the same seeds", "other seeds"])
@pytest.mark.parametrize("n", [10, 13, 14])
def test_a_run_that_ends_far_away_is_looked_at(n: int, others: bool) -> None:
    """One of ten at 99 % leaves a share of more than the margin of 30 % possible; one of fourteen does not."""
    before = of_errors({"m": {s: [50.0, 20.0 + s / 100] for s in range(n)}})
    ends = [99.0, *(20.0 + s / 100 for s in range(1, n))]
    today = of_errors({"m": {s + 100 * others: [50.0, e] for s, e in enumerate(ends)}})
    assert (answer(today, before, ("tail",)) == "stable") == (n >= 14)
    assert n >= 14 or answer(today, before) != "stable"


@settings(max_examples=40, deadline=None)
@given(studies(methods=("m",), least=2, most=20), st.sampled_from([0.0, 0.5, 30.0]))
def test_the_gate_says_the_same_of_labels_and_rows_in_any_order(runs: ErrorsBySeed, moved: float) -> None:
    before = of_errors(runs)
    today = of_errors({"m": {s: [50.0, min(99.0, e[-1] + moved)] for s, e in runs["m"].items()}})
    shuffled = replace(today, epochs=today.epochs.iloc[::-1].reset_index(drop=True))
    assert answer(shuffled, before) == answer(today, before)


def test_margins_that_cannot_fail_are_refused() -> None:
    runs = of_errors({"m": {s: [30.0, 20.0, 20.0] for s in range(6)}})
    for margins, told in (
        (Margins(onset=10), "onset=10 can never be exceeded by runs of 2 epochs"),
        (Margins(error=100), "error=100 can never be exceeded"),
    ):
        with pytest.raises(HarnessError, match=told):
            gate(runs, select_baseline_rows(runs), margins)


def test_endpoints_of_nothing_are_a_sentence() -> None:
    runs = of_errors({"m": {0: [float("nan")] * 3}})
    with pytest.raises(HarnessError, match="no run has a value at any epoch"):
        end(runs, Declared())
    assert isinstance(end(of_errors({"m": {0: [1.0, 2.0]}}), Declared()), Endpoints)


# -- what is known of a collapse ---------------------------------------------------------------------------------------


def test_a_base_rate_is_of_the_measure_that_judges() -> None:
    """Each by drawing runs of random cells itself."""
    results = load_folder(ROOT / "results" / "published" / "cifar10-8")
    results = replace(results, declared=Declared(failure="degraded", degraded=5.0))
    table, epochs = results.table, 13
    assert table is not None
    rng = np.random.default_rng(0)
    for name in ("cifar10/ori-test@200", "cifar10/ori-test@12", "ImageNet16-120/x-test@200"):
        measure = Measure.parse(name)
        error = 100 - table.row_values(measure)
        runs = error[rng.integers(0, len(error), (40_000, epochs))]
        seen = (runs[:, -1] >= runs.min(axis=1) + 5).mean()
        assert compute_base_rate(results, measure).cells == pytest.approx(seen, abs=0.01)
    assert np.isnan(compute_base_rate(results, Measure.parse("cifar100/x-valid@200")).cells)  # of a part of the cells


def test_a_run_whose_last_cell_is_not_known_counts_neither_way() -> None:
    results = load_folder(ROOT / "results" / "published" / "cifar10-8")
    measure = Measure.parse("cifar100/x-valid@200")
    declared = Declared(failure="degraded", degraded=5.0)
    found = end(results, declared, measure)
    rows = results.rows(measure)
    for method in found.methods:
        errors = [
            r.sort_values("epoch")["error_pct"].to_numpy() for _, r in rows[rows["method"] == method].groupby("seed")
        ]
        known = [e for e in errors if not np.isnan(e[-1])]
        assert found.failures(method) == (sum(e[-1] >= np.nanmin(e) + 5 for e in known), len(known))


def test_no_median_no_collapse() -> None:
    runs = {"a": {s: [9.0, 5.0 + s] for s in range(8)}, "b": {s: [9.0, 6.0 + s] for s in range(8)}}
    found = end(of_errors(runs), Declared())  # worse than a median that nobody knows
    assert found.failures("a") == (0, 0)
    (pair,) = compare(found, Declared())
    assert pair.row()["collapsed"] == "not known vs not known"
    assert "collapsed" not in pair.verdict
    assert [row["collapsed"] for row in describe(found, Declared(), UNKNOWN)] == ["not known", "not known"]
    checks = gate(of_errors(runs), select_baseline_rows(of_errors(runs)), Margins())
    assert {c.quantity for c in checks} == {"final error", "runs beyond the worst"}


def test_equal_runs_are_told_to_be_equal_and_pairs_are_of_two() -> None:
    runs = {m: {s: [9.0, 5.0 + s] for s in range(8)} for m in ("a", "b")}
    (pair,) = compare(end(of_errors(runs), Declared(failure="degraded")), Declared(failure="degraded"))
    assert pair.finding == "b against a: no difference: both are the same in every run (8 pairs of runs)"
    for pairs in ([("a", "a")], [("a", "b"), ("b", "a")]):
        with pytest.raises(ValidationError, match="compared"):
            Declared(pairs=pairs)


def test_a_gate_says_what_it_does_not_look_at() -> None:
    before = of_errors({m: {s: [9.0, 5.0 + s] for s in range(8)} for m in ("a", "b")})
    today = of_errors({"a": {s: [9.0, 5.0 + s] for s in range(9)}, "c": {0: [9.0, 5.0]}})
    baseline = select_baseline_rows(before)
    told = list_unchecked(today, baseline, ["a"])
    assert told == [
        "not checked: b (only)",
        "not checked: c, of which the baseline has no run",
        "not checked: a seed 8, which the baseline lacks",
    ]
    checks = gate(today, baseline, Margins(), ["a"])
    assert (
        summarize_checks(checks)
        == "stable: identical: every row of the baseline's runs of a is there again, to the last bit"
    )
    moved = of_errors({m: {s + 100: [9.0, 5.0 + s] for s in range(8)} for m in ("a", "b")})
    assert "a: no seed of the baseline is there, so all runs of both sides are compared" in list_unchecked(
        moved, baseline, []
    )


def test_false_equivalence_is_as_rare_over_all_pairs_as_over_one() -> None:
    """Every true shift is as large as the rope; the pair that comes nearest to zero is one of six."""
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(200):
        drawn = {f"m{i}": 1 + rng.normal(0, 1.0, 15) for i in range(6)}
        runs = {"base": {s: [50.0] for s in range(15)}}
        runs |= {name: {s: [50 + float(v)] for s, v in enumerate(values)} for name, values in drawn.items()}
        declared = Declared(rope=1.0, baseline="base", paired=True)
        pairs = compare(end(of_errors(runs), declared), declared)
        wrong += any(pair.state == "equivalent" for pair in pairs)
    assert wrong / 200 <= 0.05


def test_a_run_that_diverged_is_ranked_last_and_named() -> None:
    runs = {"base": {s: [50.0 + s] for s in range(8)}, "new": {s: [40.0 + s] for s in range(8)}}
    runs["new"][3] = [math.inf]
    (pair,) = compare(end(of_errors(runs), Declared(paired=True)), Declared(paired=True))
    assert "infinite, and ranked last: new seed 3" in pair.verdict
    assert math.isfinite(pair.interval.estimate) and pair.interval.estimate < 0
    runs["new"] = {s: [math.inf] for s in range(8)}
    (pair,) = compare(end(of_errors(runs), Declared(paired=True)), Declared(paired=True))
    assert pair.state == "higher"
