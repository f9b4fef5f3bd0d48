"""What a spread is made of: variance components of designs in which every factor is random.

Crossed: the variance is the sum of a part for every set of factors, which they have together and no fewer of them have.
Parts are those whose expected mean squares are the ones that were seen (analysis of variance; of balanced designs the
same as restricted maximum likelihood, where none is below zero). Their intervals are those of the ratio of each mean
square to its expectation (generalized pivotal quantities: Weerahandi, JASA 88, 1993; Hannig et al., JASA 101,
2006): chi-squared where effects are normal; else as effects that are drawn again from those that were seen give it,
centered and brought to the variance of their part (Carpenter, Goldstein & Rasbash, Applied Statistics 52, 2003).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from harness.stats.intervals import Interval

Floats = NDArray[np.floating[Any]]
Axes = tuple[int, ...]
DRAWS = 4000
"""Of the ratios that intervals are made of."""
NORMAL = 0.05
"""The p of Shapiro and Wilk's test below which effects are not taken for normal."""
FEWEST = 8
"""Effects that this test can be asked about."""


@dataclass(frozen=True)
class VariancePart:
    """A factor's part of a variance. alone: what it has by itself; whole: with all that it has together with others:
    what goes when this factor does not vary. share: of what all have; of crossed factors that of `alone`. falls: by
    what share the variance of a result falls where this factor is drawn twice and averaged: half of what is whole."""

    alone: Interval
    whole: Interval
    share: Interval
    falls: Interval


@dataclass(frozen=True)
class Parts:
    """What a variance is made of. factors: in their order. together: all that two or more factors have together, and
    none alone. total: of a run that draws everything anew. normal: whether effects are taken for normal."""

    factors: dict[str, VariancePart]
    together: VariancePart
    total: Interval
    normal: bool


def estimate_crossed(values: ArrayLike, names: Sequence[str], level: float = 0.05) -> Parts:
    """The parts of factors that are crossed, one run at each of their meetings.

    Args:
        values: an axis a factor, of two levels or more.
        names: of the factors.
        level: 0.05 for intervals of 95 %.

    Returns:
        Where Shapiro and Wilk's test finds that what factors have together is not normal, the wider of both kinds of
        interval.
    """
    seen = np.asarray(values, dtype=float)
    shape, last = seen.shape, tuple(range(seen.ndim))
    effects = compute_effects(seen)
    squares = {axes: compute_mean_square(effect, axes, shape) for axes, effect in effects.items()}
    joint = [effect for axes, effect in effects.items() if len(axes) > 1] or [effects[last]]
    parts, normal = solve(squares, shape), is_normal(np.ravel(sum(joint)))
    ratios = [draw_chi_squared(shape)] + ([] if normal else [redraw_effects(effects, parts, shape)])
    drawn = [solve({axes: np.asarray(squares[axes] / each[axes]) for axes in squares}, shape) for each in ratios]
    groups = [[(axis,)] for axis in last] + [[axes for axes in parts if len(axes) > 1]]
    wholes = [[axes for axes in parts if axis in axes] for axis in last]
    shares = find_widest([estimate_shares(parts, each, groups, level) for each in drawn])
    falls = find_widest([estimate_falls(parts, each, wholes, level) for each in drawn])

    def of(group: Sequence[Axes]) -> Interval:
        estimate = sum((parts[a] for a in group), np.zeros(()))
        return find_widest(
            [[compute_quantiles(estimate, sum((each[a] for a in group), np.zeros(1)), level)] for each in drawn]
        )[0]

    found = {
        name: VariancePart(of(groups[axis]), of(wholes[axis]), shares[axis], falls[axis])
        for axis, name in enumerate(names)
    }
    both = of(groups[-1])
    return Parts(found, VariancePart(both, both, shares[-1], NOT_KNOWN), estimate_total(squares, shape, level), normal)


def estimate_shares(
    parts: Mapping[Axes, Any], drawn: Mapping[Axes, Any], groups: Sequence[Sequence[Axes]], level: float
) -> list[Interval]:
    """What share of the sum the parts of each group have, those below zero taken for none."""

    def split(these: Mapping[Axes, Any]) -> Floats:
        none = np.zeros_like(next(iter(these.values())))
        sums = np.array([np.maximum(sum((these[a] for a in group), none), 0.0) for group in groups])
        whole = sums.sum(axis=0)
        found: Floats = np.divide(sums, whole, out=np.zeros_like(sums), where=whole > 0)
        return found

    seen, again = split({axes: np.atleast_1d(part) for axes, part in parts.items()}), split(drawn)
    return [compute_quantiles(float(own[0]), draws, level) for own, draws in zip(seen, again, strict=True)]


