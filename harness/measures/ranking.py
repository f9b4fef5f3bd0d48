"""Agreement of two rankings of architectures."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import ArrayLike

TOP = 0.1


def rank_agreement(predicted: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """kendall (tau-b, knows ties), spearman, and top10: of the 10 % with the highest predictions, the share that is
    among the 10 % with the highest truth (at least one; ties by order). NaN where all are equal."""
    x, y = np.asarray(predicted, dtype=float), np.asarray(truth, dtype=float)
    count = max(1, int(TOP * len(x)))
    first, best = (set(np.argsort(-v, kind="stable")[:count].tolist()) for v in (x, y))
    level = len(np.unique(x)) == 1 or len(np.unique(y)) == 1
    nan = float("nan")
    return {
        "kendall": nan if level else float(scipy.stats.kendalltau(x, y).statistic),
        "spearman": nan if level else float(scipy.stats.spearmanr(x, y).statistic),
        "top10": len(first & best) / count,
    }
