"""What a number of seeds can show, by Noether's formula (JASA 1987)."""

from __future__ import annotations

import math

from scipy.stats import norm

POWER = 0.8


def seeds_needed(a12: float, level: float = 0.05, power: float = POWER) -> int:
    """Runs of each method for a two-sided rank-sum test to find a probability of improvement of `a12` (not 1/2):
    (z_{level/2} + z_{power})^2 / (6 (A12 - 1/2)^2)."""
    z = float(norm.ppf(1 - level / 2) + norm.ppf(power))
    return math.ceil(z**2 / (6 * (a12 - 0.5) ** 2))


def smallest_detectable(n: int, level: float = 0.05, power: float = POWER) -> float:
    """The smallest probability of improvement above 1/2 that n runs of each method find; 1 if none."""
    z = float(norm.ppf(1 - level / 2) + norm.ppf(power))
    return min(1.0, 0.5 + z / math.sqrt(6 * n))
