"""A shift between groups of runs that belong to blocks, such as machines: only runs of one block are compared.

The ranks of a run are those within its block, and their sum is tested (van Elteren, Bulletin of the ISI 37, 1960, with
equal weights, so that sums are whole numbers and their null distribution is counted exactly). The estimate is the
median of all differences within blocks. With one block it is the rank-sum test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from math import comb, prod
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.stats.shift import Shift
from harness.stats.tests import MOST, Test, count_tails, rank_sum_counts, round_equal

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Blocked(Shift):
    """A shift of unpaired runs within blocks. of_new, of_base: the block of each run."""

    of_new: tuple[str, ...] = ()
    of_base: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "unpaired, rank-sum within machines"

    @cached_property
    def blocks(self) -> list[tuple[Floats, Floats]]:
        """The values of new and base in each block."""
        new, base = np.array(self.of_new), np.array(self.of_base)
        return [(self.new[new == name], self.base[base == name]) for name in dict.fromkeys(self.of_new)]

    def test_at(self, shift: float, most: int = MOST) -> Test:
        counts, observed = [], 0
        for new, base in self.blocks:
            x, y = round_equal(new - shift, base)
            doubled = np.rint(2 * scipy.stats.rankdata(np.concatenate([x, y]))).astype(int)
            observed += int(doubled[: len(x)].sum())
            counts.append(rank_sum_counts(doubled, len(x)))
        smallest = min(1.0, 2 / prod(comb(len(x) + len(y), len(x)) for x, y in self.blocks))
        return count_tails(reduce(np.convolve, counts), observed, smallest, (len(self.new), len(self.base)))

    @property
    def candidates(self) -> Floats:
        found = np.concatenate([(x[:, None] - y[None, :]).ravel() for x, y in self.blocks])
        (rounded,) = round_equal(found, scale=float(np.abs(np.concatenate([self.new, self.base])).max(initial=0)))
        return np.sort(rounded)

    @cached_property
    def share_above(self) -> float:
        return float((np.sign(self.candidates) + 1).mean() / 2)


def shift_within_blocks(new: ArrayLike, base: ArrayLike, of_new: Sequence[str], of_base: Sequence[str]) -> Blocked:
    """The shift within blocks, each of which has runs of both."""
    x, y = round_equal(new, base)
    return Blocked(x, y, False, tuple(of_new), tuple(of_base))
