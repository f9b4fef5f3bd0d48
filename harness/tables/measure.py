"""What a table's numbers are of: measures, columns, and the roles of their splits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.text import is_whole

Trial = int | str
"""A seed; or the name of a mean that the source itself gives: "mean", or "mean-..." of another of its versions."""
Floats = NDArray[np.floating[Any]]
Role = Literal["train", "validation", "test", "validation+test", "unknown"]
Quantity = Literal["accuracy", "loss", "seconds"]
"""accuracy in %, or what else the table's `Scale` is of; loss: mean cross-entropy in nats; seconds: of the whole
training (split `train`), or of one evaluation (every other split)."""

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
        if not (dataset and slash and split and at and is_whole(epochs)):
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


AnyMeasure = Measure | str | tuple[str, str, int]
"""A measure, as `Measure.of` reads it."""


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


@dataclass(frozen=True)
class Scale:
    """What the values of a table are, and which of them are better. Whatever compares, compares errors: the lower the
    better.

    column: of the rows that hold the values. value: what they are called; unit: theirs, if they have one. error: what
    is compared is called; difference: the unit of its differences. higher: whether higher values are better; they are
    then shares of 100, and their error is what is missing.
    """

    column: str
    value: str
    unit: str
    error: str
    difference: str
    higher: bool

    def error_of(self, values: Any) -> Any:
        """Errors of values."""
        return 100 - values if self.higher else values

    def value_of(self, errors: Any) -> Any:
        """Values of errors."""
        return 100 - errors if self.higher else errors

    def places_of(self, values: Any) -> Any:
        """Numbers in whose order values are, the best first; exact, as errors by a difference are not."""
        return -values if self.higher else values

    @property
    def plural(self) -> str:
        """Errors, as a sentence begins."""
        return (f"{self.error[:-1]}ies" if self.error.endswith("y") else f"{self.error}s").capitalize()

    @property
    def heading(self) -> str:
        """What its values are, with their unit, as a caption begins."""
        return f"{self.value.capitalize()}{f' in {self.unit}' if self.unit else ''}"

    @property
    def axis(self) -> str:
        """What is compared, with its unit: the label of an axis."""
        return f"{self.error} ({self.unit})" if self.unit else self.error

    @property
    def suffix(self) -> str:
        """How the names of columns end that hold errors."""
        return f"{self.error}_pct" if self.unit == "%" else self.error

    @property
    def difference_column(self) -> str:
        """The column of a difference of errors."""
        return f"difference ({self.difference})" if self.difference else "difference"

    @property
    def regret_axis(self) -> str:
        """What a mean regret is called, with its unit."""
        return f"mean regret ({self.difference})" if self.difference else "mean regret"

    def told_width(self, width: float) -> str:
        """A distance between errors with its unit."""
        return f"{width:.2f}{f' {self.difference}' if self.difference else ''}"

    @property
    def best_epoch(self) -> str:
        """The column of the error of the best epoch."""
        return "best_epoch_pct" if self.unit == "%" else f"best_epoch_{self.error}"

    @property
    def best_of_random(self) -> str:
        """The column of the error of the best of as many random cells."""
        return self.best_epoch.replace("best_epoch", "best_of_random")

    def told(self, error: float, digits: int = 2) -> str:
        """An error with its unit."""
        return f"{error:.{digits}f}{f' {self.unit}' if self.unit else ''}"

    def told_difference(self, error: float, digits: int = 2) -> str:
        """A difference of errors with its unit."""
        return f"{error:+.{digits}f}{f' {self.difference}' if self.difference else ''}"


ACCURACY = Scale("accuracy_pct", "accuracy", "%", "error", "points", higher=True)
PERPLEXITY = Scale("perplexity", "perplexity", "", "perplexity", "", higher=False)
SCALES = {scale.column: scale for scale in (ACCURACY, PERPLEXITY)}


class Optimum(NamedTuple):
    """The best architecture of the table: its accuracy in % (or its value on the table's scale), its row (no published
    index), its encoding, and its published index, None where its space has none."""

    accuracy_pct: float
    row: int
    encoding: str
    index: int | None = None  # type: ignore[assignment]


def digest(keys: Sequence[str]) -> NDArray[np.uint64]:
    """64-bit digests of table keys (BLAKE2b)."""
    raw = b"".join(hashlib.blake2b(k.encode(), digest_size=8).digest() for k in keys)
    return np.frombuffer(raw, dtype=">u8").astype(np.uint64)


def compute_percentile(values: Floats, own: float, tolerance: float = 0.0) -> float:
    """Share in % of the known values that are below `own`, ties (within tolerance) counting half; NaN of NaN."""
    if np.isnan(own):
        return float("nan")
    known = values[~np.isnan(values)]
    tied = np.abs(known - own) <= tolerance
    return float(100 * (((known < own) & ~tied).sum() + tied.sum() / 2) / len(known))


def average_known(values: Floats) -> Floats:
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
        role = find_role(measure, roles)
        if role not in (wanted, "unknown"):
            raise HarnessError(
                f"{where}: {measure} is a {role} measure and cannot be the {wanted} measure: "
                "a search that is selected by test data proves nothing, and one judged by validation data flatters"
            )


def find_role(measure: Measure, roles: dict[str, Role]) -> Role:
    """train, validation or test; "validation+test" where the source mixes both."""
    return roles.get(f"{measure.dataset}/{measure.split}") or ROLES.get(measure.split, "unknown")
