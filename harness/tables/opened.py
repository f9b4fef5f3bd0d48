"""The folder of a table, opened: its arrays, its search space, and what its rows are called."""

from __future__ import annotations

import operator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.notation import parse_json
from harness.core.text import brief
from harness.spaces.base import SPACES, Architecture, Enumerable, Space, require_enumerable
from harness.tables.blocks import Blocks
from harness.tables.measure import Column, Measure, digest
from harness.tables.versions import restore_earlier_version

What = Architecture | str | int
"""An architecture, its string (without a space: the table's key), or its published index."""


class OpenedFolder:
    """What a table's folder says of itself, and the names of its rows."""

    def __init__(self, folder: Path, version: str | None = None) -> None:
        """Open the newest version, or the earlier one that has this fingerprint."""
        self.folder, self.version = folder, version
        self._parts: dict[str, list[int]] = {}
        try:
            self.info: dict[str, Any] = parse_json((folder / "table.json").read_bytes())
            if version is not None:
                self.info, self._parts = restore_earlier_version(self.info, version)
            self.columns = [Column(*c) for c in self.info["columns"]]
            self.validation = Measure(*self.info["validation"]) if self.info["validation"] else None
            self.test = Measure(*self.info["test"])
            self.name: str = self.info["name"]
            self.fingerprint: str = self.info["fingerprint"]
        except HarnessError:
            raise
        except (FileNotFoundError, NotADirectoryError):
            raise HarnessError(f"{folder} holds no table.json: it is no table, or was not fully written") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HarnessError(f"{folder / 'table.json'} is damaged ({error!r}): add the table again") from None
        self.digests: NDArray[np.uint64] = self._load("keys.npy")
        self._blocks = Blocks(self.name, self.info, self._load)
        if self._blocks.of("accuracy").array.shape != (len(self.columns), len(self.digests)):
            raise HarnessError(f"{folder / 'accuracy.npy'} does not fit table.json: add the table again")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.folder, self.version)  # workers map the same files instead of copying them

    def describe(self) -> dict[str, Any]:
        """What a run's identity says of the table."""
        return {"name": self.name, "fingerprint": self.fingerprint}

    def _load(self, name: str) -> Any:
        path = self.folder / name
        try:
            array = np.asarray(np.load(path, mmap_mode="r"))
            return array[self._parts[name]] if name in self._parts else array
        except FileNotFoundError:
            raise HarnessError(f"{path} is missing: add the table again") from None
        except (ValueError, EOFError, OSError) as error:
            raise HarnessError(f"{path} is damaged or truncated ({error}): add the table again") from None

    def __len__(self) -> int:
        return len(self.digests)

    def encoding(self, row: int) -> str:
        """The encoding of a row's architecture (the space's first one with that key)."""
        return self._encodings[int(self.digests[row])]

    @cached_property
    def of_space(self) -> int | None:
        """How many architectures the space tells apart by their table keys; None where they are too many to list."""
        if self.info["space"] is None or not isinstance(self.space, Enumerable):
            return None
        first = next(iter(self.space.enumerate()))
        return self.space.size if first.key == first.encoding else self.space.distinct

    @property
    def told_size(self) -> str:
        """How many architectures the table holds, and of how many where some are missing."""
        whole = self.of_space
        return f"{len(self):,}" if whole in (None, len(self)) else f"{len(self):,} of {whole:,}"

    @cached_property
    def space(self) -> Space:
        if self.info["space"] is None:
            raise HarnessError(
                f"table {self.name} belongs to no search space: it is looked up by key, or through views"
            )
        space: Space = SPACES.find(self.info["space"])()
        return space

    def parse(self, text: str) -> Architecture:
        """An architecture as the table's space writes it; a table without a space takes its keys."""
        return Architecture(text, text, ()) if self.info["space"] is None else self.space.parse(text)

    def architecture(self, what: What) -> Architecture:
        """An architecture given as one, as its string, or as its published index."""
        if isinstance(what, Architecture):
            return what
        if isinstance(what, str):
            return self.parse(what)
        try:
            return self.space.at(operator.index(what))
        except TypeError:
            raise HarnessError(
                f"{brief(what)} is no architecture: give one, its text, or its published index, a whole number"
            ) from None

    def index(self, row: int) -> int | None:
        """The published index of a row's architecture; None where its space has none."""
        return None if self.info["space"] is None else self.space.index(self.encoding(row))

    @cached_property
    def _encodings(self) -> dict[int, str]:
        if "names.npy" in self.info["arrays"]:
            return dict(zip(self.digests.tolist(), map(bytes.decode, self._load("names.npy").tolist()), strict=True))
        architectures = list(
            require_enumerable(
                self.space, f"table {self.name}, which does not say its architectures' names,"
            ).enumerate()
        )
        keys = digest([a.key for a in architectures]).tolist()
        found: dict[int, str] = {}
        for key, architecture in zip(keys, architectures, strict=True):
            found.setdefault(key, architecture.encoding)
        return found
