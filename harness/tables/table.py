"""A benchmark table: measured accuracies of architectures as memory-mapped arrays, and exact lookups.

A table is a folder: `table.json` (space, columns, provenance, hashes), `keys.npy` (sorted 64-bit digests of the
architectures' table keys), `accuracy.npy` ([columns, architectures], %), and where the source has them `loss.npy`,
`seconds.npy`, `costs.npy` and curves ([curve columns, architectures, epochs]). A column is one (dataset, split,
epochs, trial). Missing is NaN. No lookup draws a random number or reads another split.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.spaces.base import Architecture
from harness.tables.blocks import find_on_schedule, make_no_trial_error
from harness.tables.measure import (
    ACCURACY,
    AnyMeasure,
    Column,
    Cost,
    Floats,
    Measure,
    Optimum,
    Quantity,
    Role,
    Scale,
    Trial,
    average_known,
    compute_percentile,
    digest,
    find_role,
)
from harness.tables.opened import OpenedFolder, What

if TYPE_CHECKING:
    import pandas as pd


class Table(OpenedFolder):
    """An opened table. `validation` and `test` are the measures that a search is selected and judged by."""

    scale: Scale = ACCURACY
    """What its values are."""
    complete: ClassVar[bool] = True
    """Whether every architecture is there, so that the best one is the optimum and a percentile means something."""

    # -- what there is -----------------------------------------------------------------------------------------

    @property
    def measures(self) -> list[Measure]:
        return list(self._blocks.of("accuracy").by_measure)

    def find_measure(self, given: AnyMeasure) -> Measure:
        """A measure as somebody gives it, of those that the table holds.

        Raises:
            HarnessError: it is none, or the table has no such.
        """
        measure = Measure.of(given)
        if measure not in self.measures:
            raise HarnessError(f"table {self.name} has no {measure}: it has {', '.join(map(str, self.measures))}")
        return measure

    def trials(self, measure: AnyMeasure) -> list[Trial]:
        """The trials that the table holds of a measure (an architecture may lack some)."""
        measure = Measure.of(measure)
        return list(self._blocks.place(measure, "accuracy").of)

    def seeds(self, measure: AnyMeasure) -> list[int]:
        """The single trials among them: means that the source gives are none."""
        measure = Measure.of(measure)
        return [t for t in self.trials(measure) if isinstance(t, int)]

    def knows_all(self, measure: AnyMeasure, trial: Trial = "mean") -> bool:
        """Whether the table holds this measure of every architecture of its space: the best of a part is only a lower
        bound, and a share of a part says nothing of the space."""
        measure = Measure.of(measure)
        return (
            self.complete
            and measure in self.measures
            and not self.absent
            and not np.isnan(self.row_values(measure, trial)).any()
        )

    def role(self, measure: AnyMeasure) -> Role:
        """train, validation or test; "validation+test" where the source mixes both."""
        measure = Measure.of(measure)
        return find_role(measure, self.info.get("roles", {}))

    def missing(self) -> dict[Column, int]:
        """How many architectures lack each column, where any does."""
        counts = np.isnan(self._blocks.of("accuracy").array).sum(axis=1)
        return {c: int(n) for c, n in zip(self.columns, counts, strict=True) if n}

    # -- rows --------------------------------------------------------------------------------------------------

    @cached_property
    def _row_of(self) -> dict[bytes, int]:
        raw = self.digests.astype(">u8").tobytes()
        return {raw[i : i + 8]: i // 8 for i in range(0, len(raw), 8)}

    def holds(self, what: What) -> bool:
        """Whether it has values of the architecture: it may hold a part of its space; one that trains has all."""
        return not self.complete or self._find(self.architecture(what)) is not None

    def _find(self, architecture: Architecture) -> int | None:
        return self.row_of(architecture.key)

    def row_of(self, key: str) -> int | None:
        """The row of a table key; None where the table does not hold it."""
        return self._row_of.get(hashlib.blake2b(key.encode(), digest_size=8).digest())

    @property
    def absent(self) -> int:
        """How many architectures of the space the table does not hold; 0 where that is not known."""
        return max(0, (self.of_space or 0) - len(self)) if self.complete else 0

    def row(self, what: What) -> int:
        """The architecture's row; an error where the table does not hold it."""
        architecture = self.architecture(what)
        row = self._find(architecture)
        if row is None:
            raise HarnessError(f"table {self.name} does not hold {architecture.encoding!r}")
        return row

    def rows(self, architectures: Sequence[Architecture]) -> NDArray[np.intp]:
        """Rows of many architectures at once."""
        wanted = digest([a.key for a in architectures])
        rows = np.searchsorted(self.digests, wanted).clip(max=len(self.digests) - 1)
        missing = np.flatnonzero(self.digests[rows] != wanted)
        if len(missing):
            raise HarnessError(f"table {self.name} does not hold {architectures[missing[0]].encoding!r}")
        return rows

    # -- values ------------------------------------------------------------------------------------------------

    def lookup(
        self,
        what: What,
        measure: AnyMeasure,
        trial: Trial | Literal["all"] = "mean",
        *,
        at: int | None = None,
        quantity: Quantity = "accuracy",
    ) -> Any:
        """One value: accuracy in %, loss in nats, or seconds.

        Args:
            what: An architecture, its string, or its published index.
            measure: What is asked for: a `Measure`, "dataset/split@epochs", or (dataset, split, epochs).
            trial: "mean" (the source's own, else over the seeds that the architecture has), a seed, or "all" seeds.
            at: An epoch of the training curve, 1..epochs; None is the value at the end.
            quantity: accuracy, loss or seconds.

        Returns:
            A float, or for "all" an array over `seeds(measure)`; NaN where it is missing.

        Raises:
            HarnessError: The table has no such architecture, measure, trial or epoch.
        """
        row = self.row(what)
        measure = Measure.of(measure)
        array, places = self._blocks.find(measure, at, quantity)
        place = places.of.get(trial)
        if place is not None:
            return float(array[place, row])
        if trial == "all":
            return array[places.seeds, row]
        if trial != "mean" or not places.seeds:
            raise make_no_trial_error(self.name, trial, measure, list(places.of))
        values = [float(array[place, row]) for place in places.seeds]  # faster than an array of so few
        known = [v for v in values if not math.isnan(v)]
        return sum(known) / len(known) if known else math.nan

    def vector(
        self,
        measure: AnyMeasure,
        trial: Trial = "mean",
        *,
        at: int | None = None,
        quantity: Quantity = "accuracy",
    ) -> pd.Series[float]:
        """Accuracy in % (or another quantity) of every architecture, by its published index where the space has one.

        Args:
            measure, trial, at, quantity: As of `lookup`.

        Returns:
            A series in the order of the published indices, which are its index; where the space has none, its index is
            the encodings (without a space: the keys). Missing is NaN. A place in it is no row of the table: rows are in
            the order of hashes, and `row_values`, `row`, `encoding` and `index` speak of them.

        Raises:
            HarnessError: The table has no such measure, trial or epoch.
        """
        import pandas as pd

        rows, labels = self._labels
        values = np.asarray(self.row_values(Measure.of(measure), trial, at=at, quantity=quantity))
        return pd.Series(values[rows], index=labels.view(), name=f"{Measure.of(measure)}:{trial}")

    @cached_property
    def _labels(self) -> tuple[NDArray[np.intp], pd.Index]:
        """The rows in the order of their published indices, and these; where there are none, rows and encodings."""
        import pandas as pd

        names = [self.encoding(row) for row in range(len(self))]
        found = [self.space.index(name) for name in names] if self.info["space"] is not None else []
        indices = [index for index in found if index is not None]
        if len(indices) < len(names) or not indices:
            return np.arange(len(names)), pd.Index(names, name="architecture")
        order = np.argsort(indices, kind="stable")
        return order, pd.Index(np.array(indices, dtype=np.intp)[order], name="index")

    def row_values(
        self, measure: AnyMeasure, trial: Trial = "mean", *, at: int | None = None, quantity: Quantity = "accuracy"
    ) -> Floats:
        """The same as an array in the order of the table's rows, which are no published indices."""
        measure = Measure.of(measure)
        array, places = self._blocks.find(measure, at, quantity)
        if trial in places.of:
            one: Floats = array[places.of[trial]]
            return one
        if trial != "mean" or not places.seeds:
            raise make_no_trial_error(self.name, trial, measure, list(places.of))
        return average_known(array[places.seeds])

    def vector_all(self, measure: AnyMeasure) -> Floats:
        """Accuracy in % of every single trial: [seeds, architectures], in row order."""
        measure = Measure.of(measure)
        array, places = self._blocks.find(measure, None, "accuracy")
        return array[places.seeds]

    def to_frame(self) -> pd.DataFrame:
        """Everything at the end of training, one row an architecture; missing is NaN.

        The frame's index is the published one, in its order, where the space has one. `architecture` is the encoding
        (without a space: the key). Then there is a column for each measure and trial, accuracy in %, named
        "dataset/split@epochs:trial" ("cifar10/ori-test@200:mean"), and one for each cost, named "dataset:name", or
        "dataset@epochs:name" where the source measured each schedule's networks.
        """
        import pandas as pd

        rows = range(len(self))
        content: dict[str, Any] = {"architecture": [self.encoding(row) for row in rows]}
        content |= {str(c): self.row_values(c.measure, c.trial) for c in self.columns}
        content |= {str(cost): values for cost, values in self.all_costs}
        indices = [self.index(row) for row in rows]
        numbered = bool(indices) and None not in indices
        return pd.DataFrame(content, index=pd.Index(indices, name="index") if numbered else None).sort_index()

    def all_values(self, what: What) -> list[tuple[Column, float]]:
        """Every column's final accuracy of one architecture; NaN where the table, which holds a part of its space, does
        not hold it."""
        if self.info["space"] is not None and not self.holds(what):
            return [(column, math.nan) for column in self.columns]
        row = self.row(what)
        return list(zip(self.columns, self._blocks.of("accuracy").array[:, row].tolist(), strict=True))

    def optimum(self, measure: AnyMeasure, trial: Trial = "mean") -> Optimum:
        """The best accuracy of a measure: of the architectures of which it is known (`knows_all`)."""
        measure = Measure.of(measure)
        row, accuracy = self._best(measure, trial)
        return Optimum(accuracy, row, self.encoding(row), self.index(row))

    def _best(self, measure: AnyMeasure, trial: Trial = "mean") -> tuple[int, float]:
        """The row of the optimum, and its accuracy: without its name, for which an enumerable space is listed."""
        values = self.row_values(measure, trial)
        if np.isnan(values).all():
            raise HarnessError(f"table {self.name} knows no architecture's {measure}, trial {trial}: it has no optimum")
        row = int(np.nanargmin(self.scale.places_of(values)))
        return row, float(values[row])

    def random_median(self, measure: AnyMeasure, trial: Trial = "mean") -> float:
        """Median accuracy over the table's architectures: what drawing one at random gives in half of the cases, where
        the table knows all of them (`knows_all`)."""
        measure = Measure.of(measure)
        values = self.row_values(measure, trial)
        return float(np.median(values[~np.isnan(values)])) if not np.isnan(values).all() else float("nan")

    def references(self, measure: AnyMeasure) -> dict[str, float]:
        """What a result is to be seen against: the measure's optimum and random median, as error in %; {} where the
        table knows the measure of a part of its space, whose best is no optimum and whose median no random level."""
        measure = Measure.of(measure)
        if not self.knows_all(measure):
            return {}
        (_, best), median = self._best(measure), self.random_median(measure)
        optimum, drawn = self.scale.error_of(best), self.scale.error_of(median)
        return {"table optimum": optimum, "random architecture (median)": drawn}

    def percentile(self, what: What, measure: AnyMeasure, trial: Trial = "mean") -> float:
        """Share in % of the table's measured architectures that are worse, ties counting half; NaN if missing."""
        measure = Measure.of(measure)
        places = self.scale.places_of(self.row_values(measure, trial))
        return compute_percentile(-places, -float(places[self.row(what)]))

    def curve_epochs(self, measure: AnyMeasure) -> Sequence[int]:
        """The epochs of a schedule's training curves, ascending."""
        measure = Measure.of(measure)
        return self._blocks.curve_epochs(measure.epochs)

    def timed(self, measure: AnyMeasure) -> bool:
        """Whether the source gives the seconds of the trainings of a measure."""
        measure = Measure.of(measure)
        listed = (self.info.get("more") or {}).get("seconds") or []
        return (measure.dataset, "train", measure.epochs) in {Column(*c).measure for c in listed}

    def training_seconds(
        self, what: What, measure: AnyMeasure, trial: Trial = "mean", *, at: int | None = None
    ) -> float:
        """Simulated cost of asking for a measure: training until epoch `at` (None: to the end), and one evaluation.

        Epochs are taken to be equally long where the source gives no time of that epoch.
        """
        measure = Measure.of(measure)
        dataset, split, epochs = measure
        train = Measure(dataset, "train", epochs)
        if at is not None and (train, at) in self._blocks.timed:
            trained = self.lookup(what, train, trial, at=at, quantity="seconds")
        else:
            trained = self.lookup(what, train, trial, quantity="seconds")
            trained *= (epochs if at is None else find_on_schedule(measure, at)) / epochs
        if split == "train" or measure not in self._blocks.of("seconds").by_measure:
            return float(trained)
        return float(trained + self.lookup(what, measure, trial, quantity="seconds"))

    def costs(self, what: What, dataset: str, epochs: int | None = None) -> dict[str, float]:
        """flops_M, parameters_M, latency_s and what else the source gives of an architecture's network on a data set;
        {} if nothing. epochs: the schedule, where the source measured each schedule's networks."""
        row = self.row(what)
        here = [(c.name, v) for c, v in self.all_costs if c.dataset == dataset and c.epochs in (None, epochs)]
        return {name: float(values[row]) for name, values in here}

    @cached_property
    def all_costs(self) -> list[tuple[Cost, Floats]]:
        """Every cost that the source gives, with its value of every architecture, in row order."""
        listed = [Cost(*c) for c in self.info.get("costs", [])]
        return list(zip(listed, self._load("costs.npy") if listed else (), strict=True))
