"""The three conventions by which published code changes a number linearly over a search of E epochs, e = 0..E-1."""

from __future__ import annotations

from harness.search.steps import Moment


def interpolate_until_end(start: float, end: float, moment: Moment) -> float:
    """start + (end - start) e / E: the last epoch has not reached `end` (SmoothDARTS' radius, beta-DARTS, DARTS-)."""
    return start + (end - start) * moment.epoch / moment.epochs


def interpolate_until_last_epoch(start: float, end: float, moment: Moment) -> float:
    """start + (end - start) e / (E - 1): the last epoch has `end` (scheduled drop-path, Lambda-DARTS, GDAS' tau)."""
    return start + (end - start) * moment.epoch / max(1, moment.epochs - 1)


def interpolate_from_first_epoch(start: float, end: float, moment: Moment) -> float:
    """start + (end - start) (e + 1) / E: the first epoch has left `start`, the last has `end` (R-DARTS' cutout)."""
    return start + (end - start) * (moment.epoch + 1) / moment.epochs
