"""Exact tests of how far two shares lie from each other: within a margin, or beyond it.

A p-value is the largest that any true shares at the margin give (Barnard 1945; for margins Chan, Statistics in Medicine
17, 1998), so that a test never errs more often than its level says, whatever the shares. Outcomes are put in order by
the difference in units of its standard error.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
GRID = 201
"""True shares that are tried."""
TINY = 1e-12
MOST = 25_000
"""Outcomes beyond which the normal distribution stands for their sum."""


class Shares(NamedTuple):
    """Failures today and before. paired: of the same seeds, of which `new` fail only today, and `base` failed only
    before."""

    new: Any
    n: int
    base: Any
    m: int
    paired: bool = False


def compute_p_within(seen: Shares, margin: float) -> float:
    """The p-value of a difference of the margin or more, to either side: small where it is shown to be within."""
    return max(_test_below(seen, margin), _test_below(_mirror_shares(seen), margin))


def compute_p_beyond(seen: Shares, margin: float) -> float:
    """The two-sided p-value of a difference of the margin or less: small where it is shown to be beyond."""
    sides = (_test_above(seen, margin), _test_above(_mirror_shares(seen), margin))
    return min(1.0, 2 * min(sides))


def _mirror_shares(seen: Shares) -> Shares:
    return Shares(seen.base, seen.m, seen.new, seen.n, seen.paired)


def _test_below(seen: Shares, margin: float) -> float:
    """Of the hypothesis that new exceeds base by the margin, against less."""
    if (seen.n + 1) * (seen.m + 1) > MOST:
        return float(scipy.stats.norm.cdf(_standardize_difference(seen, margin)))
    order, chances = _order_outcomes(seen.n, seen.m, margin, seen.paired)
    return float(min(1.0, chances[:, order <= order[seen.new, seen.base] + TINY].sum(axis=1).max()))


def _test_above(seen: Shares, margin: float) -> float:
    """Of the same hypothesis, against more."""
    if (seen.n + 1) * (seen.m + 1) > MOST:
        return float(scipy.stats.norm.sf(_standardize_difference(seen, margin)))
    order, chances = _order_outcomes(seen.n, seen.m, margin, seen.paired)
    return float(min(1.0, chances[:, order >= order[seen.new, seen.base] - TINY].sum(axis=1).max()))


@cache
def _order_outcomes(n: int, m: int, margin: float, paired: bool) -> tuple[Floats, Floats]:
    """The place of every outcome [new, base] in the order, and its chance [shares, new, base] at each of the true
    shares that differ by the margin."""
    new, base = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    order: Floats = np.asarray(_standardize_difference(Shares(new, n, base, m, paired), margin))
    if not paired:
        before = np.linspace(0, 1 - margin, GRID)
        today = scipy.stats.binom.pmf(np.arange(n + 1)[None, :], n, (before + margin)[:, None])
        then = scipy.stats.binom.pmf(np.arange(m + 1)[None, :], m, before[:, None])
        return order, today[:, :, None] * then[:, None, :]
    same = n - new - base
    counts = np.stack([new, base, same], axis=-1)[same >= 0]
    chances = np.zeros((GRID, n + 1, n + 1))
    for place, fewer in enumerate(np.linspace(0, (1 - margin) / 2, GRID)):
        chances[place][same >= 0] = scipy.stats.multinomial.pmf(counts, n, _split_chances(float(fewer), margin))
    return order, chances


def _standardize_difference(seen: Shares, margin: float) -> Any:
    """How far the difference lies above the margin, in standard errors; half a run is added to each count, so that no
    error is zero."""
    new, n, base, m, paired = seen
    p, q = (new + 0.5) / (n + 1), (base + 0.5) / (m + 1)
    of_pairs = np.maximum(p + q - (p - q) ** 2, 1 / (n + 1) ** 2) / n
    return (new / n - base / m - margin) / np.sqrt(of_pairs if paired else p * (1 - p) / n + q * (1 - q) / m)


def _split_chances(fewer: float, margin: float) -> list[float]:
    """Chances of failing only today, only before, and of no change."""
    return [fewer + margin, fewer, max(0.0, 1 - margin - 2 * fewer)]
