"""Statistics against independent implementations, closed forms, and simulated studies."""

import itertools

import numpy as np
import pytest
import scikit_posthocs
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from harness.core.errors import HarnessError
from harness.stats.effects import compute_a12, compute_iqm, compute_performance_profile, normalize_regret
from harness.stats.intervals import compute_p_of_more, estimate_median, predict_mean, rate, rate_difference
from harness.stats.random_search import compute_best_of_random, compute_chance_of_best
from harness.stats.ranks import compute_mean_ranks
from harness.stats.shares import Shares, compute_p_beyond, compute_p_within
from harness.stats.tests import (
    adjust_holm,
    compare_signed_rank,
    compute_holm_multipliers,
    compute_smallest_rank_sum_p,
    compute_smallest_signed_rank_p,
    rank_sum,
    round_equal,
)

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
        assert np.allclose(compute_iqm(values), inside.mean(axis=1), atol=1e-12)


def test_a12_is_mann_whitney_s_u() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = tied(rng, 7), tied(rng, 9, 1)
        u = stats.mannwhitneyu(y, x).statistic
        assert compute_a12(x, y) == pytest.approx(u / 63, abs=1e-12)
    assert compute_a12([1, 1], [2, 2]) == 1
    assert compute_a12([1, 2], [1, 2]) == 0.5


def test_profile_and_normalized_regret() -> None:
    assert compute_performance_profile([1, 2, 2, 4], [0, 1, 2, 3, 4]).tolist() == [0, 0.25, 0.75, 0.75, 1]
    assert normalize_regret([5.0, 10.0, 20.0], 5.0, 10.0).tolist() == [0, 1, 3]


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
        found = rank_sum(x, y)
        assert found.less == pytest.approx(oracle["less"], abs=1e-12)
        assert found.greater == pytest.approx(oracle["greater"], abs=1e-12)
        assert found.p == pytest.approx(min(1, 2 * min(oracle.values())), abs=1e-12)


def test_rank_sum_without_ties_is_scipy_s() -> None:
    rng = np.random.default_rng(2)
    for n, m in ((3, 3), (8, 10), (25, 30)):
        x, y = rng.normal(size=n), rng.normal(0.7, size=m)
        assert rank_sum(x, y).p == pytest.approx(stats.mannwhitneyu(x, y, method="exact").pvalue, rel=1e-9)


def test_beyond_what_can_be_counted_the_normal_distribution_stands_for_it() -> None:
    """80 runs, many of them tied, counted and not; and 2,500 pairs, whose counts no number
    could hold: p was 0."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 12, 80) - 0.8, rng.integers(0, 12, 80) + rng.integers(0, 2, 80)
    for test in (rank_sum, compare_signed_rank):
        counted = test(x, y)
        close = test(x, y, 0)
        assert test([1, 1, 1], [1, 1, 1], 0)[:3] == (1, 1, 1)
        assert 0.001 < counted.p < 0.5
        assert close[:3] == pytest.approx(counted[:3], rel=0.02)
        assert close[3:] == counted[3:]
    many = rng.normal(size=2500)
    for test in (rank_sum, compare_signed_rank):
        found = test(many, many + rng.normal(0.05, 1, size=2500))
        assert 0 < found.p < 1
        assert found.less + found.greater == pytest.approx(1, abs=0.01)
        assert found.smallest == 0
    assert compare_signed_rank(many, many + 1).p < 1e-300


def test_signed_rank_is_exact_with_ties_and_zeros() -> None:
    """Against every sign of every difference; without ties against scipy."""
    rng = np.random.default_rng(3)
    for n in (4, 7, 9):
        x, y = tied(rng, n), tied(rng, n, 1)
        changed = (x - y)[x != y]
        ranks = stats.rankdata(np.abs(x - y))[x != y]  # zeros take the lowest ranks (Pratt)
        sums = np.array([(ranks * s).sum() for s in itertools.product((0, 1), repeat=len(ranks))])
        seen = ranks[changed > 0].sum()
        found = compare_signed_rank(x, y)
        assert found.p == pytest.approx(
            (np.abs(sums - sums.mean()) >= abs(seen - sums.mean()) - 1e-9).mean(), abs=1e-12
        )
        assert found.less == pytest.approx((sums <= seen).mean(), abs=1e-12)
    x, y = rng.normal(size=20), rng.normal(0.5, size=20)
    assert compare_signed_rank(x, y).p == pytest.approx(stats.wilcoxon(x, y, method="exact").pvalue, rel=1e-9)
    assert compare_signed_rank([1, 2, 3], [1, 2, 3]).p == 1.0


def test_smallest_p_of_few_seeds() -> None:
    """The floors that make three seeds unable to show anything."""
    assert [round(compute_smallest_rank_sum_p(n, n), 3) for n in (3, 4, 5)] == [0.1, 0.029, 0.008]
    assert [compute_smallest_signed_rank_p(n) for n in (3, 4, 5, 6)] == [0.25, 0.125, 0.0625, 0.03125]
    assert rank_sum([1, 2, 3], [4, 5, 6]).p == pytest.approx(compute_smallest_rank_sum_p(3, 3))
    assert compare_signed_rank([1, 2, 3], [2, 4, 6]).p == compute_smallest_signed_rank_p(3)


def test_holm_is_statsmodels() -> None:
    rng = np.random.default_rng(4)
    for k in (1, 2, 5, 9):
        p = rng.uniform(0, 0.2, k).round(2)
        assert np.allclose(adjust_holm(p.tolist()), multipletests(p, method="holm")[1], atol=1e-12)


@pytest.mark.parametrize("test", [rank_sum, compare_signed_rank])
def test_tests_keep_their_level_and_find_effects(test) -> None:  # type: ignore[no-untyped-def]
    """1,000 simulated studies of ten tied runs: at most 5 % (and simulation error) false alarms; power grows."""
    rng = np.random.default_rng(5)
    false = np.mean([test(tied(rng, 10), tied(rng, 10)).p <= 0.05 for _ in range(1_000)])
    found = [np.mean([test(tied(rng, 10), tied(rng, 10, w)).p <= 0.05 for _ in range(300)]) for w in (1, 2, 4)]
    assert false <= 0.05 + 2 * 0.0069
    assert found == sorted(found)
    assert found[-1] > 0.9


def test_a_pair_that_gets_worse_makes_no_method_better() -> None:
    """Pratt's own example: where zeros are left out before the ranking, as scipy does, -1 in place of 0 helps."""
    others = [2, 3, 4, 6, 7, 8, 9, 11, 14, 15, 17, -18]
    zeros = np.zeros(13)
    assert compare_signed_rank([0, *others], zeros).p < compare_signed_rank([-1, *others], zeros).p
    dropped = [stats.wilcoxon([v, *others], zero_method="wilcox", method="exact").pvalue for v in (0, -1)]
    assert dropped[0] > dropped[1]


