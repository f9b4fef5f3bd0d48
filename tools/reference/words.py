"""Text of docstrings as Markdown that says the same."""

from __future__ import annotations

import re

CODE = re.compile(r"(`[^`]*`)")


def escaped(text: str) -> str:
    """A text whose `<` and `*` stand for themselves, where they are not code."""
    parts = CODE.split(text)
    return "".join(p if p.startswith("`") else p.replace("<", "\\<").replace("*", "\\*") for p in parts)


def line(text: str) -> str:
    """A text as one line, such as that of a list."""
    return escaped(" ".join(text.split()))
