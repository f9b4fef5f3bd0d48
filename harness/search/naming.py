"""What the literature calls a method: said by the class of the part that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.core.registry import Plugin


@dataclass(frozen=True)
class Named:
    """How a class, under one of its papers' names, is used.

    fields: of the class, those that differ from their defaults. beside: the parts that the method has besides it.
    alias: another spelling, which listings leave out.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[Plugin, ...] = ()
    alias: bool = False
