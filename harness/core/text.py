"""Words for numbers, and rows of words."""

from __future__ import annotations

import reprlib
from typing import Any


def records(frame: Any) -> list[dict[str, Any]]:
    """The rows of a DataFrame as dictionaries."""
    found: list[dict[str, Any]] = frame.to_dict("records")
    return found


def duration(seconds: float) -> str:
    """12 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


SMALLEST_P = 1e-4
"""Below it no p is told in digits: they would say more than a test's assumptions can, and those of thousands of runs
end in a zero."""


def rounded_p(p: float, digits: int = 3) -> float | str:
    """A p as a table's cell: 0.0586, < 0.0001."""
    return f"< {SMALLEST_P}" if p < SMALLEST_P else float(f"{p:.{digits}g}")


def told_p(p: float) -> str:
    """A p within a sentence: p = 0.059, p < 0.0001."""
    return f"p < {SMALLEST_P}" if p < SMALLEST_P else f"p = {p:.2g}"


class _Brief(reprlib.Repr):
    """Representations of anything: never long, never deep, and of numbers of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 80

    def repr_int(self, x: int, level: int) -> str:
        return super().repr_int(x, level) if x.bit_length() < 1000 else f"<a whole number of {x.bit_length()} bits>"


brief = _Brief().repr
"""How a value from elsewhere is shown in a sentence."""
