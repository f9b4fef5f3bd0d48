"""Records of published code: what a file holds, and what comes of replaying it."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.core.notation import parse_json
from harness.testing.conformance.recorded import read_numbered

TOLERANCE = 1e-9
"""Largest relative error of a conforming quantity in float64."""


UNREADABLE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged file raises."""


@dataclass(frozen=True)
class QuantityCheck:
    """One quantity of one record; error is relative to the quantity's largest entry (0 or inf for exact ones)."""

    record: str
    quantity: str
    error: float

    @property
    def conforms(self) -> bool:
        return self.error <= TOLERANCE


@dataclass(frozen=True)
class Skipped:
    """A file that is not replayed, or not to its end, and why. damaged: it cannot be read, or does not fit itself."""

    record: str
    reason: str
    damaged: bool = False


class DamagedRecord(Exception):
    """A record that cannot be read."""


@dataclass(frozen=True)
class Record:
    """A file's content. meta: what it says about itself. arrays: of an .npz file; content: of a .json file."""

    name: str
    meta: dict[str, Any]
    arrays: dict[str, Any]
    content: Any = None

    def with_arrays(self, **arrays: Any) -> Record:
        """The record with more arrays."""
        return replace(self, arrays=self.arrays | arrays)

    def has(self, prefix: str) -> bool:
        return any(key == prefix or key.startswith(f"{prefix}/") for key in self.arrays)

    def tensor(self, key: str) -> Tensor:
        return torch.from_numpy(np.asarray(self.arrays[key]))

    def group(self, prefix: str) -> list[Tensor]:
        """The tensors prefix/0, prefix/1, ... in order, or prefix alone."""
        return [self.tensor(prefix)] if prefix in self.arrays else read_numbered(self.arrays, prefix)

    def batch(self, prefix: str, images: str = "x", labels: str = "y") -> tuple[Tensor, Tensor]:
        return self.tensor(f"{prefix}/{images}"), self.tensor(f"{prefix}/{labels}")

    def exactly(self, quantity: str, same: bool) -> QuantityCheck:
        """A quantity that has to be equal, a decision for one."""
        return QuantityCheck(self.name, quantity, 0.0 if same else float("inf"))

    def check(self, quantity: str, ours: Any, recorded: Any) -> QuantityCheck:
        return QuantityCheck(self.name, quantity, compute_relative_error(ours, recorded))


class Found:
    """Largest errors by quantity, gathered over a replay."""

    def __init__(self, record: Record) -> None:
        self.record, self.errors = record, dict[str, float]()

    def add(self, quantity: str, ours: Any, recorded: Any) -> None:
        """One array, or several of both."""
        pairs = zip(ours, recorded, strict=True) if isinstance(ours, list) else [(ours, recorded)]
        worst = max((compute_relative_error(a, b) for a, b in pairs), default=0.0)
        self.errors[quantity] = max(worst, self.errors.get(quantity, 0.0))

    def exactly(self, quantity: str, same: bool) -> None:
        self.errors[quantity] = max(0.0 if same else float("inf"), self.errors.get(quantity, 0.0))

    def checks(self) -> Iterator[QuantityCheck]:
        yield from (QuantityCheck(self.record.name, quantity, error) for quantity, error in self.errors.items())


def compute_relative_error(ours: Any, recorded: Any) -> float:
    """max |ours - recorded| / max |recorded|; inf where shapes differ or a value is not finite."""
    a, b = (np.asarray(v.detach() if isinstance(v, Tensor) else v, dtype=np.float64) for v in (ours, recorded))
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    if a.size == 0:
        return 0.0
    scale = np.abs(b).max()
    return float(np.abs(a - b).max() / (scale if scale > 0 else 1.0))


def load(path: Path) -> Record:
    """The content of a file; `DamagedRecord` says what is wrong with it."""
    try:
        if path.suffix == ".json":
            content = parse_json(path.read_bytes())
            found = content.get("meta", {}) if isinstance(content, dict) else {}
            return Record(path.stem, found if isinstance(found, dict) else {}, {}, content)
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        meta = json.loads(str(arrays.pop("meta")))
        if not isinstance(meta, dict):
            raise ValueError("its meta data are no JSON object")
        return Record(path.stem, meta, unstack_steps(arrays))
    except UNREADABLE as error:
        raise DamagedRecord(f"{path} is not a readable conformance record ({error}): fetch it again") from None


def unstack_steps(arrays: dict[str, Any]) -> dict[str, Any]:
    """Steps one by one, of a record that has them stacked: `steps/x` becomes `step0/x`, `step1/x` and so on, and the
    logits of a step its tensors."""
    found = {}
    for key, every in arrays.items():
        if not key.startswith("steps/"):
            found[key] = every
            continue
        for number, value in enumerate(every):
            name = key.replace("steps", f"step{number}", 1)
            several = key.endswith("/alpha_after")
            found |= {f"{name}/{i}": part for i, part in enumerate(value)} if several else {name: value}
    return found


def equals_exactly(ours: Sequence[Any], recorded: Sequence[Any]) -> bool:
    """Whether nested lists, tuples or arrays are equal."""
    return bool(np.array_equal(np.asarray(ours), np.asarray(recorded)))
