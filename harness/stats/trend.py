"""Whether values rise or fall with a dose: Kendall's S, added up over groups of runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import factorial, prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.core.seeds import derive_seed
from harness.stats.tests import Test, round_equal

Floats = NDArray[np.floating[Any]]
DRAWS = 19_999
"""Random orders that stand for the null distribution: p has steps of 0.0001."""
AT_ONCE = 2 * 10**6
"""Pairs of runs that are compared at once."""


@dataclass(frozen=True)
class Trend:
    """gamma: pairs of runs in which value and dose rise together less those in which one falls, as a share of both
    (Goodman and Kruskal's); 1 and -1 where there is no exception. test: less is for values that fall with the dose,
    greater for those that rise. n: runs."""

    gamma: float
    test: Test
    n: int


def estimate_trend(groups: Sequence[tuple[ArrayLike, ArrayLike]]) -> Trend | None:
    """The trend of values with their doses.

    Kendall's S of each group, added up (Hirsch, Slack & Smith, Water Resources Research 18, 1982; of one group with
    repeated doses it is Jonckheere and Terpstra's test). Under the hypothesis of no trend the values of a group come in
    any order: p is the share of 19,999 random orders, from a fixed stream, that are as far out.

    Args:
        groups: doses and values, each [runs], without NaN; only runs of one group are compared with each other.

    Returns:
        None where no group has two doses.
    """
    kept = [(np.asarray(x, dtype=float), round_equal(y)[0]) for x, y in groups if len(set(np.asarray(x).tolist())) > 1]
    if not kept:
        return None
    rng = np.random.default_rng(derive_seed("trend", len(kept)))
    seen, untied, drawn, arrangements = 0.0, 0.0, np.zeros(DRAWS), 1
    for doses, values in kept:
        risen = _compare_signs(doses)
        together = risen * _compare_signs(values)
        seen += float(together.sum()) / 2
        untied += float(np.abs(together).sum()) / 2
        drawn += np.concatenate([(risen * grown).sum(axis=(1, 2)) / 2 for grown in _shuffle_signs(values, rng)])
        repeats = np.unique(doses, return_counts=True)[1].tolist()
        arrangements *= factorial(len(doses)) // prod(map(factorial, repeats))
    less, greater = ((1 + float(far.sum())) / (1 + DRAWS) for far in (drawn <= seen, drawn >= seen))
    n = sum(len(doses) for doses, _ in kept)
    smallest = min(1.0, max(2 / arrangements, 2 / (1 + DRAWS)))
    return Trend(
        seen / untied if untied else 0.0, Test(min(1.0, 2 * min(less, greater)), less, greater, smallest, (n, n)), n
    )


def _compare_signs(values: Floats) -> Floats:
    """Whether the second of two values is larger (1), smaller (-1) or equal (0): [..., runs] to [..., runs, runs]."""
    return np.sign(values[..., None, :] - values[..., :, None])


def _shuffle_signs(values: Floats, rng: np.random.Generator) -> Iterator[Floats]:
    """The signs of the values in random orders, some orders at a time."""
    step = max(1, AT_ONCE // len(values) ** 2)
    for start in range(0, DRAWS, step):
        yield _compare_signs(rng.permuted(np.tile(values, (min(step, DRAWS - start), 1)), axis=1))
