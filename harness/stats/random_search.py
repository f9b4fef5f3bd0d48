"""What drawing cells at random finds, computed from all cells of a table, not sampled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]


def compute_best_of_random(error: ArrayLike, draws: int) -> float:
    """The median of the lowest error among so many cells: what looking back at as many finds by chance.

    error: of every cell, NaN left out.
    """
    values = np.asarray(error, dtype=float)
    known = np.sort(values[~np.isnan(values)])
    # the lowest of k is at most v with probability 1 - (1 - F(v))^k
    return float(known[min(int(np.ceil((1 - 0.5 ** (1 / draws)) * len(known))), len(known)) - 1])


def compute_chance_of_best(select: ArrayLike, draws: int) -> Floats:
    """The chance of every cell [cells] to be the one of highest `select` among so many, drawn with replacement.

    The best is at most v with probability F(v) ^ draws; cells with equal values share it.
    """
    values = np.asarray(select, dtype=float)
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    below = np.concatenate([[0.0], np.cumsum(count) / len(values)])
    chance: Floats = (np.diff(below**draws) / count)[place]
    return chance
