"""How flat a table is around an architecture, and between two: no search, no network, the table alone.

After Gambella, Pittorino & Roveri (arXiv 2503.10404), by their code for NAS-Bench-201 (AI-Tech-Research-Lab/AsquaredM,
profile_nasbench.py): `neighbors_by_radius`, `search_tree`, `compute_barrier`. The paper's text was not at hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.spaces.base import Architecture, Space
from harness.tables.measure import Measure
from harness.tables.table import Table

Rows = list[NDArray[np.float64]]


@dataclass(frozen=True)
class Level:
    """Accuracies in % of the architectures at a distance, means over the table's trials: those that are known. Standard
    deviation with divisor n, as in the published code. NaN where none is known."""

    distance: int
    architectures: int
    mean: float
    std: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, distance: int, found: Sequence[Architecture], table: Table, measure: Measure) -> Level:
        values = np.array([table.lookup(a, measure) for a in found])
        known = values[~np.isnan(values)]
        if not len(known):
            return cls(distance, len(found), *(float("nan"),) * 4)
        told = (known.mean(), known.std(), known.min(), known.max())
        return cls(distance, len(found), *(float(value) for value in told))


def describe_neighborhood(table: Table, center: Architecture, measure: Measure, radius: int) -> list[Level]:
    """The architectures that differ in exactly 0, 1, .. `radius` choices. A flat neighborhood keeps its mean.

    Args:
        table: with a space; center: an architecture of it.
        measure: whose accuracies.
        radius: choices that may differ, at most.
    """
    shells = itertools.islice(iterate_shells(table.space, center), radius + 1)
    return [Level.of(distance, shell, table, measure) for distance, shell in enumerate(shells)]


def iterate_shells(space: Space, center: Architecture) -> Iterator[list[Architecture]]:
    """The architectures at distance 0, 1, .. in steps of one choice."""
    seen, shell = {center.encoding}, [center]
    while shell:
        yield shell
        found = {n.encoding: n for a in shell for n in space.neighbors(a)}
        shell = [n for encoding, n in found.items() if encoding not in seen]
        seen |= found.keys()


@dataclass(frozen=True)
class Path:
    """levels: what lies on the shortest ways from one architecture to another, after 0, 1, .. steps; the first and the
    last are these two. barrier: percentage points."""

    levels: list[Level]

    @property
    def barrier(self) -> float:
        """(acc(a) + acc(b)) / 2 minus the lowest mean of a level, both ends among them, so that it is at least half of
        their difference. The published code takes the first level's mean for acc(b), by a wrong index."""
        means = [level.mean for level in self.levels]
        return (means[0] + means[-1]) / 2 - min(means)


def find_path(table: Table, start: Architecture, end: Architecture, measure: Measure) -> Path:
    """All shortest ways between two architectures, which take over the choices of the other one by one, in any order.

    Raises:
        HarnessError: the space has choices that cannot be taken over one by one.
    """
    space = table.space
    a, b = space.mix(start), space.mix(end)
    places = [(t, row) for t in range(len(a)) for row in range(len(a[t])) if not np.array_equal(a[t][row], b[t][row])]
    levels = []
    for distance in range(len(places) + 1):
        ways = itertools.combinations(places, distance)
        levels.append(Level.of(distance, [mix_architectures(space, a, b, way) for way in ways], table, measure))
    return Path(levels)


def mix_architectures(space: Space, a: Rows, b: Rows, taken: Sequence[tuple[int, int]]) -> Architecture:
    """The architecture of a with these choices of b."""
    rows = [tensor.copy() for tensor in a]
    for tensor, row in taken:
        rows[tensor][row] = b[tensor][row]
    if any((mine.sum(axis=1) != picks).any() for mine, picks in zip(rows, space.picks, strict=True)):
        raise HarnessError(f"{space.name} has choices that depend on each other: there is no way choice by choice")
    return space.derive(rows)
