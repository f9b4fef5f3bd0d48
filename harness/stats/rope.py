"""Bayesian verdicts with a region of practical equivalence (ROPE)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

DRAWS = 10_000


class Rope(NamedTuple):
    """Posterior probabilities that new is lower (better) than base by more than the width, within it, and higher."""

    better: float
    equivalent: float
    worse: float


def rope(
    new: ArrayLike,
    base: ArrayLike,
    width: float,
    rng: np.random.Generator,
    *,
    paired: bool = False,
    draws: int = DRAWS,
) -> Rope:
    """Posterior of the difference in means by the Bayesian bootstrap (Rubin, Annals of Statistics 1981).

    Runs get Dirichlet(1, ..., 1) weights, independently in each method, or one weight a pair. ROPE and its reading
    after Benavoli et al., JMLR 18(77), 2017.
    """
    x, y = np.asarray(new, dtype=float), np.asarray(base, dtype=float)
    weights = rng.dirichlet(np.ones(len(x)), draws)
    others = weights if paired else rng.dirichlet(np.ones(len(y)), draws)
    gap = weights @ x - others @ y
    return Rope(float((gap < -width).mean()), float((np.abs(gap) <= width).mean()), float((gap > width).mean()))
