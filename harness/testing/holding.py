"""What a contract's failure says: the property, the value that was found, and what was to be there, how exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from harness.core.text import brief


def hold(rule: str, found: Any, wanted: Any) -> None:
    """Fail where two values differ. rule: a property, as a sentence."""
    if found != wanted:
        raise AssertionError(f"{rule}: found {brief(found)}, wanted {brief(wanted)}")


def hold_that(rule: str, holds: Any, found: Any) -> None:
    """Fail where a property does not hold. found: the value that shows it."""
    if not holds:
        raise AssertionError(f"{rule}: found {brief(found)}")


def hold_among(rule: str, found: Any, known: Any) -> None:
    """Fail where something is not among what is known."""
    if strangers := sorted(map(str, set(found) - set(known))):
        raise AssertionError(f"{rule}: found {', '.join(strangers)}, wanted of {', '.join(sorted(map(str, known)))}")


def hold_finite(rule: str, values: Sequence[Any]) -> None:
    """Fail where a number of some tensors is none."""
    for place, value in enumerate(values):
        wrong = ~torch.isfinite(torch.as_tensor(value))
        if wrong.any():
            raise AssertionError(
                f"{rule}: {int(wrong.sum())} of {wrong.numel()} numbers of tensor {place} are not finite"
            )


def hold_close(rule: str, found: Sequence[Any], wanted: Sequence[Any], tolerance: float = 0.0) -> None:
    """Fail where tensors differ by more than a tolerance; 0: in any bit."""
    if len(found) != len(wanted):
        raise AssertionError(f"{rule}: found {len(found)} tensors, wanted {len(wanted)}")
    for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if one.shape != other.shape:
            shapes = f"found {tuple(one.shape)}, wanted {tuple(other.shape)}"
            raise AssertionError(f"{rule}: tensor {place} has another shape: {shapes}")
        if torch.equal(one, other):
            continue
        apart = float((one.double() - other.double()).abs().max())
        if not apart <= tolerance or not tolerance:
            raise AssertionError(f"{rule}: tensor {place} is apart by up to {apart:.3g}, tolerance {tolerance:g}")