def test_values_that_differ_in_the_last_bits_are_equal() -> None:
    assert compare_signed_rank([0.1 + 0.2, 1.0], [0.3, 2.0]).less == compare_signed_rank([0.3, 1.0], [0.3, 2.0]).less
    assert rank_sum([0.1 + 0.2], [0.3]).p == 1
    (rounded,) = round_equal([1e9, 1.0])
    assert rounded.tolist() == [1e9, 0.0]


def test_a_level_divided_by_its_multiplier_says_what_holm_says() -> None:
    rng = np.random.default_rng(0)
    for k in (1, 2, 5, 9):
        p = rng.uniform(0, 0.2, k).round(3).tolist()
        for value, adjusted, multiplier in zip(p, adjust_holm(p), compute_holm_multipliers(p), strict=True):
            assert multiplier >= 1
            assert (adjusted <= 0.05) == (value <= 0.05 / multiplier)
    assert adjust_holm([0.0, 0.0]) == [0.0, 0.0]


# -- intervals of one group ----------------------------------------------------------------------------------------


def test_the_median_s_interval_covers_at_every_n() -> None:
    """By the sign test, exactly: never below 95 %, and none where so few runs give none."""
    rng = np.random.default_rng(6)
    for n in (6, 7, 10, 20):
        found = [estimate_median(rng.normal(size=n)) for _ in range(1_000)]
        assert np.mean([f.low <= 0 <= f.high for f in found]) > 0.94
    assert estimate_median([1.0, 2.0, 3.0]) == (2.0, -np.inf, np.inf)
    assert estimate_median([1, 2, 3, 4, 5, 6]) == (3.5, 1, 6)


def test_the_next_mean_is_where_it_is_expected() -> None:
    rng = np.random.default_rng(7)
    hits = []
    for _ in range(2_000):
        found = predict_mean(rng.normal(size=5), 3)
        hits.append(found.low <= rng.normal(size=3).mean() <= found.high)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.015)


def test_rates_are_exact() -> None:
    for failures, n in ((0, 10), (3, 10), (10, 10), (7, 23)):
        found = rate(failures, n)
        assert found[1:] == pytest.approx(proportion_confint(failures, n, method="beta"), abs=1e-9)
    assert compute_p_of_more(7, 10, 8_505 / 15_625) == pytest.approx(0.25, abs=0.005)
    assert compute_p_of_more(6, 10, 265 / 15_625) == pytest.approx(5e-9, rel=0.1)


