"""Exact rank tests that know ties, and Holm's correction.

Tables make outcomes discrete: runs often derive one architecture. Ranks are mid-ranks, and the null distribution is
that of the very ranks observed, counted exactly by dynamic programming (scipy's exact forms know no ties). Where that
would take more than `MOST` additions, the normal distribution of their mean and variance stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from math import comb
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.floating[Any]]
MOST = 10**9
"""Additions of a null distribution that is counted: up to 999 pairs, or 105 runs against as many. Counts stay far below
the largest number that there is."""
DIGITS = 9
"""Values that agree in so many digits of the largest one are equal: sums of decimal fractions differ in the last."""


class Test(NamedTuple):
    """p: two-sided, twice the smaller one-sided p. less, greater: one-sided, for new below and above base. smallest:
    the least two-sided p that these numbers of runs could give at all, without ties; n: runs of new and of base."""

    p: float
    less: float
    greater: float
    smallest: float
    n: tuple[int, int]


def rank_sum(new: ArrayLike, base: ArrayLike, most: int = MOST) -> Test:
    """Wilcoxon's rank-sum test (Mann-Whitney), exact and conditional on the ties.

    Args:
        new, base: values of the runs of two methods.
        most: additions from which the normal distribution is taken.
    """
    x, y = round_equal(new, base)
    doubled = np.rint(2 * scipy.stats.rankdata(np.concatenate([x, y]))).astype(int)  # whole numbers
    n, both = len(x), len(doubled)
    smallest = compute_smallest_rank_sum_p(n, both - n)
    if n * both * int(doubled.sum()) > most:
        variance = n * (both - n) / (both - 1) * float(doubled.var())
        at, mean = float(doubled[:n].sum()), n * float(doubled.mean())
        return _approximate_test(at - mean, variance, smallest, (n, both - n))
    return count_tails(rank_sum_counts(doubled, n), int(doubled[:n].sum()), smallest, (n, both - n))


def rank_sum_counts(doubled: NDArray[np.integer[Any]], n: int) -> Counts:
    """How many choices of n of these doubled ranks have each sum, from 0 on."""
    table = np.zeros((n + 1, int(doubled.sum()) + 1))
    table[0, 0] = 1.0
    for rank in doubled:
        table[1:, rank:] += table[:-1, : table.shape[1] - rank].copy()
    found: Counts = table[-1]
    return found


def compare_signed_rank(new: ArrayLike, base: ArrayLike, most: int = MOST) -> Test:
    """Wilcoxon's signed-rank test of paired runs, exact and conditional on the ties.

    Pairs without a difference take the lowest ranks, and count for neither side (Pratt, JASA 54, 1959); where they are
    left out before the ranking, a pair that gets worse can make a method better.

    Args:
        new, base: values of the runs of two methods, in the order of their pairs.
        most: additions from which the normal distribution is taken.
    """
    difference = subtract_pairs(new, base)
    n = len(difference)
    ranks = np.rint(2 * scipy.stats.rankdata(np.abs(difference))).astype(int)
    doubled, above = ranks[difference != 0], difference[difference != 0] > 0
    smallest = compute_smallest_signed_rank_p(n)
    if not len(doubled):
        return Test(1.0, 1.0, 1.0, smallest, (n, n))
    observed, total = int(doubled[above].sum()), int(doubled.sum())
    if len(doubled) * total > most:
        return _approximate_test(observed - total / 2, float((doubled.astype(float) ** 2).sum()) / 4, smallest, (n, n))
    counts = np.zeros(total + 1)
    counts[0] = 1.0
    for rank in doubled:
        counts[rank:] += counts[: len(counts) - rank].copy()
    return count_tails(counts, observed, smallest, (n, n))


def subtract_pairs(new: ArrayLike, base: ArrayLike) -> Counts:
    """New minus base of each pair, where those that differ in the last bits alone are equal."""
    x, y = round_equal(new, base)
    with np.errstate(invalid="ignore"):  # two runs that diverged without bound are equal
        difference = np.where(x == y, 0.0, x - y)
    return round_equal(difference, scale=largest_of([x, y]))[0]


def round_equal(*groups: ArrayLike, scale: float | None = None) -> list[Counts]:
    """The groups, with values that differ in the last bits alone made equal. scale: the largest one, if not theirs."""
    arrays = [np.asarray(group, dtype=float) for group in groups]
    largest = largest_of(arrays) if scale is None else scale
    if not largest:
        return arrays
    decimals = DIGITS - 1 - int(np.floor(np.log10(largest)))
    return [np.round(a, decimals) + 0.0 for a in arrays]


def largest_of(arrays: Sequence[Counts]) -> float:
    """The largest size of a finite value."""
    return max((float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in arrays), default=0.0)


def count_tails(counts: Counts, observed: int, smallest: float, n: tuple[int, int]) -> Test:
    """Tail probabilities of a null distribution of whole numbers."""
    every = counts.sum()  # divided last: sums of counts are whole numbers
    less, greater = counts[: observed + 1].sum() / every, counts[observed:].sum() / every
    return _combine_sides(float(less), float(greater), smallest, n)


def _approximate_test(above: float, variance: float, smallest: float, n: tuple[int, int]) -> Test:
    """The signed-rank test of so many ranks that their sum is normal. above: observed minus mean,
    in doubled ranks, of which most neighboring sums are two apart."""
    if not variance:
        return Test(1.0, 1.0, 1.0, smallest, n)
    deviation = variance**0.5
    less, greater = scipy.stats.norm.cdf((above + 1) / deviation), scipy.stats.norm.sf((above - 1) / deviation)
    return _combine_sides(float(less), float(greater), smallest, n)


def _combine_sides(less: float, greater: float, smallest: float, n: tuple[int, int]) -> Test:
    less, greater = min(1.0, less), min(1.0, greater)
    return Test(min(1.0, 2 * min(less, greater)), less, greater, smallest, n)


def compute_smallest_rank_sum_p(n: int, m: int) -> float:
    """Two-sided p of completely separated groups: 2 / C(n + m, n). Three against three: 0.1."""
    return min(1.0, float(2 / comb(n + m, n)))


def compute_smallest_signed_rank_p(n: int) -> float:
    """Two-sided p of n pairs that all differ one way: 2 / 2^n. Five pairs: 0.0625."""
    return min(1.0, float(2 / 2**n))


def find_fewest_runs(smallest_p: Callable[[int], float], level: float, comparisons: int = 1) -> int:
    """The fewest runs, two at least, whose smallest p reaches the level divided by the number of comparisons."""
    return next(n for n in count(2) if smallest_p(n) * comparisons <= level)


def adjust_holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979): compare them with the level of the family."""
    return [min(1.0, m * value) for m, value in zip(compute_holm_multipliers(p), p, strict=True)]


def compute_holm_multipliers(p: Sequence[float]) -> list[float]:
    """What Holm's correction multiplies each p by, at least 1; an interval at the level divided by it says what the
    adjusted p says."""
    order = np.argsort(p, kind="stable")
    multipliers = [1.0] * len(p)
    largest = 0.0
    for place, index in enumerate(order):
        own = float(len(p) - place)
        largest = max(largest, own * p[index])
        multipliers[index] = max(own, largest / p[index]) if p[index] > 0 else own
    return multipliers
