"""Statistics against independent implementations, closed forms, and simulated studies."""

import itertools

import numpy as np
import pytest
import scikit_posthocs
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from harness.core.errors import HarnessError
from harness.stats.effects import iqm, normalised_regret, performance_profile, probability_of_improvement
from harness.stats.intervals import (
    as_codes,
    changed_rates,
    difference,
    highest_rate_of_none,
    median,
    rate,
    rate_difference,
    resampled_means,
    single,
)
from harness.stats.power import smallest_detectable
from harness.stats.ranks import mean_ranks
from harness.stats.rope import rope
from harness.stats.tests import holm, rank_sum, signed_rank, smallest_rank_sum_p, smallest_signed_rank_p

LEVELS = [30.0, 31.0, 31.5, 33.0, 35.0, 42.0, 58.0, 65.0]
"""Errors that few architectures of a table have: outcomes are discrete and tied."""


def tied(rng: np.random.Generator, n: int, worse: float = 0.0) -> np.ndarray:
    weights = np.exp(-np.abs(np.arange(len(LEVELS)) - 3 - worse))
    return rng.choice(LEVELS, n, p=weights / weights.sum())


# -- effect sizes --------------------------------------------------------------------------------------------------


def test_iqm_is_scipy_s_trimmed_mean() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 4, 5, 7, 10, 23):
        values = rng.normal(size=(6, n))
        inside = np.sort(values, axis=1)[:, n // 4 : n - n // 4]
        assert np.allclose(iqm(values), inside.mean(axis=1), atol=1e-12)


def test_probability_of_improvement_is_mann_whitney_s_u() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = tied(rng, 7), tied(rng, 9, 1)
        u = stats.mannwhitneyu(y, x).statistic
        assert probability_of_improvement(x, y) == pytest.approx(u / 63, abs=1e-12)
    assert probability_of_improvement([1, 1], [2, 2]) == 1
    assert probability_of_improvement([1, 2], [1, 2]) == 0.5


def test_profile_and_normalised_regret() -> None:
    assert performance_profile([1, 2, 2, 4], [0, 1, 2, 3, 4]).tolist() == [0, 0.25, 0.75, 0.75, 1]
    assert normalised_regret([5.0, 10.0, 20.0], 5.0, 10.0).tolist() == [0, 1, 3]


# -- tests ---------------------------------------------------------------------------------------------------------


def test_rank_sum_is_exact_with_ties() -> None:
    """Against every split of the pooled runs, through scipy."""
    rng = np.random.default_rng(1)
    for n, m in ((3, 4), (5, 5), (4, 6)):
        x, y = tied(rng, n), tied(rng, m, 1.5)
        ranks = stats.rankdata(np.concatenate([x, y]))
        oracle = {
            side: stats.permutation_test(
                (ranks[:n], ranks[n:]), lambda a, b: a.sum(), n_resamples=10_000, alternative=side
            ).pvalue
            for side in ("less", "greater")
        }
        sums = np.array([sum(c) for c in itertools.combinations(ranks, n)])
        two = (np.abs(sums - sums.mean()) >= abs(ranks[:n].sum() - sums.mean()) - 1e-9).mean()
        found = rank_sum(x, y)
        assert found.less == pytest.approx(oracle["less"], abs=1e-12)
        assert found.greater == pytest.approx(oracle["greater"], abs=1e-12)
        assert found.p == pytest.approx(two, abs=1e-12)


def test_rank_sum_without_ties_is_scipy_s() -> None:
    rng = np.random.default_rng(2)
    for n, m in ((3, 3), (8, 10), (25, 30)):
        x, y = rng.normal(size=n), rng.normal(0.7, size=m)
        assert rank_sum(x, y).p == pytest.approx(stats.mannwhitneyu(x, y, method="exact").pvalue, rel=1e-9)


def test_beyond_what_can_be_counted_the_normal_distribution_stands_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 runs, many of them tied, counted and not; and 2,500 pairs, whose counts no number
    could hold: p was 0."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 12, 80) - 0.8, rng.integers(0, 12, 80) + rng.integers(0, 2, 80)
    for test in (rank_sum, signed_rank):
        counted = test(x, y)
        with monkeypatch.context() as patch:
            patch.setattr("harness.stats.tests.MOST", 0)
            close = test(x, y)
            assert test([1, 1, 1], [1, 1, 1])[:3] == (1, 1, 1)
        assert 0.001 < counted.p < 0.5
        assert close[:3] == pytest.approx(counted[:3], rel=0.02)
        assert close[3:] == counted[3:]
    many = rng.normal(size=2500)
    for test in (rank_sum, signed_rank):
        found = test(many, many + rng.normal(0.05, 1, size=2500))
        assert 0 < found.p < 1
        assert found.less + found.greater == pytest.approx(1, abs=0.01)
        assert found.smallest == 0
    assert signed_rank(many, many + 1).p < 1e-300


def test_runs_that_are_drawn_in_parts_are_those_that_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = np.random.default_rng(1).normal(size=(7, 3))
    new, base = np.arange(40) % 7, np.arange(31) % 5

    def found() -> list[object]:
        rng = np.random.default_rng(2)
        apart = difference(new, base, trials, median, rng, draws=999)
        pairs = difference(new, new[::-1], trials, iqm, rng, draws=999, paired=True)
        return [apart, pairs, single(base, trials, iqm, rng, draws=999), rng.integers(0, 1000, 5).tolist()]

    at_once = found()
    monkeypatch.setattr("harness.stats.intervals.AT_ONCE", 100)
    assert found() == at_once


def test_signed_rank_is_exact_with_ties_and_zeros() -> None:
    """Against every sign of every difference; without ties against scipy."""
    rng = np.random.default_rng(3)
    for n in (4, 7, 9):
        x, y = tied(rng, n), tied(rng, n, 1)
        changed = (x - y)[x != y]
        ranks = stats.rankdata(np.abs(changed))
        sums = np.array([(ranks * s).sum() for s in itertools.product((0, 1), repeat=len(ranks))])
        seen = ranks[changed > 0].sum()
        found = signed_rank(x, y)
        assert found.p == pytest.approx(
            (np.abs(sums - sums.mean()) >= abs(seen - sums.mean()) - 1e-9).mean(), abs=1e-12
        )
        assert found.less == pytest.approx((sums <= seen).mean(), abs=1e-12)
    x, y = rng.normal(size=20), rng.normal(0.5, size=20)
    assert signed_rank(x, y).p == pytest.approx(stats.wilcoxon(x, y, method="exact").pvalue, rel=1e-9)
    assert signed_rank([1, 2, 3], [1, 2, 3]).p == 1.0


def test_smallest_p_of_few_seeds() -> None:
    """The floors that make three seeds unable to show anything."""
    assert [round(smallest_rank_sum_p(n, n), 3) for n in (3, 4, 5)] == [0.1, 0.029, 0.008]
    assert [smallest_signed_rank_p(n) for n in (3, 4, 5, 6)] == [0.25, 0.125, 0.0625, 0.03125]
    assert rank_sum([1, 2, 3], [4, 5, 6]).p == pytest.approx(smallest_rank_sum_p(3, 3))
    assert signed_rank([1, 2, 3], [2, 4, 6]).p == smallest_signed_rank_p(3)


def test_holm_is_statsmodels() -> None:
    rng = np.random.default_rng(4)
    for k in (1, 2, 5, 9):
        p = rng.uniform(0, 0.2, k).round(2)
        assert np.allclose(holm(p.tolist()), multipletests(p, method="holm")[1], atol=1e-12)


@pytest.mark.parametrize("test", [rank_sum, signed_rank])
def test_tests_keep_their_level_and_find_effects(test) -> None:  # type: ignore[no-untyped-def]
    """1,000 simulated studies of ten tied runs: at most 5 % (and simulation error) false alarms; power grows."""
    rng = np.random.default_rng(5)
    false = np.mean([test(tied(rng, 10), tied(rng, 10)).p <= 0.05 for _ in range(1_000)])
    found = [np.mean([test(tied(rng, 10), tied(rng, 10, w)).p <= 0.05 for _ in range(300)]) for w in (1, 2, 4)]
    assert false <= 0.05 + 2 * 0.0069
    assert found == sorted(found)
    assert found[-1] > 0.9


# -- intervals -----------------------------------------------------------------------------------------------------


def population(worse: float, statistic) -> float:  # type: ignore[no-untyped-def]
    weights = np.exp(-np.abs(np.arange(len(LEVELS)) - 3 - worse))
    counts = np.rint(weights / weights.sum() * 100_000).astype(int)
    return float(statistic(np.repeat(LEVELS, counts)))


@pytest.mark.parametrize("statistic", [median, iqm])
def test_intervals_cover(statistic) -> None:  # type: ignore[no-untyped-def]
    """400 studies with ten runs of two methods, three noisy trials a table entry (`benchmarks/stability` has 2,000)."""
    rng = np.random.default_rng(6)
    truth = population(1, statistic) - population(0, statistic)
    hits = 0
    for _ in range(400):
        trials = np.array(LEVELS)[:, None] + 0.5 * rng.normal(size=(len(LEVELS), 3))
        codes = [np.searchsorted(LEVELS, tied(rng, 10, w)) for w in (1, 0)]
        found = difference(*codes, trials, statistic, rng, draws=600)
        hits += found.low <= truth <= found.high
    assert hits / 400 > 0.93


def test_interval_of_certain_things_is_a_point() -> None:
    rng = np.random.default_rng(0)
    codes, trials = as_codes([3.0] * 8, [5.0] * 8)
    assert difference(*codes, trials, median, rng) == (-2.0, -2.0, -2.0)
    assert single(codes[0], trials, iqm, rng) == (3.0, 3.0, 3.0)


def test_trials_are_a_layer_of_their_own() -> None:
    """Equal architectures share their trials' noise: no difference, and none in the interval. Unequal ones do not."""
    rng = np.random.default_rng(0)
    trials = np.array([[30.0, 34.0, 38.0], [31.0, 35.0, np.nan]])
    same = np.zeros(10, dtype=int)
    assert difference(same, same, trials, median, rng) == (0.0, 0.0, 0.0)
    found = difference(same + 1, same, trials, median, rng)
    assert found.estimate == pytest.approx(33 - 34)
    assert found.low < -4
    assert found.high > 2


def test_resampled_trials_vary_as_their_standard_error_says() -> None:
    trials = np.array([[30.0, 34.0, 41.0], [1.0, 2.0, np.nan], [5.0, np.nan, np.nan]])
    drawn = resampled_means(trials, 40_000, np.random.default_rng(0))
    assert drawn.mean(axis=0) == pytest.approx([35, 1.5, 5], abs=0.1)
    expected = [np.std([30, 34, 41], ddof=1) / 3**0.5, np.std([1, 2], ddof=1) / 2**0.5, 0]
    assert drawn.std(axis=0) == pytest.approx(expected, rel=0.02)


def test_paired_differences_are_narrower_where_seeds_agree() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(40, 10, 12)
    codes, trials = as_codes(base + 1, base)
    together = difference(*codes, trials, iqm, rng, paired=True)
    apart = difference(*codes, trials, iqm, rng)
    assert together.high - together.low < 0.2 * (apart.high - apart.low)


def test_rates_are_statsmodels() -> None:
    for failures, n in ((0, 10), (3, 10), (10, 10), (7, 23)):
        found = rate(failures, n)
        assert found[1:] == pytest.approx(proportion_confint(failures, n, method="beta"), abs=1e-9)
    for new, base in (((3, 10), (7, 12)), ((0, 10), (4, 10)), ((10, 10), (0, 10))):
        oracle = confint_proportions_2indep(*new, *base, method="newcomb", compare="diff")
        assert rate_difference(new, base)[1:] == pytest.approx(oracle, abs=1e-9)
    assert [round(highest_rate_of_none(n), 2) for n in (3, 4, 5, 10, 20)] == [0.63, 0.53, 0.45, 0.26, 0.14]


@pytest.mark.long
def test_bounds_of_changed_runs_hold() -> None:
    """Of 4,000 studies of 12 seeds each, at most 5 % miss the true difference, whatever the shares that change."""
    rng = np.random.default_rng(0)
    for more, fewer in ((0.0, 0.1), (0.2, 0.05), (0.3, 0.3)):
        drawn = rng.multinomial(12, [more, fewer, 1 - more - fewer], 4_000)
        intervals = {tuple(row[:2]): changed_rates(*row[:2].tolist(), 12) for row in drawn}
        hits = [i.low <= more - fewer <= i.high for i in (intervals[tuple(row[:2])] for row in drawn)]
        assert np.mean(hits) >= 0.95
    assert changed_rates(0, 0, 12).high == pytest.approx(1 - 0.0125 ** (1 / 12))


# -- verdicts, ranks, power ----------------------------------------------------------------------------------------


def test_rope_is_the_posterior_of_the_difference() -> None:
    """Close to normal with many runs; certain at the extremes; paired uses one weight a pair."""
    rng = np.random.default_rng(7)
    x, y = rng.normal(0, 1, 400), rng.normal(0.1, 1, 400)
    spread = np.sqrt(x.var() / 400 + y.var() / 400)
    gap = x.mean() - y.mean()
    found = rope(x, y, 0.1, rng, draws=40_000)
    assert found.better == pytest.approx(stats.norm.cdf((-0.1 - gap) / spread), abs=0.02)
    assert found.worse == pytest.approx(stats.norm.sf((0.1 - gap) / spread), abs=0.02)
    assert sum(found) == pytest.approx(1)
    assert rope([1.0] * 5, [9.0] * 5, 1.0, rng) == (1, 0, 0)
    assert rope(x, x + 0.05, 0.1, rng, paired=True) == (0, 1, 0)


def test_mean_ranks_are_those_of_scipy_and_posthocs() -> None:
    rng = np.random.default_rng(8)
    costs = rng.normal(size=(12, 4)) + np.array([0, 0.3, 1.5, 1.6])
    found = mean_ranks(costs)
    assert found.p == pytest.approx(stats.friedmanchisquare(*costs.T).pvalue)
    p = scikit_posthocs.posthoc_nemenyi_friedman(costs).to_numpy()
    for a, b in itertools.combinations(range(4), 2):
        assert (abs(found.ranks[a] - found.ranks[b]) > found.critical_difference) == (p[a, b] < 0.05)
    assert found.critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 12)), abs=1e-3)  # Demsar, table 5
    with pytest.raises(HarnessError, match="need three methods and 5 blocks; here are 4 and 3"):
        mean_ranks(costs[:3])


def test_power_is_noether_s() -> None:
    for a12, runs in ((0.56, 364), (0.64, 67), (0.71, 30), (0.80, 15), (0.90, 9)):  # runs of each method, rounded up
        assert smallest_detectable(runs) <= a12 < smallest_detectable(runs - 1)
    assert smallest_detectable(2) == 1.0
