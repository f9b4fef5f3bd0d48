"""Logits read back from what a log prints: they themselves, or mixing weights of few digits."""

from __future__ import annotations

import numpy as np

from harness.results.importers.lines import PrintedArray
from harness.spaces.base import Space


def select_arrays(found: list[PrintedArray], space: Space) -> list[PrintedArray]:
    """The first arrays that have the space's shapes, one after the other; [] where there are not all of them."""
    chosen: list[PrintedArray] = []
    for array in found:
        if len(chosen) < len(space.alpha_shapes) and array.values.shape == space.alpha_shapes[len(chosen)]:
            chosen.append(array)
    return chosen if len(chosen) == len(space.alpha_shapes) else []


def classify_arrays(found: list[PrintedArray], space: Space) -> str:
    """weights (rows sum to one, at the digits that are printed), sample (ones and zeros), logits, copies (one array is
    printed as several), or other."""
    chosen = select_arrays(found, space)
    if not chosen or not all(np.isfinite(a.values).all() for a in chosen):
        return "other"
    if all(np.isin(a.values, (0.0, 1.0)).all() for a in chosen):
        return "sample"
    first = chosen[0].values
    if len(chosen) > 1 and np.ptp(first) > 0 and all(np.array_equal(first, a.values) for a in chosen[1:]):
        return "copies"
    for array in chosen:
        off = np.abs(array.values.sum(axis=1) - 1)
        if (array.values < 0).any() or (off > array.units.sum(axis=1)).any():
            return "logits"
    return "weights"


def read_logits(found: list[PrintedArray], space: Space) -> tuple[tuple[float, ...], int | None]:
    """The logits that arrays print, flat, in the space's order; of mixing weights their logarithms, with the digits
    that are printed of them."""
    kind, chosen = classify_arrays(found, space), select_arrays(found, space)
    if kind in ("sample", "other", "copies"):
        return (), None
    flat = np.concatenate([a.values.ravel() for a in chosen])
    if kind == "logits":
        return tuple(flat.tolist()), None
    digits = max(a.digits for a in chosen)
    # printed to four digits, 0.0000 is below 0.00005
    return tuple(np.log(np.maximum(flat, 0.5 * 10.0**-digits)).tolist()), digits
