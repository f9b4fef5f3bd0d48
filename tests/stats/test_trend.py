"""The test of trend against independent implementations and simulated studies."""

import numpy as np
import pytest
from scipy import stats

from harness.results.doses import choose_dose, parse_doses
from harness.stats.trend import estimate_trend


def test_one_group_is_kendall_s_test() -> None:
    rng = np.random.default_rng(0)
    for _ in range(8):
        x = np.repeat(np.arange(5.0), 3)
        y = rng.integers(0, 8, 15) + rng.choice([0.0, 1.0]) * x
        found = estimate_trend([(x, y)])
        assert found is not None
        known = stats.kendalltau(x, y, method="asymptotic")
        assert np.sign(found.gamma) == np.sign(known.statistic)
        assert found.test.p == pytest.approx(known.pvalue, abs=0.03 if known.pvalue > 0.02 else 0.005)
        assert found.gamma == pytest.approx(stats.somersd(x, y).statistic * pairs(x) / untied(x, y))


def pairs(x: np.ndarray) -> float:
    """Those that differ in the dose."""
    return float(np.abs(np.sign(x[:, None] - x)).sum() / 2)


def untied(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.abs(np.sign(x[:, None] - x) * np.sign(y[:, None] - y)).sum() / 2)


def test_groups_are_not_compared_with_each_other() -> None:
    """Within both groups values rise, over all of them they fall."""
    low, high = ([0.0, 1, 2, 3], [10.0, 11, 12, 13]), ([10.0, 11, 12, 13], [0.0, 1, 2, 3])
    both = estimate_trend([low, high])
    assert both is not None
    assert (both.gamma, both.n) == (1.0, 8)
    assert both.test.p < 0.01
    together = estimate_trend([(low[0] + high[0], low[1] + high[1])])
    assert together is not None
    assert together.gamma < 0
    assert estimate_trend([([1.0, 1.0], [2.0, 3.0])]) is None


def test_it_finds_a_trend_where_there_is_none_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    doses = np.repeat(np.arange(4.0), 3)
    found = [estimate_trend([(doses, rng.integers(0, 5, 12)), (doses, rng.normal(size=12))]) for _ in range(300)]
    share = np.mean([f is not None and f.test.p <= 0.05 for f in found])
    assert 0.015 <= share <= 0.085  # three standard errors of 300 studies beside 0.05


def test_doses_are_read_from_names() -> None:
    assert parse_doses("weight_decay=3e-4 drop_path=0") == {"weight_decay": 3e-4, "drop_path": 0.0}
    assert parse_doses("sdarts-adv") == {}
    assert parse_doses("epsilon = .03, steps=7") == {"epsilon": 0.03, "steps": 7.0}
    assert parse_doses("version=1.2.3 x=3a") == {}
    assert choose_dose(["a=1 b=1", "a=1 b=2", "a=2 b=3"]) == "b"
