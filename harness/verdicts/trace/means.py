"""Means of runs that ended at one cell or another, from a printed mean and its standard deviation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.tables.measure import Floats
from harness.verdicts.trace.printed import PrintedAccuracy

RUNS = (2, 3, 4, 5)
"""How many runs a mean may be over, where nobody says it."""
DIVISORS = ("n", "n-1")
WIDER = 4.0
"""How much wider than its rounding a number is taken to count what fits by chance."""
EXACT = 1e-6


@dataclass(frozen=True)
class Mixture:
    """pairs: rows of two cells, [matches, 2]; times: how many runs ended at each. divisor: of the deviation. chance:
    how many pairs fit by chance; tried: how many such shares and divisors were looked through."""

    pairs: NDArray[np.intp]
    times: tuple[int, int]
    divisor: str
    chance: float
    tried: int


def iterate_mixtures(
    numbers: Sequence[PrintedAccuracy], values: Sequence[Floats], runs: int | None
) -> Iterator[Mixture]:
    """All pairs of cells that have every printed mean and deviation. values: [architectures] of each number.

    Mean m and deviation s of i runs at a and k - i at b are two equations: a = m ± s c (k - i) / k, b = m ∓ s c i / k,
    where c makes s the distance of a and b.
    """
    tried = len(DIVISORS) * sum(k - 1 for k in ((runs,) if runs else RUNS))
    leading = max(range(len(numbers)), key=lambda i: numbers[i].deviation or 0.0)
    for k in (runs,) if runs else RUNS:
        for i in range(1, k):
            for ddof, divisor in enumerate(DIVISORS):
                share = np.sqrt(i * (k - i)) / k * np.sqrt(k / (k - ddof))
                signs = (1.0,) if k == 2 * i else (1.0, -1.0)  # two cells with equal shares are interchangeable
                asked = [MeansQuestion(numbers, values, leading, (i, k - i), share, sign) for sign in signs]
                found = np.concatenate([a.pairs(1.0) for a in asked])
                if not len(found):
                    continue
                printed = sum(1 + (n.deviation is not None) for n in numbers)
                wide = sum(len(a.pairs(WIDER)) for a in asked)
                yield Mixture(found, (i, k - i), divisor, float(wide / WIDER**printed), tried)


@dataclass(frozen=True)
class MeansQuestion:
    """Which pairs of cells have the printed numbers. leading: the number that says where to look; times: how many runs
    ended at each cell; share: of the cells' distance that the deviation is; sign: 1 where the first cell is higher."""

    numbers: Sequence[PrintedAccuracy]
    values: Sequence[Floats]
    leading: int
    times: tuple[int, int]
    share: float
    sign: float

    def pairs(self, wider: float) -> NDArray[np.intp]:
        """Rows [matches, 2] of the two cells, up to so many times the rounding."""
        i, k = self.times[0], sum(self.times)
        number, own = self.numbers[self.leading], self.values[self.leading]
        assert number.deviation is not None
        apart = self.sign * number.deviation / self.share
        centers = number.value + apart * (k - i) / k, number.value - apart * i / k
        slack = wider * (number.half + number.deviation_half / self.share) + EXACT
        first, second = (np.flatnonzero(np.abs(own - center) <= slack) for center in centers)
        fits = np.ones((len(first), len(second)), dtype=bool)
        for each, value in zip(self.numbers, self.values, strict=True):
            a, b = value[first][:, None], value[second][None, :]
            fits &= np.abs((i * a + (k - i) * b) / k - each.value) <= wider * each.half + EXACT
            if each.deviation is not None:
                fits &= np.abs(np.abs(a - b) * self.share - each.deviation) <= wider * each.deviation_half + EXACT
        found: Any = np.argwhere(fits)
        return np.stack([first[found[:, 0]], second[found[:, 1]]], axis=1)
