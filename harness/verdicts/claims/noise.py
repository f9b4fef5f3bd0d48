"""The noise of a table: how far two trainings of one network are apart."""

from __future__ import annotations

from functools import cache

import numpy as np

from harness.spaces.base import Enumerable
from harness.tables.measure import Measure
from harness.tables.table import Table


def measure_noise(table: Table, measure: str) -> float | None:
    """Standard deviation in percentage points of one network's accuracy; None where the table cannot tell.

    Pooled over the trials of every architecture; where the table has one trial or only a mean, over the means of
    architectures that are the same cell and were trained apart (means of two or three trials vary less than a trial).
    """
    if not table.complete:  # of one that trains what it is asked for, nothing is known beforehand
        return None
    return _measure_noise(table.folder.as_posix(), measure)


@cache
def _measure_noise(folder: str, text: str) -> float | None:
    from harness.tables.catalog import open_table

    table, measure = open_table(folder), Measure.parse(text)
    if len(table.seeds(measure)) > 1:
        return pool_deviations(list(table.vector_all(measure).T))
    if table.info["space"] is None or not isinstance(table.space, Enumerable):
        return None
    twins: dict[str, list[float]] = {}
    for row, value in enumerate(table.row_values(measure)):
        key = table.space.canonical_key(table.space.parse(table.encoding(row)))
        twins.setdefault(key, []).append(float(value))
    # cells without a path to the output all guess, to the digit: no measurement of noise
    return pool_deviations(
        [np.array(v) for v in twins.values() if np.unique([x for x in v if not np.isnan(x)]).size > 1]
    )


def pool_deviations(groups: list[np.ndarray]) -> float | None:
    """Standard deviation within groups, NaN left out; None where no group has two values."""
    known = [g[~np.isnan(g)] for g in groups]
    several = [g for g in known if len(g) > 1]
    freedom = sum(len(g) - 1 for g in several)
    if not freedom:
        return None
    return float(np.sqrt(sum(((g - g.mean()) ** 2).sum() for g in several) / freedom))
