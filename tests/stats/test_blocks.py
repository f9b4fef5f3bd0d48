"""The shift within blocks: beside the plain rank-sum test, and where only blocks differ."""

from itertools import combinations, product

import numpy as np
import pytest

from harness.stats.blocks import shift_within_blocks
from harness.stats.shift import shift_of


def test_one_block_is_the_rank_sum_test() -> None:
    rng = np.random.default_rng(0)
    new, base = rng.normal(1, 1, 7), rng.normal(0, 1, 6)
    one, plain = shift_within_blocks(new, base, ["a"] * 7, ["a"] * 6), shift_of(new, base, paired=False)
    assert one.test[:4] == pytest.approx(plain.test[:4])
    assert one.interval(0.05) == pytest.approx(plain.interval(0.05))
    assert one.share_above == plain.share_above


def test_p_is_counted_over_all_ways_to_deal_the_ranks_in_each_block() -> None:
    new, base = [3.0, 9.0, 11.0, 12.0], [1.0, 2.0, 10.0, 8.0, 13.0]
    of_new, of_base = ["a", "b", "b", "b"], ["a", "a", "b", "b", "b"]
    found = shift_within_blocks(new, base, of_new, of_base)
    seen = 3 + (2 + 4 + 5)  # of 1, 2, 3 in a; of 8, 9, 10, 11, 12, 13 in b
    sums = [i + sum(j) for i, j in product(range(1, 4), combinations(range(1, 7), 3))]
    assert found.test.greater == pytest.approx(np.mean([s >= seen for s in sums]))
    assert found.test.less == pytest.approx(np.mean([s <= seen for s in sums]))
    assert found.test.smallest == pytest.approx(2 / 60)


def test_a_difference_between_blocks_is_none_between_methods() -> None:
    """Seven of eight new runs on the slow machine: without blocks they look worse, within blocks they are not."""
    rng = np.random.default_rng(1)
    of_new, of_base = ["slow"] * 7 + ["fast"], ["fast"] * 7 + ["slow"]
    far = {"slow": 20.0, "fast": 0.0}
    shown = {"plain": 0, "blocked": 0}
    for _ in range(100):
        new, base = ([far[m] + rng.normal() for m in of] for of in (of_new, of_base))
        shown["plain"] += shift_of(new, base, paired=False).test.p <= 0.05
        shown["blocked"] += shift_within_blocks(new, base, of_new, of_base).test.p <= 0.05
    assert shown["plain"] > 90
    assert shown["blocked"] <= 12


def test_the_interval_lies_where_the_test_says() -> None:
    rng = np.random.default_rng(2)
    of = ["a"] * 8 + ["b"] * 8
    new, base = rng.normal(5, 1, 16) + np.repeat([0, 50], 8), rng.normal(0, 1, 16) + np.repeat([0, 50], 8)
    found = shift_within_blocks(new, base, of, of)
    estimate, low, high = found.interval(0.05)
    assert 0 < low < estimate < high
    assert found.test.p <= 0.05
    assert estimate == pytest.approx(5, abs=1)
    assert found.direction == "higher"
