"""What one run's trajectory says: collapse, degradation, area under the curve. Arrays run over epochs 0..E."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]


def find_lasting_onset(bad: ArrayLike) -> float:
    """The first epoch from which everything is bad to the end; NaN where the last epoch is not."""
    flags = np.asarray(bad, dtype=bool)
    if not flags[-1]:
        return float("nan")
    good = np.flatnonzero(~flags)
    return float(good[-1] + 1) if len(good) else 0.0


def find_onset_above_random(error: ArrayLike, random_median: float) -> float:
    """Collapse, first definition: the derived architecture stays worse than a random one (the table's median)."""
    return find_lasting_onset(np.asarray(error) > random_median)


def find_onset_of_many(count: ArrayLike, at_least: int) -> float:
    """Collapse, second definition: it stays with `at_least` or more operations of a kind (skips, or all without
    parameters)."""
    return find_lasting_onset(np.asarray(count) >= at_least)


def find_onset_degraded(error: ArrayLike, points: float) -> float:
    """Collapse, third definition: it stays `points` or more above the best that the run had derived until then."""
    values = np.asarray(error, dtype=float)
    return find_lasting_onset(values >= np.fmin.accumulate(values) + points)


def compute_degradation(error: ArrayLike) -> float:
    """Last error minus the best of the run, percentage points, at least 0."""
    values = np.asarray(error, dtype=float)
    lowest = np.nanmin(values)
    return 0.0 if values[-1] == lowest else float(values[-1] - lowest)  # infinite from first to last: the same


def compute_area_under(regret: ArrayLike, x: ArrayLike) -> float:
    """Mean regret over x (epochs or seconds, ascending): a value holds until the next one is there."""
    values, points = np.asarray(regret, dtype=float), np.asarray(x, dtype=float)
    steps = np.diff(points)
    return float((values[:-1] * steps).sum() / steps.sum()) if steps.sum() > 0 else float(values[-1])


def measure_agreement(architectures: list[str]) -> tuple[int, float]:
    """Different architectures among runs, and the entropy of their distribution in nats (0: all alike)."""
    _, counts = np.unique(architectures, return_counts=True)
    shares = counts / counts.sum()
    return len(counts), float(-(shares * np.log(shares)).sum())
