"""What a printed number may be read as: the mean or a trial, of one schedule, of one split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from harness.tables.measure import Floats, Measure, Role
from harness.tables.table import Table

ORDINALS = ("first", "second", "third")


class PrintedColumn(NamedTuple):
    """A column of a published table: a data set, and whether it selects or judges."""

    dataset: str
    role: Role

    def __str__(self) -> str:
        return f"{self.dataset} {self.role}"


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to read a row. values: of every architecture in row order, %, of the places that it knows. single:
    whether they are of single trainings. other: the places of which it reads another split than papers usually print;
    of the others it says nothing new."""

    label: str
    epochs: int
    values: Mapping[PrintedColumn, Floats]
    single: bool = False
    other: frozenset[PrintedColumn] = frozenset()

    @cache  # noqa: B019  (a reading lives as long as a table is looked at)
    def step(self, place: PrintedColumn) -> float:
        """The least distance of two values: numbers that are shares of so many images lie on a grid."""
        known = np.unique(np.round(self.values[place][~np.isnan(self.values[place])], 4))
        return float(np.diff(known).min()) if len(known) > 1 else 0.0


def group(table: Table, dataset: str) -> str:
    """What papers call a data set: networks that are selected and judged on two of a table's are of one."""
    selects = table.validation.dataset if table.validation else None
    return table.test.dataset if dataset == selects else dataset


def list_places(table: Table) -> list[PrintedColumn]:
    """The columns in the order in which papers print them: validation, then test, of the data set that the table judges
    by, then of the others."""
    datasets = [table.test.dataset, *(group(table, m.dataset) for m in table.measures)]
    roles = {(group(table, m.dataset), table.role(m)) for m in table.measures}
    wanted: tuple[Role, ...] = ("validation", "test")
    return [PrintedColumn(d, role) for d in dict.fromkeys(datasets) for role in wanted if (d, role) in roles]


def place_of(table: Table, text: str) -> tuple[PrintedColumn, Measure]:
    """The place of a measure that somebody names.

    Raises:
        HarnessError: The table has no such measure.
    """
    measure = table.find_measure(text)
    return PrintedColumn(group(table, measure.dataset), table.role(measure)), measure


def list_readings(table: Table) -> list[Reading]:
    """All ways to read a row, the likeliest first: the longest schedule, the table's own mean, the splits that select
    and judge."""
    found = []
    for epochs in sorted({m.epochs for m in table.measures}, reverse=True):
        plain, others = list_measures(table, epochs)
        for label, single, values in iterate_versions(table, plain):
            found.append(Reading(f"{epochs} epochs, {label}", epochs, values, single))
        for measure in others:
            place = PrintedColumn(group(table, measure.dataset), table.role(measure))
            for label, single, values in iterate_versions(table, plain | {place: measure}):
                if place in values:
                    told = f"{epochs} epochs, {label}, {measure} as {place.role}"
                    found.append(Reading(told, epochs, values, single, frozenset({place})))
        found += iterate_mixed(table, epochs, [r for r in found if r.epochs == epochs])
    return found


def list_measures(table: Table, epochs: int) -> tuple[dict[PrintedColumn, Measure], list[Measure]]:
    """The measure of each place, and the further ones that stand for a place as well."""
    plain: dict[PrintedColumn, Measure] = {}
    others = []
    judged = sorted(table.measures, key=lambda m: m.dataset != group(table, m.dataset))
    for measure in (m for m in judged if m.epochs == epochs and table.role(m) in ("validation", "test")):
        place = PrintedColumn(group(table, measure.dataset), table.role(measure))
        if place in plain:
            others.append(measure)
        plain.setdefault(place, measure)
    return plain, others


def iterate_versions(
    table: Table, measures: Mapping[PrintedColumn, Measure]
) -> Iterator[tuple[str, bool, dict[PrintedColumn, Floats]]]:
    """The means and trials of some measures: (label, whether single, values)."""
    yield "mean", False, {p: table.row_values(m) for p, m in measures.items()}
    kept = {t: None for m in measures.values() for t in table.trials(m) if isinstance(t, str) and t != "mean"}
    for named in kept:
        own = {p: table.row_values(m, named if named in table.trials(m) else "mean") for p, m in measures.items()}
        yield named, False, own
    seeds = sorted({s for m in measures.values() for s in table.seeds(m)})
    if any(len(table.seeds(m)) > 1 and "mean" in table.trials(m) for m in measures.values()):
        yield (
            "mean over all trials",
            False,
            {p: np.nanmean(table.vector_all(m), axis=0) for p, m in measures.items() if len(table.seeds(m)) > 1},
        )
    for place, seed in enumerate(seeds):
        ordinal = f" (the {ORDINALS[place]})" if 1 < len(seeds) <= len(ORDINALS) else ""
        own = {p: table.row_values(m, seed) for p, m in measures.items() if seed in table.seeds(m)}
        yield f"trial {seed}{ordinal}", True, own
    for chosen in combinations(seeds, 2):
        own = {
            p: np.mean([table.row_values(m, s) for s in chosen], axis=0)
            for p, m in measures.items()
            if set(chosen) <= set(table.seeds(m))
        }
        if own and len(seeds) > 2:
            yield f"mean of trials {chosen[0]} and {chosen[1]}", False, own


def iterate_mixed(table: Table, epochs: int, plain: list[Reading]) -> Iterator[Reading]:
    """Test as the mean of its two halves, where the source has a split that mixes validation and test."""
    datasets = [key.partition("/")[0] for key, role in table.info.get("roles", {}).items() if role == "validation+test"]
    for reading in plain:
        both = {
            d: (PrintedColumn(d, "validation"), PrintedColumn(d, "test"))
            for d in datasets
            if {PrintedColumn(d, "validation"), PrintedColumn(d, "test")} <= set(reading.values)
        }
        if both and not reading.other:
            halves = {t: (reading.values[v] + reading.values[t]) / 2 for v, t in both.values()}
            label = f"{reading.label}, validation and test images mixed as test"
            yield Reading(label, epochs, {**reading.values, **halves}, reading.single, frozenset(halves))
