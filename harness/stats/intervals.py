"""Exact intervals of one group of runs, and of the difference of two shares. They hold at every number of runs."""

from __future__ import annotations

from functools import cache
from math import inf
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]


class Interval(NamedTuple):
    estimate: float
    low: float
    high: float


def estimate_median(values: ArrayLike, level: float = 0.05) -> Interval:
    """The median with the two values that enclose it as the sign test says (Thompson 1936), exact.

    Args:
        values: of the runs, without NaN.
        level: 0.05 for an interval of 95 %.

    Returns:
        Infinite where so few runs enclose nothing with that confidence: fewer than six at 0.05.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    n = len(ordered)
    outside = int(scipy.stats.binom.ppf(level / 2, n, 0.5))  # values left out at each end
    if scipy.stats.binom.cdf(outside, n, 0.5) > level / 2:
        outside -= 1
    low, high = (ordered[outside], ordered[n - 1 - outside]) if outside >= 0 else (-inf, inf)
    return Interval(float(np.median(ordered)), float(low), float(high))


def estimate_quantile(values: ArrayLike, share: float, level: float = 0.05) -> Interval:
    """A quantile with the two values that enclose it as order statistics do, whatever the distribution.

    Args:
        values: of the runs, without NaN.
        share: of runs below it; 0.9 is what one run in ten goes beyond.
        level: 0.05 for an interval of 95 %.

    Returns:
        Infinite on a side on which so few runs enclose nothing with that confidence: of the share 0.9 above, fewer than
        36 at 0.05.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    n = len(ordered)
    below = [k for k in range(n) if scipy.stats.binom.cdf(k, n, share) <= level / 2]
    above = [k for k in range(1, n + 1) if scipy.stats.binom.sf(k - 1, n, share) <= level / 2]
    low, high = (ordered[below[-1]] if below else -inf), (ordered[above[0] - 1] if above else inf)
    return Interval(float(np.quantile(ordered, share, method="median_unbiased")), float(low), float(high))


def predict_mean(values: ArrayLike, runs: int, level: float = 0.05) -> Interval:
    """Where the mean of so many further runs is to be expected: Student's prediction interval.

    Args:
        values: of the runs that are there, without NaN, at least two.
        runs: how many further ones are averaged.
        level: 0.05 for an interval of 95 %.
    """
    known = np.asarray(values, dtype=float)
    n, mean = len(known), float(known.mean())
    wide = float(scipy.stats.t.ppf(1 - level / 2, n - 1) * known.std(ddof=1) * np.sqrt(1 / n + 1 / runs))
    return Interval(mean, mean - wide, mean + wide)


@cache
def rate(failures: int, n: int, level: float = 0.05) -> Interval:
    """A share of runs with its exact interval (Clopper & Pearson 1934)."""
    low, high = scipy.stats.binomtest(failures, n).proportion_ci(confidence_level=1 - level, method="exact")
    return Interval(failures / n, float(low), float(high))


def rate_difference(new: tuple[int, int], base: tuple[int, int], level: float = 0.05) -> Interval:
    """The difference of two shares, each (runs that fail, runs), with an interval that never covers too rarely.

    Exact bounds of both shares, each at half of the level. Of the same seeds on both sides, the two shares are of the
    runs that fail only now, and of those that failed only before: their difference is the same.
    """
    (p, l1, u1), (q, l2, u2) = (rate(k, n, level / 2) for k, n in (new, base))
    return Interval(p - q, l1 - u2, u1 - l2)


def compute_p_of_more(failures: int, n: int, share: float) -> float:
    """The chance that so many runs or more fail if each does with this chance: an exact one-sided p."""
    return float(scipy.stats.binom.sf(failures - 1, n, share))
