"""A benchmark table: measured accuracies of architectures as memory-mapped arrays, and exact lookups.

A table is a folder: `table.json` (space, columns, provenance, hashes), `keys.npy` (sorted 64-bit digests of the
architectures' table keys), `accuracy.npy` ([columns, architectures], %), and where curves exist `curves-<epochs>.npy`
([curve columns, architectures, epochs], %). A column is one (dataset, split, epochs, trial). Missing is NaN. No lookup
draws a random number or reads another split.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError, did_you_mean
from harness.spaces.base import Architecture, Space

Trial = int | Literal["mean"]
Floats = NDArray[np.floating[Any]]


class Measure(NamedTuple):
    """What was measured: trained on and named as in the source ("cifar10-valid", "x-valid"), and the schedule's
    length in epochs. Schedules are separate trainings, never points of one curve."""

    dataset: str
    split: str
    epochs: int

    def __str__(self) -> str:
        return f"{self.dataset}/{self.split}@{self.epochs}"

    @classmethod
    def parse(cls, text: str) -> Measure:
        """A measure written dataset/split@epochs."""
        dataset, slash, rest = text.partition("/")
        split, at, epochs = rest.partition("@")
        if not (dataset and slash and split and at and epochs.isdigit()):
            raise HarnessError(f"{text!r} is no measure: write dataset/split@epochs, such as cifar10-valid/x-valid@200")
        return cls(dataset, split, int(epochs))


class Column(NamedTuple):
    """One measured column; trial is a seed, or "mean" where the source gives only the mean over trials."""

    dataset: str
    split: str
    epochs: int
    trial: Trial

    @property
    def measure(self) -> Measure:
        return Measure(self.dataset, self.split, self.epochs)


class Optimum(NamedTuple):
    """The best architecture of the table: its accuracy in %, its row, and its encoding."""

    accuracy_pct: float
    row: int
    encoding: str


def digest(keys: Sequence[str]) -> NDArray[np.uint64]:
    """64-bit digests of table keys (BLAKE2b)."""
    raw = b"".join(hashlib.blake2b(k.encode(), digest_size=8).digest() for k in keys)
    return np.frombuffer(raw, dtype=">u8").astype(np.uint64)


def percentile_among(values: Floats, own: float, tolerance: float = 0.0) -> float:
    """Share in % of the known values that are below `own`, ties (within tolerance) counting half; NaN of NaN."""
    if np.isnan(own):
        return float("nan")
    known = values[~np.isnan(values)]
    tied = np.abs(known - own) <= tolerance
    return float(100 * (((known < own) & ~tied).sum() + tied.sum() / 2) / len(known))


class Table:
    """An opened table. `validation` and `test` are the measures that a search is selected and judged by."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.info: dict[str, Any] = json.loads((folder / "table.json").read_text())
            self.columns = [Column(*c) for c in self.info["columns"]]
            self.validation = Measure(*self.info["validation"]) if self.info["validation"] else None
            self.test = Measure(*self.info["test"])
            self.name: str = self.info["name"]
            self.fingerprint: str = self.info["fingerprint"]
        except FileNotFoundError:
            raise HarnessError(f"{folder} holds no table.json: it is no table, or was not fully written") from None
        except (ValueError, KeyError, TypeError) as error:
            raise HarnessError(f"{folder / 'table.json'} is damaged ({error!r}): add the table again") from None
        self._keys: NDArray[np.uint64] = self._load("keys.npy")
        self._accuracy: Floats = self._load("accuracy.npy")
        if self._accuracy.shape != (len(self.columns), len(self._keys)):
            raise HarnessError(f"{folder / 'accuracy.npy'} does not fit table.json: add the table again")
        self._by_measure: dict[Measure, list[int]] = {}
        for i, column in enumerate(self.columns):
            self._by_measure.setdefault(column.measure, []).append(i)

    def __reduce__(self) -> tuple[type[Table], tuple[Path]]:
        return Table, (self.folder,)  # workers map the same files instead of copying them

    def _load(self, name: str) -> Any:
        path = self.folder / name
        try:
            return np.load(path, mmap_mode="r")
        except FileNotFoundError:
            raise HarnessError(f"{path} is missing: add the table again") from None
        except (ValueError, EOFError, OSError) as error:
            raise HarnessError(f"{path} is damaged or truncated ({error}): add the table again") from None

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def measures(self) -> list[Measure]:
        return list(self._by_measure)

    def trials(self, measure: Measure) -> list[Trial]:
        """The trials that the table holds of a measure (an architecture may lack some)."""
        return [self.columns[i].trial for i in self._indices(measure)]

    def row(self, architecture: Architecture) -> int:
        """The architecture's row; an error where the table does not hold it."""
        wanted = digest([architecture.key])[0]
        row = int(np.searchsorted(self._keys, wanted))
        if row == len(self._keys) or self._keys[row] != wanted:
            raise HarnessError(f"table {self.name} does not hold {architecture.encoding!r}")
        return row

    def rows(self, architectures: Sequence[Architecture]) -> NDArray[np.intp]:
        """Rows of many architectures at once."""
        wanted = digest([a.key for a in architectures])
        rows = np.searchsorted(self._keys, wanted).clip(max=len(self._keys) - 1)
        missing = np.flatnonzero(self._keys[rows] != wanted)
        if len(missing):
            raise HarnessError(f"table {self.name} does not hold {architectures[missing[0]].encoding!r}")
        return rows

    def lookup(
        self,
        architecture: Architecture,
        dataset: str,
        split: str,
        epochs: int,
        trial: Trial | Literal["all"] = "mean",
        *,
        at: int | None = None,
    ) -> Any:
        """Accuracy in %: a float, or for trial "all" an array over `trials(measure)`; NaN where it is missing.

        trial: a seed, "all", or "mean" (over the trials that the architecture has). at: an epoch of the training
        curve, 1..epochs; None is the value at the end.
        """
        values = self._values(Measure(dataset, split, epochs), trial, at)[..., self.row(architecture)]
        return np.array(values) if trial == "all" else float(values)

    def vector(self, measure: Measure, trial: Trial = "mean") -> Floats:
        """Accuracy in % of every architecture, in row order."""
        return self._values(measure, trial, None)

    def vector_all(self, measure: Measure) -> Floats:
        """Accuracy in % of every trial: [trials, architectures]."""
        return self._values(measure, "all", None)

    def all_values(self, architecture: Architecture) -> list[tuple[Column, float]]:
        """Every column's final accuracy of one architecture."""
        row = self.row(architecture)
        return list(zip(self.columns, self._accuracy[:, row].tolist(), strict=True))

    def optimum(self, measure: Measure, trial: Trial = "mean") -> Optimum:
        """The highest accuracy of a measure."""
        values = self.vector(measure, trial)
        row = int(np.nanargmax(values))
        return Optimum(float(values[row]), row, self.encoding(row))

    def random_median(self, measure: Measure, trial: Trial = "mean") -> float:
        """Median accuracy over the table's architectures: what drawing one at random gives in half of the cases."""
        return float(np.nanmedian(self.vector(measure, trial)))

    def percentile(self, architecture: Architecture, measure: Measure, trial: Trial = "mean") -> float:
        """Share in % of the table's measured architectures that are worse, ties counting half; NaN if missing."""
        values = self.vector(measure, trial)
        return percentile_among(values, float(values[self.row(architecture)]))

    def missing(self) -> dict[Column, int]:
        """How many architectures lack each column, where any does."""
        counts = np.isnan(self._accuracy).sum(axis=1)
        return {c: int(n) for c, n in zip(self.columns, counts, strict=True) if n}

    def encoding(self, row: int) -> str:
        """The encoding of a row's architecture (the space's first one with that key)."""
        return self._encodings[int(self._keys[row])]

    @cached_property
    def space(self) -> Space:
        from harness.registry import find

        space: Space = find("spaces", self.info["space"])()
        return space

    @cached_property
    def _encodings(self) -> dict[int, str]:
        architectures = list(self.space.enumerate())
        keys = digest([a.key for a in architectures]).tolist()
        found: dict[int, str] = {}
        for key, architecture in zip(keys, architectures, strict=True):
            found.setdefault(key, architecture.encoding)
        return found

    def _indices(self, measure: Measure) -> list[int]:
        if measure not in self._by_measure:
            raise HarnessError(
                f"table {self.name} has no {measure}: {did_you_mean(str(measure), map(str, self._by_measure))}"
            )
        return self._by_measure[measure]

    def _values(self, measure: Measure, trial: Trial | Literal["all"], at: int | None) -> Floats:
        indices = self._indices(measure)
        trials = [self.columns[i].trial for i in indices]
        if at is None:
            block = self._accuracy
        else:
            block, indices, trials = self._curves(measure, at)
        if trial == "all":
            return block[indices]
        if trial in trials:
            one: Floats = block[indices[trials.index(trial)]]
            return one
        if trial != "mean":
            raise HarnessError(f"table {self.name} has no trial {trial!r} of {measure}: it has {trials}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # an architecture without any trial is NaN, as it should
            mean: Floats = np.nanmean(block[indices], axis=0)
        return mean

    def _curves(self, measure: Measure, at: int) -> tuple[Floats, list[int], list[Trial]]:
        columns = [Column(*c) for c in self.info.get("curves", [])]
        same_length = [c for c in columns if c.epochs == measure.epochs]
        indices = [i for i, c in enumerate(same_length) if c.measure == measure]
        if not indices:
            raise HarnessError(f"table {self.name} has no training curve of {measure}: ask for the end of training")
        if not 1 <= at <= measure.epochs:
            raise HarnessError(f"epoch {at} is not on the curve of {measure}: choose 1..{measure.epochs}")
        array = self._load(f"curves-{measure.epochs}.npy")
        return array[..., at - 1], indices, [same_length[i].trial for i in indices]
