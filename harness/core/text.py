"""Words for numbers, and rows of words."""

from __future__ import annotations

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
