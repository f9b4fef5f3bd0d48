"""How many seeds find which difference: beside the exact power of made-up distributions, and from the command line."""

import json
from itertools import pairwise
from math import inf
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import norm

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.results.endpoints import Endpoints
from harness.runs.preregistration import Declared
from harness.verdicts.compare import compare
from harness.verdicts.power import Power, compute_powers
from tests.conftest import ROOT
from tests.support.results import end, of_errors

CIFAR = ROOT / "results" / "published" / "cifar10-8"
ROPED = Declared(rope=2.0)


def ends(shift: float, sd: float, n: int, *, others: int = 0) -> Endpoints:
    """Pilots whose paired differences are normal quantiles around a shift."""
    difference = shift + sd * norm.ppf((np.arange(n) + 0.5) / n)
    new = {seed: [50.0, 50 + float(d)] for seed, d in enumerate(difference)}
    runs = {"base": {seed: [50.0, 50.0] for seed in range(n)}, "new": new}
    runs |= {f"m{i}": new for i in range(others)}
    return end(of_errors(runs), Declared())


def by_difference(found: list[Power]) -> dict[float, Power]:
    return {each.difference: each for each in found if each.new == "new"}


def test_power_is_that_of_a_normal_shift() -> None:
    """200 pilots, so that drawing them again is drawing from the normal distribution: Noether's power of the test."""
    found = by_difference(compute_powers(ends(-1.0, 2.0, 200), ROPED, 17))
    seen = next(each for each in found.values() if each.seen)
    assert seen.difference == pytest.approx(-1, abs=0.02)
    for n in (20, 40, 80):
        above = norm.cdf(2**0.5 * 0.5) - 0.5
        expected = norm.cdf((3 * n) ** 0.5 * above - norm.ppf(0.975))
        assert seen.power[n] == pytest.approx(expected, abs=0.08)
    assert 30 <= seen.n_for_power <= 42
    assert 17 in seen.power
    found = list(seen.power.values())  # how much of its level a signed-rank test uses differs between 6, 7 and 8 pairs
    assert all(later > earlier - 0.03 for earlier, later in pairwise(found))


def test_no_difference_is_shown_as_often_as_the_level_and_equivalence_needs_many() -> None:
    none = by_difference(compute_powers(ends(-1.0, 2.0, 200), ROPED, 10))[0.0]
    assert none.power[5] == 0
    assert none.power[120] > 0.95
    assert by_difference(compute_powers(ends(-1.0, 2.0, 200), Declared(rope=0.1), 10))[0.0].n_for_power == inf


def test_more_pairs_cost_power_and_so_does_looking() -> None:
    one = by_difference(compute_powers(ends(-2.0, 2.0, 60), ROPED, 10))
    four = by_difference(compute_powers(ends(-2.0, 2.0, 60, others=3), ROPED, 10))
    looked = by_difference(compute_powers(ends(-2.0, 2.0, 60), Declared(rope=2.0, until_decided=True), 10))
    seen = next(d for d, each in one.items() if each.seen)
    assert four[seen].n_for_power > one[seen].n_for_power
    assert looked[seen].n_for_power > one[seen].n_for_power
    assert looked[seen].stops[120] < looked[seen].n_for_power
    assert not one[seen].stops


def test_the_side_is_the_pilots_and_ties_are_counted() -> None:
    found = ends(3.0, 2.0, 20)
    assert {np.sign(each.difference) for each in compute_powers(found, ROPED, 10)} == {0, 1}
    tied = end(
        of_errors({"base": {s: [9.0] for s in range(8)}, "new": {s: [9.0 + s // 4] for s in range(8)}}), Declared()
    )
    assert compute_powers(tied, ROPED, 10)[0].tied == 0.5


def test_too_few_pilots_are_refused() -> None:
    with pytest.raises(
        HarnessError, match="3 pairs of pilots with a seed in common of 'new' and 'base' say too little"
    ):
        compute_powers(ends(1.0, 1.0, 3), ROPED, 10)


def test_what_would_have_been_needed_is_near_what_made_up_studies_need() -> None:
    found = ends(-1.0, 2.0, 30)
    (pair,) = compare(found, Declared(level=0.001))
    (seen,) = [each for each in compute_powers(found, Declared(level=0.001), 10) if each.seen]
    assert pair.state == "open"
    assert f"what was seen would need about {pair.n_for_seen:.0f} pairs" in pair.verdict
    assert pair.n_for_seen == pytest.approx(seen.n_for_power, rel=0.25)


def test_the_verb(tmp_path: Path) -> None:
    study = str(ROOT / "benchmarks/trajectories/cifar10-8.toml")
    pairs = 'comparison.pairs=[["beta-darts", "darts"]]'
    asked = [
        "plan",
        study,
        "--power",
        str(CIFAR),
        "--set",
        pairs,
        "--to",
        str(tmp_path),
        "--set",
        'dataset="digits100"',
    ]
    ended = CliRunner().invoke(main, [*asked, "--set", 'table="nasbench201"', "--format", "json"])
    assert ended.exit_code == 0, ended.output
    rows = json.loads(ended.stdout)
    assert [row["seen"] for row in rows].count(True) == 1
    assert (tmp_path / "power.png").stat().st_size > 0
    assert CliRunner().invoke(main, [*asked]).stdout.count("10 pairs, 0 % of them tied") == 1


def test_a_sequential_study_ends_with_what_is_shown_first() -> None:
    """Where the rope holds the difference, "equivalent" ends most studies before the difference is shown."""
    pilots = ends(-0.5, 1.0, 10)
    declared = Declared(rope=1.0, until_decided=True)
    found = by_difference(compute_powers(pilots, declared, 80))[-0.5]
    blind = by_difference(compute_powers(pilots, Declared(rope=0.01, until_decided=True), 80))[-0.5]
    assert found.power[80] < 0.7
    assert blind.power[80] > 0.9
    assert found.stops[80] < blind.stops[80]


def test_no_number_of_seeds_is_told_that_can_show_nothing() -> None:
    """Six pairs of huge differences: four seeds reach no p that Holm's correction lets stand."""
    found = compute_powers(ends(-40.0, 0.1, 12, others=5), Declared(rope=0.0, paired=True), 10)
    seen = [each for each in found if each.seen]
    assert {each.n_for_power for each in seen} == {each.n_fewest for each in seen} == {8}


def test_pilots_without_common_seeds_say_nothing_of_pairs() -> None:
    runs = {"base": {s: [50.0, 50.0 + s / 9] for s in range(10)}, "new": {s + 100: [50.0, 49.0] for s in range(10)}}
    found = end(of_errors(runs), Declared())
    with pytest.raises(HarnessError, match="paired = true needs seeds that both 'new' and 'base' have finished"):
        compute_powers(found, Declared(), 10)
    assert compute_powers(found, Declared(paired=False), 10)[0].power


def test_pilots_that_differ_by_a_constant_are_asked_about_whole_differences() -> None:
    runs = {"base": {s: [50.0, 50.0 + s] for s in range(8)}, "new": {s: [50.0, 50.1 + s] for s in range(8)}}
    found = compute_powers(end(of_errors(runs), Declared()), Declared(rope=0.0), 10)
    assert all(abs(each.difference) > 0.05 for each in found)
