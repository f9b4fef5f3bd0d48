"""Words for numbers, and rows of words."""

from __future__ import annotations

import reprlib
import unicodedata
from typing import Any

LONGEST_LABEL = 120
"""Characters of a method's name: it is part of a folder's, which file systems limit to 255."""
JOINERS = "\u200c\u200d"
"""What is not seen, and joins letters and pictures."""


EXACT = 1 << 53
"""Beyond it a whole number is rounded by whatever reads JSON into floating point, as browsers do."""


def keep_exact(value: Any) -> Any:
    """A value for JSON: a whole number that readers would round is a text."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if whole and abs(value) > EXACT else value


def is_label(text: Any, longest: int = LONGEST_LABEL) -> bool:
    """Whether a value can name a method: one line of printable characters."""
    return isinstance(text, str) and bool(text.strip()) and len(text) <= longest and text.isprintable()


def is_whole(text: str) -> bool:
    """Whether a text is a whole number in plain digits, of at most 19: `int` reads other digits, too, some of which
    `isdigit` knows and it does not, and refuses thousands."""
    return text.isascii() and text.isdecimal() and len(text) <= 19


def replace_invisible(text: str, keep: str = "") -> str:
    """A text without anything that moves a cursor, ends a line or turns the direction of writing: such characters are
    written as \\x1b. keep: those of them that may stay. What stands for bytes that are no text stays, too."""
    if text.isprintable():
        return text
    hidden = ("Cc", "Cf", "Zl", "Zp")
    return "".join(
        c if c in keep or c in JOINERS or unicodedata.category(c) not in hidden else c.encode("unicode_escape").decode()
        for c in text
    )


def list_records(frame: Any) -> list[dict[str, Any]]:
    """The rows of a DataFrame as dictionaries."""
    found: list[dict[str, Any]] = frame.to_dict("records")
    return found


def format_duration(seconds: float) -> str:
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


def round_p(p: float, digits: int = 3) -> float | str:
    """A p as a table's cell: 0.0586, < 0.0001."""
    return f"< {SMALLEST_P}" if p < SMALLEST_P else float(f"{p:.{digits}g}")


def format_p(p: float) -> str:
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
