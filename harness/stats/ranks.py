"""Several methods over several blocks: Friedman's test, and Nemenyi's critical difference."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from harness.core.errors import HarnessError

FEWEST_BLOCKS = 5


class MeanRanks(NamedTuple):
    """ranks: mean rank of each method (1 is best); p: Friedman's; critical_difference: two mean ranks that are further
    apart differ, at the level, by Nemenyi's test."""

    ranks: list[float]
    p: float
    critical_difference: float


def mean_ranks(costs: ArrayLike, level: float = 0.05) -> MeanRanks:
    """costs: [blocks, methods], lower is better. A block is a data set and space, or a seed that all methods share.

    Demsar, JMLR 7, 2006; CD = q sqrt(k (k + 1) / (6 N)), q the studentised range's quantile / sqrt 2.
    """
    values = np.asarray(costs, dtype=float)
    blocks, methods = values.shape
    if methods < 3 or blocks < FEWEST_BLOCKS:
        raise HarnessError(
            f"mean ranks need three methods and {FEWEST_BLOCKS} blocks; here are {methods} and {blocks}: compare pairs"
        )
    ranks = np.apply_along_axis(stats.rankdata, 1, values).mean(axis=0)
    tied = (values == values[:, :1]).all()
    p = 1.0 if tied else float(stats.friedmanchisquare(*values.T).pvalue)
    q = float(stats.studentized_range.ppf(1 - level, methods, np.inf)) / np.sqrt(2)
    return MeanRanks(ranks.tolist(), p, float(q * np.sqrt(methods * (methods + 1) / (6 * blocks))))
