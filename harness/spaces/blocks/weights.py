"""Mixing weights of logits, in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def compute_mixing_weights(rows: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Mixing weights of logits, the softmax of each row, because edges are compared with each other; what is mixing
    weights already, rows that sum to one or are zero, stays."""
    sums = rows.sum(axis=1)
    if (rows >= 0).all() and (np.isclose(sums, 1, rtol=0, atol=1e-5) | (sums == 0)).all():
        return rows.copy()
    raised = np.exp(rows - rows.max(axis=1, keepdims=True))
    softmax: NDArray[np.floating[Any]] = raised / raised.sum(axis=1, keepdims=True)
    return softmax