def estimate_falls(
    parts: Mapping[Axes, Any], drawn: Mapping[Axes, Any], wholes: Sequence[Sequence[Axes]], level: float
) -> list[Interval]:
    """Half of the share that the parts of each whole have of all parts, those below zero taken for none."""

    def half(these: Mapping[Axes, Any]) -> list[Floats]:
        kept = {axes: np.maximum(np.atleast_1d(part), 0.0) for axes, part in these.items()}
        every = sum(kept.values(), np.zeros(1))
        return [
            np.divide(sum(kept[a] for a in whole) / 2, every, out=np.zeros_like(every), where=every > 0)
            for whole in wholes
        ]

    return [compute_quantiles(float(own[0]), again, level) for own, again in zip(half(parts), half(drawn), strict=True)]


def estimate_total(squares: Mapping[Axes, Any], shape: Sequence[int], level: float) -> Interval:
    """The sum of all parts, with the interval of a sum of mean squares, each with a factor of its own (Graybill & Wang,
    JASA 75, 1980); those with a factor below zero count to the other side (Ting et al., 1990, without the terms that
    would narrow it)."""
    unit = {axes: {own: float(own == axes) for own in squares} for axes in squares}
    factors = {axes: sum(solve(unit[axes], shape).values()) for axes in squares}
    below, above = 0.0, 0.0
    for axes, factor in factors.items():
        free, term = count_freedom(axes, shape), (factor * squares[axes]) ** 2
        down = (1 - free / scipy.stats.chi2.ppf(1 - level / 2, free)) ** 2 * term
        up = (free / scipy.stats.chi2.ppf(level / 2, free) - 1) ** 2 * term
        below, above = below + (down if factor > 0 else up), above + (up if factor > 0 else down)
    estimate = float(sum(factor * squares[axes] for axes, factor in factors.items()))
    return Interval(max(0.0, estimate), max(0.0, estimate - below**0.5), max(0.0, estimate + above**0.5))


def find_widest(kinds: Sequence[Sequence[Interval]]) -> list[Interval]:
    """Of several kinds of intervals of the same numbers, from the lowest end to the highest."""
    return [
        Interval(own[0].estimate, min(i.low for i in own), max(i.high for i in own)) for own in zip(*kinds, strict=True)
    ]


def estimate_one_at_a_time(
    groups: Mapping[str, Sequence[ArrayLike]], level: float = 0.05
) -> tuple[dict[str, VariancePart], bool]:
    """The part of each factor that was varied alone: the mean of its variance around each of several seeds.

    Args:
        groups: by factor, the values of its levels around each seed.
        level: 0.05 for intervals of 95 %.

    Returns:
        The parts, `alone` not known, and whether values are taken for normal around each seed; where not, an interval
        is the wider one of chi-squared's and that of seeds drawn again. Shares are of the sum of all parts, which holds
        what two factors have together twice.
    """
    rng = np.random.default_rng(0)
    inside = {name: [np.asarray(v, dtype=float) for v in sets] for name, sets in groups.items()}
    # each factor in its own spread: factors that differ in it would not look normal together
    spreads = {name: np.concatenate([v - v.mean() for v in sets]) for name, sets in inside.items()}
    around = np.concatenate([v / (np.sqrt((v**2).mean()) or 1.0) for v in spreads.values()])
    normal = is_normal(around)
    variances, drawn = {}, {}
    for name, sets in inside.items():
        squares = np.array([((v - v.mean()) ** 2).sum() for v in sets])
        free = np.array([len(v) - 1 for v in sets])
        variances[name] = float(squares.sum() / free.sum())
        ratios = [rng.chisquare(free.sum(), DRAWS) / free.sum()]
        if not normal and variances[name]:
            again = rng.integers(len(sets), size=(DRAWS, len(sets)))
            ratios.append(np.maximum(squares[again].sum(axis=1) / free[again].sum(axis=1) / variances[name], TINY))
        drawn[name] = [variances[name] / ratio for ratio in ratios]
    whole = {
        name: find_widest([[compute_quantiles(variances[name], d, level)] for d in drawn[name]])[0] for name in inside
    }
    every = sum(variances.values())
    kinds = range(max(map(len, drawn.values())))
    shares = {}
    for name in inside:
        each = [{other: d[min(kind, len(d) - 1)] for other, d in drawn.items()} for kind in kinds]
        found = [[compute_quantiles(variances[name] / every, d[name] / sum(d.values()), level)] for d in each if every]
        shares[name] = find_widest(found)[0] if found else Interval(0.0, 0.0, 0.0)
    return {name: VariancePart(NOT_KNOWN, whole[name], shares[name], NOT_KNOWN) for name in inside}, normal


NOT_KNOWN = Interval(float("nan"), float("nan"), float("nan"))


