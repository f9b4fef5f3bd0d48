"""Arguments of the Python API: what can be taken for what is meant, and a sentence that names the argument for the
rest."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.text import brief

MOST = 1 << 20
"""Of anything that is counted in an argument."""


def check_path(value: Any, argument: str) -> Path:
    """A path, of a text or a Path; ~ is the home."""
    if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes):
        raise HarnessError(f"{argument} = {brief(value)} is no path: write a text or a pathlib.Path")
    if "\0" in os.fspath(value):
        raise HarnessError(f"{argument} = {brief(os.fspath(value))} is no path: it holds a zero character")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise HarnessError(f"{argument} = {brief(os.fspath(value))} names the home of nobody here") from None


def check_text(value: Any, argument: str, example: str) -> str:
    """A text. example: of one, for the error."""
    if not isinstance(value, str):
        raise HarnessError(f"{argument} = {brief(value)} is no text: write one, such as {example}")
    return value


def check_texts(value: Any, argument: str, example: str) -> list[str]:
    """A list of texts, of anything that gives them."""
    found = list(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes | dict) else None
    if found is None or not all(isinstance(each, str) for each in found):
        raise HarnessError(f"{argument} = {brief(value)} is no list of texts: write one, such as {example}")
    return found


def check_count(value: Any, argument: str) -> int:
    """A whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
        raise HarnessError(f"{argument} = {brief(value)} is no count: write a whole number from 1")
    return value
