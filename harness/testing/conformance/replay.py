"""Replaying files: each by its family; what cannot be replayed is named, and ends nothing."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Protocol

from harness.core.errors import HarnessError
from harness.core.text import brief
from harness.testing.conformance import families
from harness.testing.conformance.records import DamagedRecord, QuantityCheck, Record, Skipped, load

SUFFIXES = (".npz", ".json")


class Family(Protocol):
    """A module of `families`: one kind of records."""

    def can_replay(self, record: Record) -> bool:
        """Whether the record is of this family."""

    def replay(self, record: Record) -> Iterator[QuantityCheck | Skipped]:
        """Replay every quantity of a record."""


@cache
def list_families() -> tuple[Family, ...]:
    """The families, in the order of their names."""
    names = sorted(m.name for m in pkgutil.iter_modules(families.__path__))
    return tuple(importlib.import_module(f"{families.__name__}.{name}") for name in names)


def conform(paths: list[Path]) -> Iterator[QuantityCheck | Skipped]:
    """Replay every record among the paths (files, or folders searched for .npz and .json)."""
    for found in replay_files(paths):
        yield from found


def replay_files(paths: list[Path]) -> Iterator[list[QuantityCheck | Skipped]]:
    """Every quantity of the files, all of a file at a time, as soon as it is replayed."""
    for path in paths:
        if not path.exists():
            raise HarnessError(f"no conformance record at {path}: name a .npz or .json file or a folder of them")
        files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.suffix in SUFFIXES)
        if not files:
            raise HarnessError(f"the folder {path} holds no conformance record (.npz or .json)")
        for file in files:
            yield list(replay_file(file))


def replay_file(path: Path) -> Iterator[QuantityCheck | Skipped]:
    """The quantities of one file, or why there are none."""
    try:
        record = load(path)
    except DamagedRecord as error:
        yield Skipped(path.stem, str(error), damaged=True)
        return
    try:
        family = next((f.replay for f in list_families() if f.can_replay(record)), None)
        if family is None:
            of = f"method {brief(record.meta['method'])}" if "method" in record.meta else "a record of its kind"
            yield Skipped(record.name, f"{of} is not replayed by this version")
            return
        yield from family(record)
    except HarnessError as error:
        yield Skipped(record.name, str(error), damaged=True)
    except (KeyError, IndexError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        reason = f"{path} does not fit its own meta data ({type(error).__name__}: {error}): the record is damaged"
        yield Skipped(record.name, reason, damaged=True)
