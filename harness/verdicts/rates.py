"""Which cosine the learning rates that a log prints lie on, and so whether they came an epoch early or late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.results.importers.base import LEARNING_RATE
from harness.stats.intervals import Floats

if TYPE_CHECKING:
    import pandas as pd

LEAST = 8
"""Epochs below which a curve is not told from its neighbors."""
LONGEST = 20
"""A schedule may be this many times as long as the log, which can be a part of it."""
PRECISION = 2e-6
"""Of the highest rate: what prints of seven digits, as common code makes them, can be off by."""
FINE = 1e-3
"""Share of their range to which rates have to be printed: with fewer decimals a cosine is like its neighbors."""
MOVES = 0.01
"""Share of the highest rate by which rates have to fall: a constant has no beginning."""


def compute_cosine(epochs: Floats, length: Floats | int) -> Floats:
    """1 at epoch 0, 0 at epoch `length`."""
    return 0.5 * (1 + np.cos(np.pi * epochs / length))


def compute_recursion(epochs: Floats, length: Floats | int) -> Floats:
    """What `get_lr` of torch's CosineAnnealingLR gives from epoch 1 on where it is asked beside `step`: the step's
    factor once more, on the rate that has it already. At epoch 0 it depends on torch's version."""
    now, before = compute_cosine(epochs, length), compute_cosine(epochs - 1, length)
    return np.divide(now * now, before, out=np.zeros_like(now), where=before > 0)


class Schedule(NamedTuple):
    """A cosine from `highest` to `lowest` over `length` epochs, whose value at epoch e + `shift` is printed for epoch e
    of training; or its recursion's value (`recursive`)."""

    highest: float
    lowest: float
    length: int
    shift: int
    recursive: bool

    def used(self, epoch: int) -> float:
        """The rate that moved the weights in an epoch of training."""
        share = float(compute_cosine(np.array([float(epoch + self.shift)]), self.length)[0])
        return self.lowest + (self.highest - self.lowest) * share


KINDS: tuple[tuple[int, bool], ...] = ((0, False), (0, True), (1, False), (1, True), (-1, False))
"""Shift, and whether the recursion is printed: the simplest first."""


def fit_schedule(epochs: Floats, rates: Floats) -> Schedule | None:
    """The simplest schedule that gives all printed rates within their precision; None where none does.

    Args:
        epochs: of training, from 0, at which the rates are printed.
        rates: as printed.
    """
    length, precision = int(epochs.max()) + 1, estimate_precision(rates)
    totals = np.arange(max(2, length - 1), LONGEST * length + 1, dtype=float)
    for shift, recursive in KINDS:
        at = np.maximum(epochs + shift, 0)
        told = at > 0 if recursive else np.ones_like(at, dtype=bool)
        shape: Callable[[Floats, Floats], Floats] = compute_recursion if recursive else compute_cosine
        shapes, printed = shape(at[told], totals[:, None]), rates[told]
        middle, mean = shapes.mean(axis=1, keepdims=True), printed.mean()
        height = ((shapes - middle) * (printed - mean)).sum(axis=1) / np.square(shapes - middle).sum(axis=1)
        lowest = mean - height * middle[:, 0]
        errors = np.abs(lowest[:, None] + height[:, None] * shapes - printed).max(axis=1)
        fits = np.flatnonzero((errors <= precision) & (height > 0))
        if len(fits):
            n = fits[0]
            return Schedule(float(lowest[n] + height[n]), float(lowest[n]), int(totals[n]), shift, recursive)
    return None


def estimate_precision(rates: Floats) -> float:
    """How far printed rates can be from what was printed: half of their last decimal, or `PRECISION` where that is
    more."""
    decimals = max((-int(Decimal(repr(float(r))).normalize().as_tuple().exponent) for r in rates), default=0)
    return max(PRECISION * float(rates.max()), 0.51 * 10.0**-decimals)


def find_shifted_rates(run: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """What is suspicious in the learning rates of a run, with its evidence. run: its rows by epoch."""
    if LEARNING_RATE not in run:
        return
    known = run.dropna(subset=[LEARNING_RATE])
    epochs, rates = known["epoch"].to_numpy(dtype=float), known[LEARNING_RATE].to_numpy(dtype=float)
    if len(known) and epochs.min() > 0:
        epochs = epochs - 1  # a state after epochs; where the first has a rate, its log counts epochs of training
    if len(known) < LEAST or np.ptp(rates) < MOVES * rates.max() or estimate_precision(rates) > FINE * np.ptp(rates):
        return
    found = fit_schedule(epochs, rates)
    if found is None:
        return
    curve = f"a cosine from {found.highest:.4g} to {abs(found.lowest):.4g} over {found.length} epochs"
    if found.shift:
        at = 0 if found.shift == 1 else min(1, len(epochs) - 1)
        own, early = int(epochs[at]) + 1, "early" if found.shift == 1 else "late"
        yield (
            "the learning rate is shifted by an epoch",
            f"the {len(known)} printed rates are those of {curve}, each an epoch {early}: epoch {own} of "
            f"training has that of epoch {own + found.shift}, {rates[at]:.6g}",
        )
    if found.recursive:
        used = np.array([found.used(int(e)) for e in epochs])
        worst = int(np.abs(used - rates).argmax())
        yield (
            "the printed learning rates are not those used",
            f"they are what `get_lr` of torch's cosine gives beside a step, for {curve}; in epoch "
            f"{int(epochs[worst]) + 1} of training {rates[worst]:.6g} is printed, {used[worst]:.6g} was used",
        )
