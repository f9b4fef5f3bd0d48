"""Where a table's values are: the columns of each quantity and of its curves, and the arrays that hold them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from harness.core.errors import HarnessError, suggest_names
from harness.tables.measure import Column, Floats, Measure, Quantity, Trial


class Places(NamedTuple):
    """Where a measure's values are. of: the column of each trial; seeds: those of single trials, never of a mean."""

    of: dict[Trial, int]
    seeds: list[int]


class Block:
    """The columns of one quantity, and where each measure's trials are among them."""

    def __init__(self, columns: list[Column], array: Floats) -> None:
        self.columns, self.array = columns, array
        self.by_measure: dict[Measure, Places] = {}
        for i, column in enumerate(columns):
            places = self.by_measure.setdefault(column.measure, Places({}, []))
            places.of[column.trial] = i
            if isinstance(column.trial, int):
                places.seeds.append(i)


class Blocks:
    """The blocks of a table, loaded when they are first asked for. load: gives an array by its file's name."""

    def __init__(self, name: str, info: dict[str, Any], load: Callable[[str], Any]) -> None:
        self.name, self._info, self._load = name, info, load
        self.kept: dict[str, Block] = {}

    def of(self, quantity: Quantity) -> Block:
        """Values at the end of training."""
        if quantity not in self.kept:
            columns = self._info["columns"] if quantity == "accuracy" else self._info.get("more", {}).get(quantity)
            if columns is None:
                raise HarnessError(f"table {self.name} holds no {quantity}")
            self.kept[quantity] = Block([Column(*c) for c in columns], self._load(f"{quantity}.npy"))
        return self.kept[quantity]

    def curves(self, quantity: Quantity, epochs: int) -> Block | None:
        """The training curves of a schedule, [columns, architectures, epochs]."""
        key = f"{quantity}-curves-{epochs}"
        if key not in self.kept:
            listed = self._info.get("curves", [])
            if quantity != "accuracy":
                listed = self._info.get("more_curves", {}).get(quantity, [])
            columns = [c for c in (Column(*c) for c in listed) if c.epochs == epochs]
            if not columns:
                return None
            self.kept[key] = Block(columns, self._load(name_curve_file(quantity, epochs)))
        return self.kept[key]

    def curve_epochs(self, epochs: int) -> Sequence[int]:
        """The epochs of a schedule's curves."""
        given: Sequence[int] = self._info.get("curve_epochs", {}).get(str(epochs)) or range(1, epochs + 1)
        return given

    @cached_property
    def timed(self) -> set[tuple[Measure, int]]:
        """The (measure, epoch) whose seconds the source gives."""
        timed = [Column(*c).measure for c in self._info.get("more_curves", {}).get("seconds", [])]
        return {(m, epoch) for m in timed for epoch in self.curve_epochs(m.epochs)}

    def find(self, measure: Measure, at: int | None, quantity: Quantity) -> tuple[Floats, Places]:
        """An array [columns, architectures], and the measure's columns in it."""
        block = self.of(quantity)
        if at is None or at == measure.epochs:
            return block.array, self.place(measure, quantity)
        find_on_schedule(measure, at)
        curves, epochs = self.curves(quantity, measure.epochs), self.curve_epochs(measure.epochs)
        if curves is None or measure not in curves.by_measure:
            raise HarnessError(
                f"table {self.name} has no training curve of {measure} ({quantity}): ask for the end of training"
            )
        if at not in epochs:
            raise HarnessError(f"the curve of {measure} has no epoch {at}: it has {', '.join(map(str, epochs))}")
        return curves.array[..., epochs.index(at)], curves.by_measure[measure]

    def place(self, measure: Measure, quantity: Quantity) -> Places:
        """The measure's columns of a quantity."""
        block = self.of(quantity)
        if measure not in block.by_measure:
            known = suggest_names(str(measure), map(str, block.by_measure))
            what = "" if quantity == "accuracy" else f" ({quantity})"
            raise HarnessError(f"table {self.name} has no {measure}{what}: {known}")
        return block.by_measure[measure]


def find_on_schedule(measure: Measure, at: int) -> int:
    """The epoch, if the schedule has it."""
    if not 1 <= at <= measure.epochs:
        raise HarnessError(f"epoch {at} is not on the curve of {measure}: choose 1..{measure.epochs}")
    return at


def name_curve_file(quantity: str, epochs: int) -> str:
    """The file of a quantity's curves."""
    return f"curves-{epochs}.npy" if quantity == "accuracy" else f"{quantity}-curves-{epochs}.npy"


def make_no_trial_error(name: str, trial: object, measure: Measure, known: list[Trial]) -> HarnessError:
    """The error that a table lacks a trial of a measure."""
    return HarnessError(f"table {name} has no trial {trial!r} of {measure}: it has {known}")
