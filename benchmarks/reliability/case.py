"""What all attacks share: a case, and how it came out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """One attack. kind: its class, counted together. attack: makes what it needs in an empty folder, runs the program
    on it, and says what is wrong with the answer, or None."""

    kind: str
    name: str
    attack: Callable[[Path], str | None]


def toml(value: Any) -> str:
    """A value as TOML, tables inline."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "nan" if math.isnan(value) else ("-inf" if value < 0 else "inf") if math.isinf(value) else repr(value)
    if isinstance(value, int):
        return hex(value) if value > 0 else str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(str(value)).replace("\x7f", "\\u007f")


def toml_file(content: dict[str, Any]) -> str:
    """A TOML file of a dictionary."""
    return "".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in content.items())
