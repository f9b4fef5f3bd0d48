"""Bootstrap intervals of differences between two groups of runs, and of their failure rates.

Plain percentiles: with medians and interquartile means of tied, discrete outcomes they cover what they say from about
eight runs on (docs/explanation/statistics.md has the figures); for a mean they would be too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.floating[Any]]
Statistic = Callable[[Floats], Floats]
"""Reduces the last axis."""
DRAWS = 10_000
AT_ONCE = 1 << 18
"""Runs that are drawn at a time."""


class Interval(NamedTuple):
    estimate: float
    low: float
    high: float


Codes = NDArray[np.intp]
"""Which architecture each run of a method derived, a row of its `trials`; in the order of the seeds."""


def trial_means(trials: Floats) -> Floats:
    """Mean over the trials that each architecture has. trials: [architectures, trials], NaN where there is none."""
    mean: Floats = np.nanmean(trials, axis=1)
    return mean


def resampled_means(trials: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """The same over trials drawn with replacement from those that each has: [draws, architectures].

    Deviations are stretched by sqrt(n / (n - 1)), n trials, so that the means vary as the unbiased estimate says (Rao &
    Wu, JASA 1988); three trials would else vary by a third too little.
    """
    columns = []
    for row in trials:
        known = row[~np.isnan(row)]
        n = len(known)
        drawn = known[rng.integers(0, n, (draws, n))].mean(axis=1)
        columns.append(known.mean() + (drawn - known.mean()) * (n / max(1, n - 1)) ** 0.5)
    return np.stack(columns, axis=1)


def resampled(groups: Sequence[Codes], drawn: Floats, statistic: Statistic, rng: np.random.Generator) -> list[Floats]:
    """The statistic of runs drawn with replacement, [draws] a group: the same places of all groups, which are of one
    length. drawn: what each architecture costs in each draw, [draws, architectures].

    So many draws at a time that they stay in a processor's cache; what is drawn does not depend on that.
    """
    runs = len(groups[0])
    parts = []
    for means in np.array_split(drawn, max(1, len(drawn) * runs // AT_ONCE)):
        places = rng.integers(0, runs, (len(means), runs))
        parts.append([statistic(np.take_along_axis(means, codes[places], axis=1)) for codes in groups])
    return [np.concatenate(found) for found in zip(*parts, strict=True)]


def difference(
    new: Codes,
    base: Codes,
    trials: Floats,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    level: float = 0.05,
    draws: int = DRAWS,
    paired: bool = False,
) -> Interval:
    """Interval of statistic(new) - statistic(base) with two nested layers: the search's seed and the table's trial.

    Trials are drawn for each architecture, so that runs which derived one architecture share its noise; then runs of
    each method are drawn with replacement (paired: the same seeds of both). trials: costs, [architectures, trials].
    """
    means, drawn = trial_means(trials), resampled_means(trials, draws, rng)
    if paired:
        of_new, of_base = resampled([new, base], drawn, statistic, rng)
    else:
        (of_new,), (of_base,) = (resampled([runs], drawn, statistic, rng) for runs in (new, base))
    found = of_new - of_base
    return _percentiles(statistic(means[new]) - statistic(means[base]), found, level)


def single(
    runs: Codes,
    trials: Floats,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    level: float = 0.05,
    draws: int = DRAWS,
) -> Interval:
    """Interval of one method's statistic, by the same layers."""
    drawn = resampled_means(trials, draws, rng)
    (found,) = resampled([runs], drawn, statistic, rng)
    return _percentiles(statistic(trial_means(trials)[runs]), found, level)


def _percentiles(estimate: Any, found: Floats, level: float) -> Interval:
    low, high = np.quantile(found, [level / 2, 1 - level / 2])
    return Interval(float(estimate), float(low), float(high))


def as_codes(*groups: ArrayLike) -> tuple[list[Codes], Floats]:
    """Plain numbers as runs whose architectures have one trial each."""
    values = [np.asarray(g, dtype=float) for g in groups]
    ends = np.cumsum([len(v) for v in values])
    return [np.arange(end - len(v), end) for v, end in zip(values, ends, strict=True)], np.concatenate(values)[:, None]


def rate(failures: int, n: int, level: float = 0.05) -> Interval:
    """Clopper and Pearson's exact interval of a failure rate."""
    low, high = stats.binomtest(failures, n).proportion_ci(confidence_level=1 - level, method="exact")
    return Interval(failures / n, float(low), float(high))


def highest_rate_of_none(n: int, level: float = 0.05) -> float:
    """The failure rate that n runs without a failure leave possible, one-sided: 1 - level^(1 / n). Three: 63 %."""
    return float(1 - level ** (1 / n))


def rate_difference(new: tuple[int, int], base: tuple[int, int], level: float = 0.05) -> Interval:
    """Difference of two failure rates, each (failures, runs): Newcombe's interval from two Wilson scores (1998)."""
    (x, n), (y, m) = new, base
    wilson = [
        stats.binomtest(k, size).proportion_ci(confidence_level=1 - level, method="wilson") for k, size in (new, base)
    ]
    p, q = x / n, y / m
    (l1, u1), (l2, u2) = ((float(w.low), float(w.high)) for w in wilson)
    below = np.sqrt((p - l1) ** 2 + (u2 - q) ** 2)
    above = np.sqrt((u1 - p) ** 2 + (q - l2) ** 2)
    return Interval(p - q, float(p - q - below), float(p - q + above))


def changed_rates(more: int, fewer: int, n: int, level: float = 0.05) -> Interval:
    """Difference of two failure rates of the same n seeds: `more` fail only now, `fewer` failed only before.
    Conservative: exact one-sided bounds of both shares, at a quarter of the level each."""
    (l1, u1), (l2, u2) = (rate(k, n, level / 2)[1:] for k in (more, fewer))
    return Interval((more - fewer) / n, l1 - u2, u1 - l2)


def median(values: Floats) -> Floats:
    """Along the last axis."""
    result: Floats = np.median(values, axis=-1)
    return result