@pytest.mark.long
def test_runs_that_diverged_without_bound_have_the_last_ranks() -> None:
    """As perplexities may be: infinite beside finite is the largest difference, two infinite ones are none."""
    base, inf = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], float("inf")
    new = [2.0, 4.0, 7.0, 9.0, 11.0, inf]
    assert compare_signed_rank(new, base) == compare_signed_rank([*new[:-1], 1e6], base)
    assert compare_signed_rank([*new[:-1], inf], [*base[:-1], inf]) == compare_signed_rank(
        [*new[:-1], 1.0], [*base[:-1], 1.0]
    )


def test_differences_of_rates_hold() -> None:
    """Of 4,000 studies of 12 runs each, at most 5 % miss the true difference, whatever the shares; of the same seeds on
    both sides, too."""
    rng = np.random.default_rng(0)
    for more, fewer in ((0.0, 0.1), (0.2, 0.05), (0.3, 0.3)):
        for drawn in (
            rng.multinomial(12, [more, fewer, 1 - more - fewer], 4_000)[:, :2],
            np.stack([rng.binomial(12, more, 4_000), rng.binomial(12, fewer, 4_000)], axis=1),
        ):
            known = {(int(a), int(b)): rate_difference((int(a), 12), (int(b), 12)) for a, b in np.unique(drawn, axis=0)}
            hits = [i.low <= more - fewer <= i.high for i in (known[int(a), int(b)] for a, b in drawn)]
            assert np.mean(hits) >= 0.95
    assert rate_difference((0, 12), (0, 12)).high == pytest.approx(1 - 0.0125 ** (1 / 12))


@pytest.mark.parametrize("paired", [False, True])
def test_shares_are_told_apart_at_their_level(paired: bool) -> None:
    """Exact sums over all outcomes: whatever the shares at the margin, within or beyond is said in at most 5 %, and
    more often where it is so."""
    n, margin = 12, 0.3
    outcomes = [(a, b) for a in range(n + 1) for b in range(n + 1 - a if paired else n + 1)]
    seen = {(a, b): Shares(a, n, b, n, paired) for a, b in outcomes}
    tests = {o: (compute_p_within(shares, margin), compute_p_beyond(shares, margin)) for o, shares in seen.items()}

    def said(new: float, base: float) -> tuple[float, float]:
        chances = [
            stats.multinomial.pmf([a, b, n - a - b], n, [new, base, 1 - new - base])
            if paired
            else stats.binom.pmf(a, n, new) * stats.binom.pmf(b, n, base)
            for a, b in outcomes
        ]
        said_of = [[tests[o][k] <= 0.05 for o in outcomes] for k in (0, 1)]
        within, beyond = (float(np.dot(chances, flags)) for flags in said_of)
        return within, beyond

    for base in (0.0, 0.03, 0.1, 0.2, 0.33):
        for pair in ((base + margin, base), (base, base + margin)):
            within, beyond = said(*pair)
            assert within <= 0.05
            assert beyond <= 0.05
    assert said(0.02, 0.02)[0] > 0.6
    assert said(0.95, 0.02)[1] > 0.75
    assert compute_p_within(Shares(1, 400, 1, 400, paired), margin) < 1e-6  # by the normal distribution


def test_what_random_search_finds() -> None:
    rng = np.random.default_rng(0)
    error = rng.normal(size=500)
    drawn = rng.choice(error, (20_000, 13)).min(axis=1)
    assert compute_best_of_random(error, 13) == pytest.approx(np.median(drawn), abs=0.03)
    chance = compute_chance_of_best(-error, 13)
    assert chance.sum() == pytest.approx(1)
    assert (chance * error).sum() == pytest.approx(drawn.mean(), abs=0.01)


# -- ranks ---------------------------------------------------------------------------------------------------------


def test_mean_ranks_are_those_of_scipy_and_posthocs() -> None:
    rng = np.random.default_rng(8)
    costs = rng.normal(size=(12, 4)) + np.array([0, 0.3, 1.5, 1.6])
    found = compute_mean_ranks(costs)
    assert found.p == pytest.approx(stats.friedmanchisquare(*costs.T).pvalue)
    p = scikit_posthocs.posthoc_nemenyi_friedman(costs).to_numpy()
    for a, b in itertools.combinations(range(4), 2):
        assert (abs(found.ranks[a] - found.ranks[b]) > found.critical_difference) == (p[a, b] < 0.05)
    assert found.critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 12)), abs=1e-3)  # Demsar, table 5
    with pytest.raises(HarnessError, match="need three methods and 5 blocks; here are 4 and 3"):
        compute_mean_ranks(costs[:3])
