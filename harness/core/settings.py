"""Settings that a person writes: frozen, without unknown keys, and of numbers that a computer can work with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

LARGEST = 1e9
"""No setting means anything beyond; single precision, 64-bit counts and the patience of people end somewhere."""


class Settings(BaseModel):
    """A frozen section of settings. Unknown keys, numbers that are none or beyond `LARGEST`, and impossible paths are
    refused."""

    # a schema is built when it is first used: those of most parts never are
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @field_validator("*")
    @classmethod
    def _usable(cls, value: Any) -> Any:
        for leaf in iterate_leaves(value):
            if isinstance(leaf, int | float) and not abs(leaf) <= LARGEST:
                raise ValueError(f"a number here is to be between {-LARGEST:g} and {LARGEST:g}")
            if isinstance(leaf, Path) and "\0" in str(leaf):
                raise ValueError("a path holds no zero character")
        return value


def iterate_leaves(value: Any) -> Iterator[Any]:
    """The single values in nested tables and lists."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inside in value:
            yield from iterate_leaves(inside)
    else:
        yield value
