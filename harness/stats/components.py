"""What a spread is made of: variance components of designs in which every factor is random.

Crossed: the variance is the sum of a part for every set of factors, which they have together and no fewer of them have.
Parts are those whose expected mean squares are the ones that were seen (analysis of variance; of balanced designs the
same as restricted maximum likelihood, where none is below zero). Their intervals are those of the ratio of each mean
square to its expectation (generalized pivotal quantities: Weerahandi, JASA 88, 1993; Hannig, Iyer & Patterson, JASA 101,
2006): chi-squared where effects are normal; else as effects that are drawn again from those that were seen give it,
centred and brought to the variance of their part (Carpenter, Goldstein & Rasbash, Applied Statistics 52, 2003).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import shapiro

from harness.stats.intervals import Interval

Floats = NDArray[np.floating[Any]]
Axes = tuple[int, ...]
DRAWS = 4000
"""Of the ratios that intervals are made of."""
NORMAL = 0.05
"""The p of Shapiro and Wilk's test below which effects are not taken for normal."""
FEWEST = 3
"""Effects that this test can be asked about."""


@dataclass(frozen=True)
class Part:
    """A factor's part of a variance. alone: what it has by itself, of crossed factors; NaN where the design cannot
    tell. whole: with all that it has together with others: what goes when this factor does not vary."""

    alone: Interval
    whole: Interval


@dataclass(frozen=True)
class Parts:
    """What a variance is made of. factors: in their order. together: all that two or more factors have together, and
    none alone. total: of a run that draws everything anew. normal: whether intervals take effects for normal."""

    factors: dict[str, Part]
    together: Interval
    total: Interval
    normal: bool

    def __post_init__(self) -> None:
        assert self.factors


def crossed(values: ArrayLike, names: Sequence[str], level: float = 0.05, *, normal: bool | None = None) -> Parts:
    """The parts of factors that are crossed, one run at each of their meetings.

    Args:
        values: an axis a factor, of two levels or more.
        names: of the factors.
        level: 0.05 for intervals of 95 %.
        normal: whether effects are taken for normal; if not said, where Shapiro and Wilk's test finds nothing against
            it in the effects of all factors together.
    """
    seen = np.asarray(values, dtype=float)
    effects = effects_of(seen)
    squares = {axes: mean_square(effect, axes, seen.shape) for axes, effect in effects.items()}
    parts = solve(squares, seen.shape)
    if normal is None:
        normal = is_normal(effects[tuple(range(seen.ndim))].ravel())
    ratios = chi_squared(seen.shape) if normal else redrawn(effects, parts, seen.shape)
    drawn = solve({axes: np.asarray(squares[axes] / ratio) for axes, ratio in ratios.items()}, seen.shape)

    def of(chosen: Sequence[Axes]) -> Interval:
        return interval(sum(parts[a] for a in chosen), sum(drawn[a] for a in chosen), level)

    found = {
        name: Part(of([(axis,)]), of([axes for axes in parts if axis in axes])) for axis, name in enumerate(names)
    }
    return Parts(found, of([axes for axes in parts if len(axes) > 1]), of(list(parts)), normal)


def one_at_a_time(
    groups: Mapping[str, Sequence[ArrayLike]], level: float = 0.05, *, normal: bool | None = None
) -> dict[str, Part]:
    """The part of each factor that was varied alone: the mean of its variance around each of several seeds.

    Args:
        groups: by factor, the values of its levels around each seed.
        level: 0.05 for intervals of 95 %.
        normal: whether values are taken for normal around each seed; if not said, where the test finds nothing against.
    """
    rng = np.random.default_rng(0)
    found = {}
    for name, sets in groups.items():
        inside = [np.asarray(values, dtype=float) for values in sets if len(np.asarray(values)) > 1]
        squares = np.array([((v - v.mean()) ** 2).sum() for v in inside])
        free = np.array([len(v) - 1 for v in inside])
        variance = squares.sum() / free.sum()
        taken = is_normal(np.concatenate([v - v.mean() for v in inside])) if normal is None else normal
        if taken or not variance:
            ratio = rng.chisquare(free.sum(), DRAWS) / free.sum()
        else:
            again = rng.integers(len(inside), size=(DRAWS, len(inside)))
            ratio = squares[again].sum(axis=1) / free[again].sum(axis=1) / variance
        with np.errstate(divide="ignore"):
            found[name] = Part(NOT_KNOWN, interval(variance, variance / ratio if variance else 0 * ratio, level))
    return found


