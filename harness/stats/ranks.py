"""Several methods over several blocks: Friedman's test, what it says of pairs, and intervals of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.core.errors import HarnessError
from harness.stats.intervals import Interval
from harness.stats.tests import adjust_holm, compare_signed_rank

Floats = NDArray[np.floating[Any]]
FEWEST_BLOCKS = 5
FEWEST_TASKS = 8
"""Of an interval of a mean rank: with 5 tasks intervals of 95 % hold in 85 %."""
DRAWS = 4000
TINY = 1e-12


class MeanRanks(NamedTuple):
    """ranks: mean rank of each method (1 is best); p: Friedman's; critical_difference: two mean ranks that are further
    apart differ, at the level, by Nemenyi's test."""

    ranks: list[float]
    p: float
    critical_difference: float


def compute_mean_ranks(costs: ArrayLike, level: float = 0.05) -> MeanRanks:
    """costs: [blocks, methods], lower is better. A block is a data set and space, or a seed that all methods share.

    Demsar, JMLR 7, 2006; CD = q sqrt(k (k + 1) / (6 N)), q the studentised range's quantile / sqrt 2.
    """
    values = np.asarray(costs, dtype=float)
    blocks, methods = values.shape
    if methods < 3 or blocks < FEWEST_BLOCKS:
        raise HarnessError(
            f"mean ranks need three methods and {FEWEST_BLOCKS} blocks; here are {methods} and {blocks}: compare pairs"
        )
    ranks = np.apply_along_axis(scipy.stats.rankdata, 1, values).mean(axis=0)
    tied = (values == values[:, :1]).all()
    p = 1.0 if tied else float(scipy.stats.friedmanchisquare(*values.T).pvalue)
    q = float(scipy.stats.studentized_range.ppf(1 - level, methods, np.inf)) / np.sqrt(2)
    return MeanRanks(ranks.tolist(), p, float(q * np.sqrt(methods * (methods + 1) / (6 * blocks))))


def compute_friedman_p(costs: ArrayLike, draws: int = DRAWS) -> float:
    """The p of Friedman's test by orders drawn at random within each block, which holds at any number of blocks.

    Args:
        costs: [blocks, methods], lower is better.
        draws: of a fixed stream.
    """
    ranks = scipy.stats.rankdata(np.asarray(costs, dtype=float), axis=1)
    rng = np.random.default_rng(0)
    again = rng.permuted(np.broadcast_to(ranks, (draws, *ranks.shape)), axis=2).mean(axis=1)
    center = (ranks.shape[1] + 1) / 2
    seen, others = ((ranks.mean(axis=0) - center) ** 2).sum(), ((again - center) ** 2).sum(axis=1)
    return float((1 + (others >= seen - TINY).sum()) / (draws + 1))


def compare_nemenyi(costs: ArrayLike) -> Floats:
    """p of each pair of methods, of the difference of their mean ranks (Nemenyi 1963; `posthoc_nemenyi_friedman` of
    scikit-posthocs)."""
    ranks = scipy.stats.rankdata(np.asarray(costs, dtype=float), axis=1)
    blocks, methods = ranks.shape
    mean = ranks.mean(axis=0)
    apart = np.abs(mean[:, None] - mean[None, :]) / np.sqrt(methods * (methods + 1) / (6 * blocks))
    found: Floats = np.minimum(1.0, scipy.stats.studentized_range.sf(apart * np.sqrt(2), methods, np.inf))
    return found


def compare_wilcoxon_holm(costs: ArrayLike) -> Floats:
    """p of each pair of methods by the exact signed-rank test over blocks, Holm over all pairs (`posthoc_wilcoxon` of
    scikit-posthocs, with `p_adjust="holm"`; here ties are known)."""
    values = np.asarray(costs, dtype=float)
    methods = values.shape[1]
    first, second = np.triu_indices(methods, 1)
    adjusted = adjust_holm(
        [compare_signed_rank(values[:, i], values[:, j]).p for i, j in zip(first, second, strict=True)]
    )
    found = np.ones((methods, methods))
    found[first, second] = found[second, first] = adjusted
    return found


def rank_intervals(runs: Sequence[Sequence[ArrayLike]], level: float = 0.05, draws: int = DRAWS) -> list[Interval]:
    """Mean ranks with intervals over other tasks and other seeds: tasks are drawn again, and runs within each.

    Args:
        runs: by task and method, the costs of its runs; a method's cost on a task is their median.
        level: 0.05 for intervals of 95 %.
        draws: of a fixed stream.

    Returns:
        An interval a method; without ends (NaN) where there are fewer than `FEWEST_TASKS`, whose intervals would be far
        too narrow: drawing a few tasks again cannot show how other tasks differ.
    """
    rng = np.random.default_rng(0)
    costs = np.array([[np.median(np.asarray(own)) for own in task] for task in runs])
    mean = scipy.stats.rankdata(costs, axis=1).mean(axis=0)
    if len(runs) < FEWEST_TASKS:
        return [Interval(float(m), nan, nan) for m in mean]
    again = np.empty((draws, *costs.shape))  # of every task, the ranks of runs drawn again
    for place, task in enumerate(runs):
        medians = [np.median(rng.choice(np.asarray(own), (draws, len(np.asarray(own)))), axis=1) for own in task]
        again[:, place] = scipy.stats.rankdata(np.stack(medians, axis=1), axis=1)
    chosen = rng.integers(len(runs), size=(draws, len(runs)))
    drawn = again[np.arange(draws)[:, None], chosen].mean(axis=1)
    low, high = np.quantile(drawn, [level / 2, 1 - level / 2], axis=0)
    return [Interval(float(m), float(min(a, m)), float(max(b, m))) for m, a, b in zip(mean, low, high, strict=True)]
