"""Variance components: of made-up values with known parts, and beside statsmodels' restricted maximum likelihood."""

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

from harness.stats.components import (
    Axes,
    compute_effects,
    compute_expected,
    estimate_crossed,
    estimate_one_at_a_time,
    solve,
)


def made(shape: tuple[int, ...], parts: Mapping[Axes, float], rng: np.random.Generator) -> np.ndarray:
    """Values whose sets of axes have normal effects of these variances."""
    values = np.zeros(shape)
    for axes, variance in parts.items():
        size = [n if axis in axes else 1 for axis, n in enumerate(shape)]
        values = values + rng.standard_normal(size) * variance**0.5
    return values


def test_effects_add_up_and_sum_to_zero() -> None:
    values = made((3, 4, 2), {(0,): 2.0, (0, 1, 2): 1.0}, np.random.default_rng(0))
    effects = compute_effects(values)
    assert len(effects) == 7
    assert sum(effects.values()) + values.mean() == pytest.approx(values)
    for axes, effect in effects.items():
        for axis in axes:
            assert effect.sum(axis=axis) == pytest.approx(0, abs=1e-12)


def test_parts_and_expected_mean_squares_are_one_another_s_inverse() -> None:
    rng = np.random.default_rng(0)
    parts = {axes: float(rng.random()) for axes in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))}
    assert solve(compute_expected(parts, (3, 4, 2)), (3, 4, 2)) == pytest.approx(parts)


def test_two_crossed_factors_are_what_restricted_maximum_likelihood_finds() -> None:
    values = made((8, 7), {(0,): 5.0, (1,): 3.0, (0, 1): 1.0}, np.random.default_rng(3))
    rows, columns = np.indices(values.shape)
    frame = pd.DataFrame({"y": values.ravel(), "a": rows.ravel(), "b": columns.ravel(), "all": 1})
    parts = {"a": "0 + C(a)", "b": "0 + C(b)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MixedLM.from_formula("y ~ 1", groups="all", vc_formula=parts, re_formula="0", data=frame)
        known = model.fit(reml=True)
    found = estimate_crossed(values, ("a", "b"))
    assert [p.alone.estimate for p in found.factors.values()] == pytest.approx(known.vcomp, rel=1e-3)
    assert found.together.alone.estimate == pytest.approx(known.scale, rel=1e-3)


@pytest.mark.parametrize(
    ("shape", "parts"),
    [
        ((4, 3, 3), {(0,): 4.0, (1,): 1.0, (2,): 1.0, (0, 1): 1.0, (0, 1, 2): 3.0}),
        ((6, 5), {(0,): 8.0, (0, 1): 1.0}),
        ((5, 5), {(0, 1): 9.0}),
    ],
)
def test_known_parts_are_found_and_covered(shape: tuple[int, ...], parts: dict[Axes, float]) -> None:
    """Of 120 made-up studies: the mean estimate, and how often an interval of 90 % holds what is true."""
    rng, studies = np.random.default_rng(1), 120
    total = sum(parts.values())
    alone = parts.get((0,), 0.0)
    whole = sum(v for axes, v in parts.items() if 0 in axes)
    truth = (alone, whole, alone / total, whole / total / 2, total)
    covered, means = np.zeros(5), np.zeros(5)
    for _ in range(studies):
        found = estimate_crossed(made(shape, parts, rng), "abc"[: len(shape)], 0.1)
        first = found.factors["a"]
        intervals = (first.alone, first.whole, first.share, first.falls, found.total)
        covered += [i.low - 1e-9 <= t <= i.high + 1e-9 for i, t in zip(intervals, truth, strict=True)]
        means += [i.estimate / studies for i in intervals]
    assert covered.min() >= 0.82 * studies, covered  # three standard errors below
    assert means[[1, 4]] == pytest.approx([whole, total], rel=0.25)


def test_what_does_not_vary_has_no_part() -> None:
    found = estimate_crossed(np.arange(3.0)[:, None] * np.ones((3, 2)), ("a", "b"))
    assert found.factors["a"].alone == pytest.approx((1.0, 1 / 3.69, 39.5), rel=0.1)
    assert found.factors["a"].share.estimate == 1
    assert found.factors["b"].whole == pytest.approx((0, 0, 0), abs=1e-12)
    assert found.together.alone == pytest.approx((0, 0, 0), abs=1e-12)
    assert estimate_crossed([1.0, 2.0, 4.0], ("a",)).factors["a"].alone.estimate == pytest.approx(7 / 3)


def test_an_outlier_widens_what_is_not_normal() -> None:
    values = made((6, 6), {(0, 1): 1.0}, np.random.default_rng(0))
    assert estimate_crossed(values, ("a", "b")).normal
    values[0, 0] += 40
    assert not estimate_crossed(values, ("a", "b")).normal


def test_one_at_a_time_is_the_mean_variance_around_a_seed() -> None:
    rng = np.random.default_rng(2)
    sets = {
        "a": [rng.normal(m, 2, 5) for m in (0, 50, 9)],
        "b": [rng.normal(m, 1, 5) for m in (0, 50, 9)],
        "c": [[1, 1]],
    }
    found, normal = estimate_one_at_a_time(sets)
    assert normal
    for name in ("a", "b"):
        assert found[name].whole.estimate == pytest.approx(np.mean([np.var(v, ddof=1) for v in sets[name]]))
        assert found[name].whole.low < found[name].whole.estimate < found[name].whole.high
    assert sum(part.share.estimate for part in found.values()) == pytest.approx(1)
    assert found["c"].whole == (0, 0, 0)


def test_intervals_of_one_at_a_time_cover() -> None:
    rng, studies = np.random.default_rng(4), 200
    covered = 0
    for _ in range(studies):
        found, _ = estimate_one_at_a_time({"a": [rng.normal(m, 3, 4) for m in (0, 20, 7, 2)]}, 0.1)
        covered += found["a"].whole.low <= 9 <= found["a"].whole.high
    assert covered >= 0.83 * studies
