"""The test that may be looked at after every pair: its martingale, its level under peeking, its interval and words."""

from itertools import product

import numpy as np
import pytest

from harness.stats.sequential import (
    BETS,
    compute_signed_ranks,
    compute_wealth,
    count_pairs_to_notice,
    estimate_sequential_shift,
)


def test_signed_ranks_are_of_the_pairs_so_far() -> None:
    assert compute_signed_ranks(np.array([3.0, -1.0, 2.0, 0.0, -3.0])) == pytest.approx([1, -1 / 2, 2 / 3, 0, -4.5 / 5])


def test_wealth_is_one_in_expectation_whatever_the_sizes() -> None:
    """Over all signs of given sizes, ties and zeros among them, at every number of pairs: no approximation."""
    for sizes in ([1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 1.0, 1.0, 0.0, 2.0], [9.0, 8.0, 7.0, 6.0, 0.0]):
        every = [compute_wealth(compute_signed_ranks(np.array(sizes) * signs)) for signs in product((-1, 1), repeat=5)]
        assert np.mean(every, axis=0) == pytest.approx(np.ones(5))


def test_a_p_is_of_all_looks_so_far() -> None:
    difference = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, -9.0, -10.0, -11.0])
    looks = [estimate_sequential_shift(difference[:n], np.zeros(n)).test.p for n in range(1, 12)]
    assert looks == sorted(looks, reverse=True)
    assert looks[7] == looks[10] == pytest.approx(2 / np.mean([(1 + b) ** 8 for b in BETS]))
    assert estimate_sequential_shift(difference, np.zeros(11)).direction == "higher"
    assert estimate_sequential_shift(-difference, np.zeros(11)).direction == "lower"


@pytest.mark.parametrize("kind", ["normal", "heavy", "tied"])
def test_the_level_holds_under_a_look_after_every_pair(kind: str) -> None:
    """Of 2,000 studies of 60 pairs without a difference, at most 5 % ever show one, and one in forty each side."""
    rng = np.random.default_rng(5)
    draws = {
        "normal": lambda: rng.normal(0, 1, 60),
        "heavy": lambda: rng.standard_cauchy(60),
        "tied": lambda: rng.integers(-2, 3, 60).astype(float),
    }
    shown = np.zeros(2)
    for _ in range(2_000):
        signed = compute_signed_ranks(draws[kind]())
        shown += [compute_wealth(side * signed).max() >= 40 for side in (-1, 1)]
    assert shown.sum() <= 0.05 * 2_000
    assert shown.max() <= 0.025 * 2_000 + 3 * (0.025 * 0.975 * 2_000) ** 0.5
    assert shown.sum() >= 0.01 * 2_000  # it can fail: a test that shows nothing has no power


def test_the_interval_is_of_what_is_not_rejected_and_never_grows() -> None:
    rng = np.random.default_rng(1)
    new, base = rng.normal(2, 1, 30), np.zeros(30)
    before = (-np.inf, np.inf)
    for n in range(5, 31):
        shift = estimate_sequential_shift(new[:n], base[:n])
        estimate, low, high = shift.interval(0.05)
        assert low <= estimate <= high
        assert before[0] - 1e-9 <= low <= high <= before[1] + 1e-9
        before = (low, high)
        assert (shift.test.p <= 0.05) == (not low <= 0 <= high)
        for at in (low - 1e-6, high + 1e-6):
            if np.isfinite(at):
                assert shift.test_at(at).p <= 0.05
        for at in (low + 1e-6, high - 1e-6):
            if np.isfinite(at):
                assert shift.test_at(at).p > 0.05
    assert before[0] > 0


def test_an_interval_covers_at_every_look() -> None:
    rng = np.random.default_rng(2)
    missed = sum(
        any(estimate_sequential_shift(d[:n], np.zeros(n)).test_at(3.0).p <= 0.05 for n in range(6, 31, 3))
        for d in (rng.standard_t(3, 30) + 3 for _ in range(200))
    )
    assert missed <= 0.05 * 200


def test_what_would_have_been_needed() -> None:
    rng = np.random.default_rng(0)
    weak, strong = (estimate_sequential_shift(rng.normal(m, 1, 40), np.zeros(40)) for m in (0.4, 2.0))
    assert strong.estimate_n_for_seen(0.05) < 20 < weak.estimate_n_for_seen(0.05)
    assert estimate_sequential_shift(np.zeros(9), np.zeros(9)).estimate_n_for_seen(0.05) == float("inf")
    assert 8 <= count_pairs_to_notice(0.99, 0.05) < count_pairs_to_notice(0.9, 0.05) < count_pairs_to_notice(0.75, 0.05)


def test_pairs_that_contradict_each_other_show_no_shift() -> None:
    """Thirty pairs one way and then many the other: each shift is rejected by some look, and what was left of the
    interval was a point."""
    rng = np.random.default_rng(0)
    drifting = np.concatenate([rng.normal(-1, 1, 30), rng.normal(1, 1, 60)])
    shift = estimate_sequential_shift(drifting, np.zeros(90))
    assert shift.test.p < 0.001 and shift.contradicts_itself(0.05)
    assert shift.interval(0.05)[1:] == (-np.inf, np.inf)
    assert not estimate_sequential_shift(drifting[:30], np.zeros(30)).contradicts_itself(0.05)
    alike = [rng.standard_t(3, 40) + 1 for _ in range(200)]
    assert sum(estimate_sequential_shift(d, np.zeros(40)).contradicts_itself(0.05) for d in alike) <= 0.05 * 200
