"""What records of published code say of the operations of DARTS' cells."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from harness.spaces.darts.genotype import EDGES

Options = tuple[tuple[str, ...], ...]
"""The operations of each of the 14 edges, equally many."""


def read_recorded_options(arrays: Mapping[str, Any]) -> tuple[tuple[Options, ...], tuple[Options, ...]]:
    """The operations of the edges of a normal and of a reduction cell, by `ops`, names that every edge has; and those
    of them that are switched on, by `switches_normal` and `switches_reduce`, [14, operations]."""
    names = arrays.get("ops")
    if names is None or names.ndim != 1:
        return (), ()
    every: tuple[Options, ...] = ((tuple(map(str, names)),) * len(EDGES),) * 2
    switches = [arrays.get(key) for key in ("switches_normal", "switches_reduce")]
    left = tuple(
        options if on is None else tuple(tuple(itertools.compress(*pair)) for pair in zip(options, on, strict=True))
        for options, on in zip(every, switches, strict=True)
    )
    return every, left
