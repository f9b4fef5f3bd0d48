"""What a table's numbers are of: measures, columns, and the roles of their splits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError

Trial = int | str
"""A seed; or the name of a mean that the source itself gives: "mean", or "mean-..." of another of its versions."""
Floats = NDArray[np.floating[Any]]
Role = Literal["train", "validation", "test", "validation+test", "unknown"]
Quantity = Literal["accuracy", "loss", "seconds"]
"""accuracy in %; loss: mean cross-entropy in nats; seconds: of the whole training (split `train`), or of one evaluation
(every other split)."""

Unit = Literal["percent", "fraction"]
"""Of accuracies that somebody brings; here they are in % throughout."""

ROLES: dict[str, Role] = {
    "train": "train",
    **dict.fromkeys(("x-valid", "valid", "validation", "val"), "validation"),
    **dict.fromkeys(("x-test", "ori-test", "test"), "test"),
}
"""The role of a split by its name, where the source does not say otherwise."""


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

    @classmethod
    def of(cls, given: Measure | str | tuple[str, str, int]) -> Measure:
        """A measure given as one, as "dataset/split@epochs", or as (dataset, split, epochs)."""
        if isinstance(given, Measure):
            return given
        if isinstance(given, str):
            return cls.parse(given)
        if not (isinstance(given, tuple) and list(map(type, given)) == [str, str, int]):
            raise HarnessError(
                f"{given!r} is no measure: write dataset/split@epochs, such as cifar10-valid/x-valid@200"
            )
        return cls(*given)


class Column(NamedTuple):
    """One measured column; trial is a seed, or "mean" where the source gives its own mean over trials."""

    dataset: str
    split: str
    epochs: int
    trial: Trial

    def __str__(self) -> str:
        return f"{self.measure}:{self.trial}"

    @property
    def measure(self) -> Measure:
        return Measure(self.dataset, self.split, self.epochs)


class Cost(NamedTuple):
    """What an architecture's network costs: flops_M, parameters_M (millions), latency_s (one batch), by dataset and
    schedule; epochs None where it is the same under every schedule."""

    dataset: str
    epochs: int | None
    name: str

    def __str__(self) -> str:
        return f"{self.dataset}:{self.name}" if self.epochs is None else f"{self.dataset}@{self.epochs}:{self.name}"


class Optimum(NamedTuple):
    """The best architecture of the table: its accuracy in %, its row (no published index), its encoding, and its
    published index, None where its space has none."""

    accuracy_pct: float
    row: int
    encoding: str
    index: int | None = None  # type: ignore[assignment]


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


def known_mean(values: Floats) -> Floats:
    """Mean over the first axis of what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(known, values, 0).sum(axis=0) / np.where(count, count, np.nan)
    return mean


def check_judges(validation: Measure | None, test: Measure, roles: dict[str, Role], where: object) -> None:
    """Refuse a test measure to select by, and a validation measure to judge by."""
    for measure, wanted in ((validation, "validation"), (test, "test")):
        if measure is None:
            continue
        role = role_of(measure, roles)
        if role not in (wanted, "unknown"):
            raise HarnessError(
                f"{where}: {measure} is a {role} measure and cannot be the {wanted} measure: "
                "a search that is selected by test data proves nothing, and one judged by validation data flatters"
            )


def role_of(measure: Measure, roles: dict[str, Role]) -> Role:
    """train, validation or test; "validation+test" where the source mixes both."""
    return roles.get(f"{measure.dataset}/{measure.split}") or ROLES.get(measure.split, "unknown")