NOT_KNOWN = Interval(float("nan"), float("nan"), float("nan"))


def effects_of(values: Floats) -> dict[Axes, Floats]:
    """What each set of the last axes adds to the mean, beyond what fewer of them add: it sums to zero over every axis.
    Axes before them are of values apart."""
    count = values.ndim
    return {axes: effect for axes, effect in _effects(values, count).items() if axes}


def _effects(values: Floats, count: int) -> dict[Axes, Floats]:
    """The same, with the mean as the effect of no axis."""
    first = values.ndim - count
    found: dict[Axes, Floats] = {}
    for size in range(count + 1):
        for axes in combinations(range(count), size):
            others = tuple(first + axis for axis in range(count) if axis not in axes)
            mean = values.mean(axis=others, keepdims=True)
            found[axes] = mean - sum(effect for own, effect in found.items() if set(own) < set(axes))
    return found


def mean_square(effect: Floats, axes: Axes, shape: Sequence[int]) -> Any:
    """The mean square of a set of axes; of each of the values apart, where there are such."""
    own = tuple(range(effect.ndim - len(shape), effect.ndim))
    times = prod(n for axis, n in enumerate(shape) if axis not in axes)
    return (effect**2).sum(axis=own) * times / freedom(axes, shape)


def freedom(axes: Axes, shape: Sequence[int]) -> int:
    """Degrees of freedom of a set of axes."""
    return prod(shape[axis] - 1 for axis in axes)


def solve(squares: Mapping[Axes, Any], shape: Sequence[int]) -> dict[Axes, Any]:
    """The parts of which these mean squares are the expected ones: that of a set of axes has the parts of all sets that
    hold it, each as often as its own levels are repeated."""
    found: dict[Axes, Any] = {}
    for axes in sorted(squares, key=len, reverse=True):
        above = sum(repeats(own, shape) * part for own, part in found.items() if set(axes) < set(own))
        found[axes] = (squares[axes] - above) / repeats(axes, shape)
    return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))


def repeats(axes: Axes, shape: Sequence[int]) -> int:
    """How many values share a level of these axes."""
    return prod(n for axis, n in enumerate(shape) if axis not in axes)


def expected(parts: Mapping[Axes, Any], shape: Sequence[int]) -> dict[Axes, Any]:
    """The mean squares that are to be expected of parts."""
    return {
        axes: sum(repeats(own, shape) * part for own, part in parts.items() if set(axes) <= set(own)) for axes in parts
    }


def chi_squared(shape: Sequence[int]) -> dict[Axes, Floats]:
    """Draws of mean squares over their expectations, where effects are normal."""
    rng = np.random.default_rng(0)
    sets = [axes for size in range(1, len(shape) + 1) for axes in combinations(range(len(shape)), size)]
    return {axes: rng.chisquare(freedom(axes, shape), DRAWS) / freedom(axes, shape) for axes in sets}


def redrawn(effects: Mapping[Axes, Floats], parts: Mapping[Axes, Any], shape: Sequence[int]) -> dict[Axes, Floats]:
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
    usual = expected(kept, shape)
    again = {axes: effect for axes, effect in _effects(values, len(shape)).items() if axes}
    found = {}
    for axes, effect in again.items():
        square = mean_square(effect, axes, shape)
        found[axes] = np.maximum(square / usual[axes], TINY) if usual[axes] else np.ones(DRAWS)
    return found


TINY = 1e-12
"""The least ratio of a mean square to its expectation: draws may be all alike."""


def is_normal(effects: Floats) -> bool:
    """Whether nothing speaks against it: of a few values, or of equal ones, nothing does."""
    if len(effects) < FEWEST or np.ptp(effects) == 0:
        return True
    return bool(shapiro(effects).pvalue >= NORMAL)


def interval(estimate: Any, drawn: Any, level: float) -> Interval:
    """A variance with its interval, none of the three below zero."""
    low, high = np.quantile(np.asarray(drawn), [level / 2, 1 - level / 2])
    least, middle, most = (max(0.0, float(v)) for v in (low, estimate, high))
    return Interval(middle, min(least, middle), max(most, middle))
