"""Effect sizes. Values are costs (error or regret): lower is better."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]
TRIM = 0.25


def compute_iqm(values: Floats) -> Floats:
    """Interquartile mean along the last axis: the mean without the lowest and the highest quarter.

    Agarwal et al., NeurIPS 2021 (arXiv 2108.13264); floor(n / 4) values are cut at each end.
    """
    mean: Floats = scipy.stats.trim_mean(values, TRIM, axis=-1)
    return mean


def compute_a12(new: ArrayLike, base: ArrayLike) -> float:
    """P(new < base) + P(new = base) / 2 over all pairings of runs (Vargha & Delaney 2000); 1/2 for equals."""
    difference = np.asarray(base)[None, :] - np.asarray(new)[:, None]
    return float((np.sign(difference) + 1).mean() / 2)


def compute_performance_profile(values: ArrayLike, thresholds: ArrayLike) -> Floats:
    """Share of runs at or below each threshold (Dolan & More 2002)."""
    share: Floats = (np.asarray(values)[:, None] <= np.asarray(thresholds)[None, :]).mean(axis=0)
    return share


def normalize_regret(error: ArrayLike, optimum: float, random_median: float) -> Floats:
    """0 at the table's optimum, 1 at the median architecture; above 1 is worse than a random draw. Errors in %."""
    scaled: Floats = (np.asarray(error, dtype=float) - optimum) / (random_median - optimum)
    return scaled
