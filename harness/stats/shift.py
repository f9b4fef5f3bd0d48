"""The shift between two groups of runs: estimate, exact interval, test and direction of one and the same quantity.

Paired runs: the median of the averages of any two differences (Hodges & Lehmann, Annals of Mathematical Statistics 34,
1963), and the interval of all shifts that the signed-rank test does not reject. Unpaired: the median of all differences
between a run of one and a run of the other, and the shifts that the rank-sum test does not reject. So the interval is
without zero where p is at most its level, and nowhere else, and lies on the side that the test found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import ceil, inf, log2, nextafter
from typing import Any, Literal

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.stats.intervals import Interval
from harness.stats.tests import (
    MOST,
    Test,
    compare_signed_rank,
    compute_smallest_rank_sum_p,
    compute_smallest_signed_rank_p,
    largest_of,
    rank_sum,
    round_equal,
)

Floats = NDArray[np.floating[Any]]
Direction = Literal["lower", "higher", "neither"]
MOST_A_SHIFT = 5 * 10**6
"""Additions of a null distribution that is counted for a shift other than zero: an interval asks for some thirty."""
POWER = 0.8


@dataclass(frozen=True, eq=False)
class Shift:
    """How far the values of new lie above those of base.

    new, base: values [runs], without NaN; paired: in the order of their pairs.
    """

    new: Floats
    base: Floats
    paired: bool

    @property
    def kind(self) -> str:
        """The name of the test."""
        return "paired by seed, signed-rank" if self.paired else "unpaired, rank-sum"

    def test_at(self, shift: float, most: int = MOST) -> Test:
        """The test of the hypothesis that new lies `shift` above base."""
        return (compare_signed_rank if self.paired else rank_sum)(self.new - shift, self.base, most)

    @cached_property
    def test(self) -> Test:
        """The test of no shift."""
        return self.test_at(0.0)

    @property
    def direction(self) -> Direction:
        """To which side the test points, however weakly."""
        if self.test.less == self.test.greater:
            return "neither"
        return "lower" if self.test.less < self.test.greater else "higher"

    @property
    def candidates(self) -> Floats:
        """The shifts at which a rank changes: averages of any two differences, or all differences; ascending. Not kept,
        as of thousands of runs they are millions."""
        if self.paired:
            difference = self.new - self.base
            found = np.add.outer(difference, difference)[np.tri(len(difference), dtype=bool)]
            found /= 2
        else:
            found = (self.new[:, None] - self.base[None, :]).ravel()
        (rounded,) = round_equal(found, scale=largest_of([self.new, self.base]))
        rounded.sort()
        return rounded

    @property
    def estimate(self) -> float:
        """The shift as Hodges and Lehmann estimate it."""
        return self._seen[0]

    def interval(self, level: float) -> Interval:
        """The estimate and the shifts that a two-sided test at the level does not reject; infinite on a side where so
        few runs reject none."""
        return self.bounds(level, level)

    def bounds(self, below: float, above: float) -> Interval:
        """The same with a level of its own for the lower and for the upper bound, each halved as that of a two-sided
        test is."""
        low, high = self._find_ends(below, above)
        # a tie at zero may be told otherwise than the shifts beside it: what the test says of zero holds
        low = max(low, nextafter(0.0, inf)) if self.test.greater <= below / 2 else min(low, 0.0)
        high = min(high, nextafter(0.0, -inf)) if self.test.less <= above / 2 else max(high, 0.0)
        if low > high:  # ties at zero again: what is not rejected is too little to be told from zero
            low = high = low if self.test.greater <= below / 2 else high
        return Interval(min(max(self.estimate, low), high), low, high)

    def _find_ends(self, below: float, above: float) -> tuple[float, float]:
        """Up to where shifts are rejected as too low, and from where as too high."""
        low = self._last_rejected(below / 2, lambda test: test.greater)
        return low, self._first_rejected(above / 2, lambda test: test.less)

    def _last_rejected(self, level: float, tail: Callable[[Test], float]) -> float:
        """Up to where shifts are rejected as too low."""
        points = self._points
        place = self._first(lambda gap: tail(self._test_in(gap)) > level)
        return -inf if place == 0 else float(points[place - 1])

    def _first_rejected(self, level: float, tail: Callable[[Test], float]) -> float:
        """From where shifts are rejected as too high."""
        points = self._points
        place = self._first(lambda gap: tail(self._test_in(gap)) <= level)
        return inf if place > len(points) else float(points[place - 1])

    @property
    def _points(self) -> Floats:
        return self._seen[1]

    @cached_property
    def _seen(self) -> tuple[float, Floats]:
        """The median of the candidates, and each different one, ascending."""
        found = self.candidates
        return float(np.median(found)), found[np.append(True, found[1:] != found[:-1])[: len(found)]]

    def _test_in(self, gap: int) -> Test:
        """The test between two neighboring candidates; gap 0 is below all, the last above all."""
        points = self._points
        if gap == 0:
            at = points[0] - 1
        elif gap == len(points):
            at = points[-1] + 1
        else:
            at = (points[gap - 1] + points[gap]) / 2
        return self.test_at(float(at), MOST_A_SHIFT)

    def _first(self, holds: Callable[[int], bool]) -> int:
        """The first gap in which it holds, by bisection; one after the last if it holds in none."""
        low, high = 0, len(self._points) + 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if holds(middle) else (middle + 1, high)
        return low

    def smallest_p(self, n: int) -> float:
        """The least two-sided p that so many pairs, or runs of each, can give."""
        return compute_smallest_signed_rank_p(n) if self.paired else compute_smallest_rank_sum_p(n, n)

    @cached_property
    def share_above(self) -> float:
        """The share of sums of two differences (paired), or of differences between a run of each, above zero; ties
        half."""
        if not self.paired:
            return float((np.sign(self.new[:, None] - self.base[None, :]) + 1).mean() / 2)
        first, second = np.triu_indices(len(self.new), 1)
        difference = self.new - self.base
        return float((np.sign(difference[first] + difference[second]) + 1).mean() / 2) if len(first) else 0.5

    def estimate_n_for_seen(self, level: float) -> float:
        """Pairs, or runs of each, that find what was seen in four of five studies, infinite where nothing was: by
        Noether's formulas (JASA 82, 1987), of the share seen. An estimate from so few runs as there are."""
        quantiles = float(scipy.stats.norm.ppf(1 - level / 2) + scipy.stats.norm.ppf(POWER)) ** 2
        beyond = (self.share_above - 0.5) ** 2
        return ceil(quantiles / ((3 if self.paired else 6) * beyond)) if beyond else inf

    def estimate_n_for_share(self, share: float, level: float) -> int:
        """Pairs, or runs of each, that find in four of five studies a method that is better in this share of all
        comparisons."""
        return count_runs_to_notice(share, level, paired=self.paired)

    def detectable(self, level: float) -> float:
        """The shift that four of five such studies would find at the level, by the width of the interval; infinite
        where the interval is."""
        estimate, low, high = self.interval(level)
        quantile = float(scipy.stats.norm.ppf(1 - level / 2))
        return max(estimate - low, high - estimate) * (quantile + float(scipy.stats.norm.ppf(POWER))) / quantile


def shift_of(new: ArrayLike, base: ArrayLike, *, paired: bool) -> Shift:
    """The shift between two groups of values, without NaN."""
    x, y = round_equal(new, base)
    return Shift(x, y, paired)


def count_runs_to_notice(share: float, level: float, *, paired: bool) -> int:
    """Runs of each method that find, in four of five studies, a method that is better in this share of all comparisons.

    By Noether's formulas (JASA 82, 1987) for values that are normal; never fewer than can reach the level at all.
    share: of pairs (paired), or of pairings of any two runs, above 1/2.
    """
    normal = scipy.stats.norm
    quantiles = float(normal.ppf(1 - level / 2) + normal.ppf(POWER)) ** 2
    if paired:
        both = float(normal.cdf(2**0.5 * normal.ppf(share)))  # the sum of two differences is on the better side
        needed, fewest = quantiles / (3 * (both - 0.5) ** 2), 1 + log2(1 / level)
    else:
        needed, fewest = quantiles / (6 * (share - 0.5) ** 2), 2.0
    return int(np.ceil(max(needed, fewest)))
