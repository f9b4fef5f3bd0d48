"""Exact rank tests that know ties, and Holm's correction.

Tables make outcomes discrete: runs often derive one architecture. Ranks are mid-ranks, and the null distribution is
that of the very ranks observed, counted exactly by dynamic programming (scipy's exact forms know no ties). Where that
would take more than `MOST` additions, the normal distribution of their mean and variance stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

Counts = NDArray[np.floating[Any]]
MOST = 10**9
"""Additions of a null distribution that is counted: up to 999 pairs, or 105 runs against as many. Counts stay far below
the largest number that there is."""


class Test(NamedTuple):
    """p: two-sided. less, greater: one-sided, for new below and above base. smallest: the least two-sided p that these
    numbers of runs could give at all, without ties; n: runs of new and of base."""

    p: float
    less: float
    greater: float
    smallest: float
    n: tuple[int, int]


def rank_sum(new: ArrayLike, base: ArrayLike) -> Test:
    """Wilcoxon's rank-sum test (Mann-Whitney), exact and conditional on the ties."""
    x, y = np.asarray(new, dtype=float), np.asarray(base, dtype=float)
    doubled = np.rint(2 * rankdata(np.concatenate([x, y]))).astype(int)  # whole numbers
    n, both = len(x), len(doubled)
    if n * both * int(doubled.sum()) > MOST:
        variance = n * (both - n) / (both - 1) * float(doubled.var())
        at, mean = float(doubled[:n].sum()), n * float(doubled.mean())
        return _normal(at - mean, variance, smallest_rank_sum_p(n, both - n), (n, both - n))
    table = np.zeros((len(x) + 1, int(doubled.sum()) + 1))
    table[0, 0] = 1.0
    for rank in doubled:
        table[1:, rank:] += table[:-1, : table.shape[1] - rank].copy()
    observed = int(doubled[: len(x)].sum())
    return _tails(table[-1], observed, smallest_rank_sum_p(len(x), len(y)), (len(x), len(y)))


def signed_rank(new: ArrayLike, base: ArrayLike) -> Test:
    """Wilcoxon's signed-rank test of paired runs, exact; pairs without a difference are left out (Wilcoxon 1945)."""
    difference = np.asarray(new, dtype=float) - np.asarray(base, dtype=float)
    changed = difference[difference != 0]
    n = len(difference)
    if not len(changed):
        return Test(1.0, 1.0, 1.0, smallest_signed_rank_p(n), (n, n))
    doubled = np.rint(2 * rankdata(np.abs(changed))).astype(int)
    if len(doubled) * int(doubled.sum()) > MOST:
        above = float(doubled[changed > 0].sum() - doubled.sum() / 2)
        return _normal(above, float((doubled.astype(float) ** 2).sum()) / 4, smallest_signed_rank_p(n), (n, n))
    counts = np.zeros(int(doubled.sum()) + 1)
    counts[0] = 1.0
    for rank in doubled:
        counts[rank:] += counts[: len(counts) - rank].copy()
    return _tails(counts, int(doubled[changed > 0].sum()), smallest_signed_rank_p(n), (n, n))


def _tails(counts: Counts, observed: int, smallest: float, n: tuple[int, int]) -> Test:
    """Tail probabilities of a symmetric null distribution of whole numbers."""
    counts = counts / counts.sum()
    values = np.arange(len(counts))
    mean = float((counts * values).sum())
    far = np.abs(values - mean) >= abs(observed - mean) - 1e-9
    return Test(
        min(1.0, float(counts[far].sum())),
        min(1.0, float(counts[: observed + 1].sum())),
        min(1.0, float(counts[observed:].sum())),
        smallest,
        n,
    )


def _normal(above: float, variance: float, smallest: float, n: tuple[int, int]) -> Test:
    """The same of so many ranks that their sum is normal. above: observed minus mean, in doubled ranks, of which most
    neighbouring sums are two apart."""
    if not variance:
        return Test(1.0, 1.0, 1.0, smallest, n)
    deviation = variance**0.5
    return Test(
        min(1.0, float(2 * norm.sf((abs(above) - 1) / deviation))),
        float(norm.cdf((above + 1) / deviation)),
        float(norm.sf((above - 1) / deviation)),
        smallest,
        n,
    )


def smallest_rank_sum_p(n: int, m: int) -> float:
    """Two-sided p of completely separated groups: 2 / C(n + m, n). Three against three: 0.1."""
    return min(1.0, float(2 / comb(n + m, n)))


def smallest_signed_rank_p(n: int) -> float:
    """Two-sided p of n pairs that all differ one way: 2 / 2^n. Five pairs: 0.0625."""
    return min(1.0, float(2 / 2**n))


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979): compare them with the level of the family."""
    order = np.argsort(p, kind="stable")
    adjusted = [0.0] * len(p)
    largest = 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - place) * p[index]))
        adjusted[index] = largest
    return adjusted
