"""What a number of seeds can show, by Noether's formula (JASA 1987)."""

from __future__ import annotations

import math

from scipy.stats import norm

POWER = 0.8


def smallest_detectable(n: int, level: float = 0.05, power: float = POWER) -> float:
    """The smallest probability of improvement above 1/2 that n runs of each method find; 1 if none: the A12 at which
    (z_{level/2} + z_{power})^2 / (6 (A12 - 1/2)^2) runs are needed."""
    z = float(norm.ppf(1 - level / 2) + norm.ppf(power))
    return min(1.0, 0.5 + z / math.sqrt(6 * n))