def compute_effects(values: Floats) -> dict[Axes, Floats]:
    """What each set of the last axes adds to the mean, beyond what fewer of them add: it sums to zero over every axis.
    Axes before them are of values apart."""
    count = values.ndim
    return {axes: effect for axes, effect in _compute_effects(values, count).items() if axes}


def _compute_effects(values: Floats, count: int) -> dict[Axes, Floats]:
    """What each set of the last axes adds, as in `compute_effects`, with the mean as the effect of no axis."""
    first = values.ndim - count
    found: dict[Axes, Floats] = {}
    for size in range(count + 1):
        for axes in combinations(range(count), size):
            others = tuple(first + axis for axis in range(count) if axis not in axes)
            mean = values.mean(axis=others, keepdims=True)
            found[axes] = mean - sum(effect for own, effect in found.items() if set(own) < set(axes))
    return found


def compute_mean_square(effect: Floats, axes: Axes, shape: Sequence[int]) -> Any:
    """The mean square of a set of axes; of each of the values apart, where there are such."""
    own = tuple(range(effect.ndim - len(shape), effect.ndim))
    times = prod(n for axis, n in enumerate(shape) if axis not in axes)
    return (effect**2).sum(axis=own) * times / count_freedom(axes, shape)


def count_freedom(axes: Axes, shape: Sequence[int]) -> int:
    """Degrees of freedom of a set of axes."""
    return prod(shape[axis] - 1 for axis in axes)


def solve(squares: Mapping[Axes, Any], shape: Sequence[int]) -> dict[Axes, Any]:
    """The parts of which these mean squares are the expected ones: that of a set of axes has the parts of all sets that
    hold it, each as often as its own levels are repeated."""
    found: dict[Axes, Any] = {}
    for axes in sorted(squares, key=len, reverse=True):
        above = sum(count_repeats(own, shape) * part for own, part in found.items() if set(axes) < set(own))
        found[axes] = (squares[axes] - above) / count_repeats(axes, shape)
    return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))


def count_repeats(axes: Axes, shape: Sequence[int]) -> int:
    """How many values share a level of these axes."""
    return prod(n for axis, n in enumerate(shape) if axis not in axes)


def compute_expected(parts: Mapping[Axes, Any], shape: Sequence[int]) -> dict[Axes, Any]:
    """The mean squares that are to be expected of parts."""
    return {
        axes: sum(count_repeats(own, shape) * part for own, part in parts.items() if set(axes) <= set(own))
        for axes in parts
    }


def draw_chi_squared(shape: Sequence[int]) -> dict[Axes, Floats]:
    """Draws of mean squares over their expectations, where effects are normal."""
    rng = np.random.default_rng(0)
    sets = [axes for size in range(1, len(shape) + 1) for axes in combinations(range(len(shape)), size)]
    return {axes: rng.chisquare(count_freedom(axes, shape), DRAWS) / count_freedom(axes, shape) for axes in sets}


def redraw_effects(
    effects: Mapping[Axes, Floats], parts: Mapping[Axes, Any], shape: Sequence[int]
) -> dict[Axes, Floats]:
    """The same, of effects that are drawn from those that were seen."""
    rng = np.random.default_rng(0)
    kept = {axes: max(0.0, float(part)) for axes, part in parts.items()}
    values = np.zeros((DRAWS, *shape))
    for axes, effect in effects.items():
        pool = effect.ravel() - effect.mean()
        spread = float(np.sqrt((pool**2).mean()))
        if spread and kept[axes]:
            size = [n if axis in axes else 1 for axis, n in enumerate(shape)]
            values += rng.choice(pool / spread * kept[axes] ** 0.5, size=(DRAWS, *size))
    usual = compute_expected(kept, shape)
    again = {axes: effect for axes, effect in _compute_effects(values, len(shape)).items() if axes}
    found = {}
    for axes, effect in again.items():
        square = compute_mean_square(effect, axes, shape)
        found[axes] = np.maximum(square / usual[axes], TINY) if usual[axes] else np.ones(DRAWS)
    return found


TINY = 1e-12
"""The least ratio of a mean square to its expectation: draws may be all alike."""


def is_normal(effects: Floats) -> bool:
    """Whether nothing speaks against it: of a few values, or of equal ones, nothing does."""
    if len(effects) < FEWEST or np.ptp(effects) == 0:
        return True
    return bool(scipy.stats.shapiro(effects).pvalue >= NORMAL)


def compute_quantiles(estimate: Any, drawn: Any, level: float) -> Interval:
    """A number with the interval of its draws, none of the three below zero."""
    low, high = np.quantile(np.asarray(drawn), [level / 2, 1 - level / 2])
    least, middle, most = (max(0.0, float(v)) for v in (low, estimate, high))
    return Interval(middle, min(least, middle), max(most, middle))
