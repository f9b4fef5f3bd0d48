"""DARTS-ES: when to stop a search by the growth of its Hessian's dominant eigenvalue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WINDOW = 5
"""Measurements in the local average."""
APART = 4
"""Measurements between the two averages that are compared."""
BACK = 12
"""Epochs from the trigger back to the one that is returned."""
EARLIEST = 10
"""The first epoch that may be returned."""


class Stop(NamedTuple):
    """Epochs, 0-based: where the rule fired, and whose architecture it returns."""

    triggered: int
    returned: int


def find_early_stop(
    epochs: Sequence[int], eigenvalues: Sequence[float], *, ratio: float = 1.3, every: int = 2, earliest: int = EARLIEST
) -> Stop | None:
    """Where the search stops, or None.

    Zela et al., Understanding and Robustifying DARTS, ICLR 2020 (arXiv 1909.09656), section 5, as the published code
    has it: eigenvalues are measured every second epoch and averaged over the last five; the search stops when the
    average is more than `ratio` times that of four measurements before, and returns the architecture of twelve epochs
    ago, not before epoch `earliest`. Epochs that are no multiples of `every` (a last odd one) are not looked at.
    """
    averages: list[float] = []
    for i, epoch in enumerate(epochs):
        recent = eigenvalues[max(0, i - WINDOW + 1) : i + 1]
        averages.append(sum(recent) / len(recent))
        grown = i >= APART and averages[i] / averages[i - APART] > ratio
        if grown and epoch % every == 0 and epoch - BACK >= earliest:
            return Stop(epoch, epoch - BACK)
    return None
