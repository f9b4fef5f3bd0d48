"""The shift: its estimate, interval, test and direction say one thing, and what they say is so."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.shift import Shift, count_runs_to_notice, shift_of

VALUES = st.integers(0, 40).map(lambda v: v / 4)
"""Few different ones: ties are the rule where runs derive the same architecture."""


@st.composite
def shifts(draw: st.DrawFn) -> Shift:
    paired = draw(st.booleans())
    new = draw(st.lists(VALUES, min_size=1, max_size=12))
    n = len(new)
    base = draw(st.lists(VALUES, min_size=n if paired else 1, max_size=n if paired else 12))
    return shift_of(new, base, paired=paired)


LEVELS = st.sampled_from([0.3, 0.1, 0.05, 0.01, 0.05 / 6])


@settings(max_examples=400, deadline=None)
@given(shifts(), LEVELS)
def test_p_interval_and_direction_are_one_statement(shift: Shift, level: float) -> None:
    estimate, low, high = shift.interval(level)
    assert low <= estimate <= high
    assert (shift.test.p <= level) == (low > 0 or high < 0)
    if shift.test.p <= level:
        assert shift.direction == ("higher" if low > 0 else "lower")


@settings(max_examples=200, deadline=None)
@given(shifts(), LEVELS)
def test_swapping_the_methods_swaps_everything(shift: Shift, level: float) -> None:
    other = shift_of(shift.base, shift.new, paired=shift.paired)
    assert other.test.p == shift.test.p
    assert (other.test.less, other.test.greater) == pytest.approx((shift.test.greater, shift.test.less))
    estimate, low, high = shift.interval(level)
    assert other.interval(level) == pytest.approx((-estimate, -high, -low), abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(shifts(), st.floats(-50, 50).map(lambda v: round(v, 2)), LEVELS)
def test_adding_a_number_to_all_values_changes_nothing(shift: Shift, number: float, level: float) -> None:
    other = shift_of(shift.new + number, shift.base + number, paired=shift.paired)
    assert other.test == shift.test
    assert other.interval(level) == pytest.approx(shift.interval(level), abs=1e-6)


@settings(max_examples=200, deadline=None)
@given(shifts(), st.randoms(use_true_random=False))
def test_the_order_of_runs_does_not_matter(shift: Shift, random: object) -> None:
    rng = np.random.default_rng(random.randrange(2**32))  # type: ignore[attr-defined]
    places = rng.permutation(len(shift.new))
    base = shift.base[places] if shift.paired else rng.permutation(shift.base)
    other = shift_of(shift.new[places], base, paired=shift.paired)
    assert other.test == shift.test
    assert other.interval(0.05) == shift.interval(0.05)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_better_copy_of_a_run_never_makes_a_method_worse(data: st.DataObject) -> None:
    """Where no two values are equal. Among ties a p may move by a little against it, since the test is conditional on
    them; an estimate never does."""
    paired = data.draw(st.booleans())
    n = data.draw(st.integers(1, 10))
    values = data.draw(st.lists(st.integers(0, 10**6), min_size=2 * n + 1, max_size=2 * n + 1, unique=True))
    new, base, lower = np.array(values[:n]), np.array(values[n : 2 * n]), values[-1]
    place = data.draw(st.integers(0, n - 1))
    better = new.copy()
    better[place] = min(better[place], lower)
    before, after = shift_of(new, base, paired=paired), shift_of(better, base, paired=paired)
    assert after.estimate <= before.estimate
    assert after.test.less <= before.test.less + 1e-12 or np.unique(np.abs(new - base)).size < n
    assert after.test.greater >= before.test.greater - 1e-12 or np.unique(np.abs(new - base)).size < n


def test_it_is_hodges_and_lehmann_s() -> None:
    """The interval against R's definition: order statistics of the averages, or of the differences."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=10), rng.normal(0.5, 1, 10)
    difference = x - y
    averages = np.sort([(a + b) / 2 for a, b in itertools.combinations_with_replacement(difference, 2)])
    sums = np.array(
        [
            sum(r for r, s in zip(range(1, 11), signs, strict=True) if s)
            for signs in itertools.product((0, 1), repeat=10)
        ]
    )
    outside = max(k for k in range(55) if (sums <= k - 1).mean() <= 0.025)
    found = shift_of(x, y, paired=True).interval(0.05)
    assert found == pytest.approx((np.median(averages), averages[outside - 1], averages[-outside]), abs=1e-8)
    every = np.sort((x[:, None] - y[None, :]).ravel())
    null = stats.mannwhitneyu  # the null distribution of U, counted
    counts = np.zeros(101)
    for places in itertools.combinations(range(20), 10):
        counts[sum(places) - 45] += 1
    tail = np.cumsum(counts / counts.sum())
    outside = max(k for k in range(1, 101) if tail[k - 1] <= 0.025)
    found = shift_of(x, y, paired=False).interval(0.05)
    assert found == pytest.approx((np.median(every), every[outside - 1], every[-outside]), abs=1e-8)
    assert null(x, y, method="exact").pvalue == pytest.approx(shift_of(x, y, paired=False).test.p)


def test_the_direction_is_the_test_s() -> None:
    """Twenty pairs of which most are a little lower, and whose values without their pairs tend to the other side."""
    base = np.arange(20) * 3.0
    new = base - 0.3
    new[:5] += 40.0
    shift = shift_of(new, base, paired=True)
    assert shift.direction == ("lower" if shift.test.less < shift.test.greater else "higher")
    assert np.sign(shift.estimate) == (-1 if shift.direction == "lower" else 1)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("n", [3, 5, 10])
def test_intervals_cover_whatever_n(n: int, paired: bool) -> None:
    """Normal and heavy tails; 600 studies each (`benchmarks/stability/calibration.py` has more)."""
    rng = np.random.default_rng(n)
    for draw in (rng.standard_normal, lambda size: rng.standard_t(2, size)):
        found = [shift_of(draw(n) + 1.0, draw(n), paired=paired).interval(0.05) for _ in range(600)]
        assert np.mean([f.low <= 1.0 <= f.high for f in found]) >= 0.93


def test_too_few_runs_have_no_bounds() -> None:
    assert shift_of([1.0, 2.0, 3.0], [2.0, 4.0, 6.0], paired=True).interval(0.05)[1:] == (-np.inf, np.inf)
    assert np.isinf(shift_of([1.0], [2.0], paired=False).detectable(0.05))


@pytest.mark.parametrize("paired", [True, False])
def test_a_detectable_shift_is_found_in_four_of_five_studies(paired: bool) -> None:
    """Half of the studies say less, half more: the median one is right within a third."""
    rng = np.random.default_rng(1)
    studies = [(rng.normal(size=12), rng.normal(size=12)) for _ in range(100)]
    size = float(np.median([shift_of(x, y, paired=paired).detectable(0.05) for x, y in studies]))
    found = [
        shift_of(rng.normal(size=12) + size, rng.normal(size=12), paired=paired).test.p <= 0.05 for _ in range(300)
    ]
    assert 0.65 < np.mean(found) < 0.95


@pytest.mark.parametrize("paired", [True, False])
def test_runs_to_notice_are_enough(paired: bool) -> None:
    """A method that is better in nine of ten comparisons of normal values."""
    rng = np.random.default_rng(2)
    n = count_runs_to_notice(0.9, 0.05, paired=paired)
    apart = stats.norm.ppf(0.9) * np.sqrt(2)  # of two values with unit variance
    found = [shift_of(rng.normal(size=n), rng.normal(apart, 1, n), paired=paired).test.p <= 0.05 for _ in range(400)]
    assert np.mean(found) > 0.72
