"""A signed-rank test that may be looked at after every pair: betting on the signs of ranked differences.

If differences are symmetric around zero, the sign of each is a fair coin, whatever its size and all that was before. So
is a bet on it: the product over pairs of 1 + lambda * sign * rank / number, with the rank of its size among those so
far (Reynolds, Annals of Statistics 3, 1975), is one at the start and in expectation ever after, and so is the mean of
such products over several lambdas (Vovk & Wang, NEJSDS 2, 2024, arXiv 2208.08925, of one number of pairs). That it ever
reaches 1 / level has at most the probability level (Ville 1939), however often it is looked at. What an expectation of
the bets is about is whether the sum of two differences is above zero, as Hodges and Lehmann's estimate is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil, inf, log
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.stats.intervals import Interval
from harness.stats.shift import POWER, Shift
from harness.stats.tests import MOST, Test, round_equal, subtract_pairs

Floats = NDArray[np.floating[Any]]
BETS = (0.1, 0.25, 0.5, 0.75, 0.95)
"""The lambdas: small ones find small shifts after many pairs, large ones large shifts after few."""
STUDIES = 400
"""That are made up to know how many pairs find a given share of better pairs."""
MOST_SIMULATED_PAIRS = 400


@dataclass(frozen=True, eq=False)
class Sequential(Shift):
    """A shift of paired runs, in the order in which they came, whose test and interval hold at every look at once: an
    interval is of the shifts that no look has rejected so far."""

    @property
    def kind(self) -> str:
        return "paired by seed, sequential signed-rank, which holds whenever it is looked at"

    def test_at(self, shift: float, most: int = MOST) -> Test:
        """The test of the hypothesis that new lies `shift` above base, by all looks so far."""
        signed = compute_signed_ranks(subtract_pairs(self.new - shift, self.base))
        less, greater = (
            min(1.0, 1 / max(1.0, float(compute_wealth(side * signed).max(initial=1.0)))) for side in (-1, 1)
        )
        n = len(signed)
        return Test(min(1.0, 2 * min(less, greater)), less, greater, self.smallest_p(n), (n, n))

    def bounds(self, below: float, above: float) -> Interval:
        """The same; all shifts where every one was rejected by some look (see `contradicts_itself`)."""
        if self.contradicts_itself(max(below, above)):
            return Interval(self.estimate, -inf, inf)
        return super().bounds(below, above)

    def contradicts_itself(self, level: float) -> bool:
        """Whether every shift was rejected by some look: the pairs that came first show another shift than those that
        came later, and the test is of pairs that are alike."""
        low, high = self._find_ends(level, level)
        # of tied differences a point may be left, which is rejected itself
        return low > high or (low == high and self.test_at(low).p <= level)

    def smallest_p(self, n: int) -> float:
        return min(1.0, 2 / float(compute_wealth(np.ones(n)).max(initial=1.0)))

    def estimate_n_for_seen(self, level: float) -> float:
        """Pairs after which such bets reach the level, at the pace of the pairs seen so far."""
        signed = compute_signed_ranks(subtract_pairs(self.new, self.base))
        side = -1 if self.direction == "lower" else 1
        pace = max(float(np.log1p(bet * side * signed).mean()) for bet in BETS)
        return ceil(log(2 * len(BETS) / level) / pace) if pace > 0 else inf

    def estimate_n_for_share(self, share: float, level: float) -> int:
        return count_pairs_to_notice(share, level)


def compute_signed_ranks(difference: Floats) -> Floats:
    """Of each difference its sign times the rank of its size among those up to it, over their number; ties have their
    mean rank, and zero counts for neither side."""
    size = np.abs(difference)
    before = np.tri(len(size), dtype=bool)
    below = ((size[None, :] < size[:, None]) & before).sum(axis=1)
    equal = ((size[None, :] == size[:, None]) & before).sum(axis=1)
    ranks = below + (equal + 1) / 2
    found: Floats = np.sign(difference) * ranks / np.arange(1, len(size) + 1)
    return found


def compute_wealth(signed: Floats) -> Floats:
    """What betting on the side above zero has made of one, after each pair: the mean over all bets.

    Args:
        signed: signed ranks [..., pairs].
    """
    with np.errstate(over="ignore"):
        every = [np.cumprod(1 + bet * signed, axis=-1) for bet in BETS]
        found: Floats = np.mean(every, axis=0)
    return found


def estimate_sequential_shift(new: ArrayLike, base: ArrayLike) -> Sequential:
    """The sequential shift between two groups of paired values, in the order in which they came."""
    x, y = round_equal(new, base)
    return Sequential(x, y, paired=True)


@cache
def count_pairs_to_notice(share: float, level: float) -> int:
    """Pairs that find, in four of five studies, a method that is better in this share of them, of normal differences;
    `MOST_SIMULATED_PAIRS` where those do not."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(float(scipy.stats.norm.ppf(share)), 1, (STUDIES, MOST_SIMULATED_PAIRS // 4))
    reached = np.array(
        [np.argmax(w >= 2 / level) + 1 if (w >= 2 / level).any() else MOST_SIMULATED_PAIRS for w in _make_paths(drawn)]
    )
    return int(np.quantile(reached, POWER, method="inverted_cdf"))


def _make_paths(drawn: Floats) -> list[Floats]:
    return [compute_wealth(compute_signed_ranks(each)) for each in drawn]
