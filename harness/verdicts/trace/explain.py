"""Which explanations hold for a printed row, and how many cells would fit by chance alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.tables.measure import Measure
from harness.tables.table import Table
from harness.verdicts.trace.means import Mixture, iterate_mixtures
from harness.verdicts.trace.printed import PrintedAccuracy, Row
from harness.verdicts.trace.readings import PrintedColumn, Reading, list_places, list_readings, place_of

Bools = NDArray[np.bool_]
AROUND = 0.5
"""Percentage points around a number within which the table's density is counted."""
EXACT = 1e-6
"""Percentage points of a float's own error."""
COINCIDENCE = 0.05
"""From so many matches by chance on a match says nothing."""
SHOWN = 5
"""Cells of an explanation that a sentence names."""


@dataclass(frozen=True)
class Explanation:
    """kind: what the row is said to be. cells: published indices (rows, where the space has none), each a tuple: one
    cell, the cell of each number, or the cells of a mean. chance: how many matches like these chance alone gives at
    the density of the table; tried: in how many ways the row was read so. unknown: places of which the table cannot
    tell."""

    kind: str
    reading: str
    places: tuple[PrintedColumn, ...]
    cells: tuple[tuple[int, ...], ...]
    chance: float
    tried: int = 1
    unknown: tuple[PrintedColumn, ...] = ()
    note: str = ""

    @property
    def coincidence(self) -> bool:
        return self.chance * self.tried >= COINCIDENCE

    @property
    def by_chance(self) -> str:
        told = describe_chance(self.chance) + (f" in each of {self.tried} ways to read it" if self.tried > 1 else "")
        return told + (": a coincidence" if self.coincidence else "")

    def row(self) -> dict[str, Any]:
        """What a terminal has room for."""
        named = [", ".join(f"#{c}" for c in cell) for cell in self.cells[:SHOWN]]
        more = f" and {len(self.cells) - SHOWN:,} more" if len(self.cells) > SHOWN else ""
        told = " or ".join(named) + more + (f"; {self.note}" if self.note else "")
        if self.unknown:
            told += f"; not known: {', '.join(map(str, self.unknown))}"
        return {
            "explanation": self.kind,
            "read as": self.reading,
            "columns": ", ".join(map(str, self.places)),
            "cells": told,
            "matches": len(self.cells),
            "by chance": self.by_chance,
        }

    def numbers(self) -> dict[str, Any]:
        """The explanation as a row of JSON or CSV, with every cell and reading."""
        return {
            "explanation": self.kind,
            "read_as": self.reading,
            "columns": [str(p) for p in self.places],
            "cells": [list(c) for c in self.cells],
            "matches": len(self.cells),
            "by_chance": self.chance,
            "ways_tried": self.tried,
            "coincidence": self.coincidence,
            "not_known": [str(p) for p in self.unknown],
            "note": self.note,
        }


def describe_chance(chance: float) -> str:
    return "0" if chance == 0 else f"{chance:.2g}" if chance < 10 else f"{chance:,.0f}"


@dataclass(frozen=True)
class Traced:
    """row: as it was read. explanations: the likeliest first; findings: of the row where nothing explains it."""

    row: Row
    explanations: list[Explanation]
    findings: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """The row in one sentence."""
        sure = [e for e in self.explanations if not e.coincidence and not e.unknown] or self.explanations[:1]
        told: list[str] = []
        seen: set[PrintedColumn] = set()
        for each in sure:
            if not seen & set(each.places):
                of = f" in {', '.join(map(str, each.places))}" if len(each.places) < self.columns else ""
                own = each.row()
                told.append(f"{each.kind}{of}: {own['cells']} ({each.reading}), by chance {each.by_chance}")
                seen |= set(each.places)
        return "; ".join([*told, *self.findings])

    @property
    def columns(self) -> int:
        return sum(n is not None for n in self.row.numbers)


class Tracer:
    """Looks rows up in a table. columns: what the numbers are, dataset/split@epochs; runs: how many a mean is over."""

    def __init__(self, table: Table, columns: Sequence[str] = (), runs: int | None = None) -> None:
        self.table, self.runs = table, runs
        self.places = list_places(table)
        self.readings = list_readings(table)
        self.named: tuple[PrintedColumn, ...] | None = None
        if columns:
            found = [place_of(table, text) for text in columns]
            self.named = tuple(place for place, _ in found)
            self.readings = [r for r in self.readings if reads_named(r, self.readings, [m for _, m in found])]

    def cell(self, row: int) -> int:
        """The published index of a row; its own place where the space has none."""
        index = self.table.index(row)
        return row if index is None else index

    def trace(self, row: Row) -> Traced:
        """Everything that a row can be.

        Raises:
            HarnessError: It has more numbers than there are columns to read them as.
        """
        numbers = [n for n in row.numbers if n is not None]
        ways = self.assignments(row)
        found = self.explain(numbers, ways)
        if not found and len(ways) == 1:
            found = self.by_dataset(numbers, ways[0])
        if not any(not e.unknown and e.kind in ONE.values() for e in found) and self.named is None and len(numbers) > 1:
            found += self.any_order(numbers)
        found = merge_explanations(found)
        known = [e for e in found if not e.unknown]
        found = [e for e in found if not e.unknown or not known]
        found.sort(
            key=lambda e: (e.coincidence, bool(e.unknown), KINDS.index(e.kind) if e.coincidence else 0, e.chance)
        )
        return Traced(row, found, self.findings(numbers, ways, found))

    def assignments(self, row: Row) -> list[tuple[PrintedColumn, ...]]:
        """The columns that the numbers may stand in, in the order in which papers print them."""
        numbers = [n for n in row.numbers if n is not None]
        wanted = self.named if self.named is not None else tuple(self.places)
        if self.named is not None and len(row.numbers) != len(wanted):
            raise HarnessError(f"the row has {len(row.numbers)} numbers, and --columns names {len(wanted)}: name each")
        if len(row.numbers) == len(wanted):
            return [tuple(p for p, n in zip(wanted, row.numbers, strict=True) if n is not None)]
        if len(numbers) > len(wanted):
            raise HarnessError(
                f"the row has {len(numbers)} numbers, and table {self.table.name} knows {len(wanted)} columns "
                f"({', '.join(map(str, wanted))}): leave out what is none of them, or write - there"
            )
        return list(combinations(wanted, len(numbers)))

    def explain(
        self, numbers: Sequence[PrintedAccuracy], ways: Sequence[tuple[PrintedColumn, ...]]
    ) -> list[Explanation]:
        return [*self.one_cell(numbers, ways), *self.best(numbers, ways), *self.means(numbers, ways)]

    def by_dataset(self, numbers: Sequence[PrintedAccuracy], way: tuple[PrintedColumn, ...]) -> list[Explanation]:
        """The explanations of parts of a row that nothing explains as a whole: of the columns of some data sets, the
        most first, as each may have been searched by itself."""
        datasets = list(dict.fromkeys(p.dataset for p in way))
        found: list[Explanation] = []
        for size in range(len(datasets) - 1, 0, -1):
            for chosen in combinations(datasets, size):
                part = [(n, p) for n, p in zip(numbers, way, strict=True) if p.dataset in chosen]
                told = {p for e in found if not e.coincidence for p in e.places}
                if not {p for _, p in part} & told:
                    found += self.explain([n for n, _ in part], [tuple(p for _, p in part)])
        return found

    # -- one cell ----------------------------------------------------------------------------------------------

    def one_cell(
        self, numbers: Sequence[PrintedAccuracy], ways: Sequence[tuple[PrintedColumn, ...]]
    ) -> Iterator[Explanation]:
        """All numbers are one cell's: its mean, or one of its trials."""
        if any(n.deviation is not None and n.deviation > n.deviation_half for n in numbers):
            return
        for way in ways:
            for reading in self.readings:
                known = [(n, p) for n, p in zip(numbers, way, strict=True) if p in reading.values]
                if not known or not adds_information(reading, way):
                    continue
                hits = np.logical_and.reduce([self.fits(reading, p, n) for n, p in known])
                if hits.any():
                    yield Explanation(
                        ONE[reading.single],
                        reading.label,
                        way,
                        tuple(sorted((self.cell(int(row)),) for row in np.flatnonzero(hits))),
                        self.chance(reading, known),
                        len(ways),
                        tuple(p for p in way if p not in reading.values),
                    )

    def any_order(self, numbers: Sequence[PrintedAccuracy]) -> Iterator[Explanation]:
        """All numbers are one cell's, in another order of columns than papers have."""
        for reading in self.readings:
            fits = [{p: self.fits(reading, p, n) for p in reading.values} for n in numbers]
            able = np.logical_and.reduce([np.logical_or.reduce(list(own.values())) for own in fits])
            for row in np.flatnonzero(able):
                way = find_matching([[p for p, hit in own.items() if hit[row]] for own in fits])
                if way is not None:
                    known = list(zip(numbers, way, strict=True))
                    orders = math.perm(len(reading.values), len(numbers))
                    chance = self.chance(reading, known)
                    yield Explanation(
                        ONE[reading.single], reading.label, way, ((self.cell(int(row)),),), chance, orders
                    )

    def best(
        self, numbers: Sequence[PrintedAccuracy], ways: Sequence[tuple[PrintedColumn, ...]]
    ) -> Iterator[Explanation]:
        """Every number is the best of its column; or a trial of the cell that is best by the mean."""
        mean = self.readings[0]
        for way in ways:
            for reading in self.readings:
                if not set(way) <= set(reading.values) or not adds_information(reading, way):
                    continue
                widths = [min(1.0, measure_width(n, reading, p)) for n, p in zip(numbers, way, strict=True)]
                alike = [r for r in self.readings if r.single == reading.single and r.epochs == reading.epochs]
                chance, tried = float(np.prod(widths)), len(ways) * sum(not r.other for r in alike)
                tops = [int(np.nanargmax(reading.values[p])) for p in way]
                if all(self.fits(reading, p, n)[t] for n, p, t in zip(numbers, way, tops, strict=True)):
                    cells = tuple(self.cell(t) for t in tops)
                    kind = BEST if len(way) == 1 else BESTS
                    yield Explanation(kind, reading.label, way, (cells,), chance, tried)
                usual = reading.single and reading.epochs == mean.epochs and not reading.other
                if not (usual and set(way) <= set(mean.values)):
                    continue
                tops = [int(np.nanargmax(mean.values[p])) for p in way]
                if all(self.fits(reading, p, n)[t] for n, p, t in zip(numbers, way, tops, strict=True)):
                    cells = tuple(self.cell(t) for t in tops)
                    means = ", ".join(f"{mean.values[p][t]:.2f}" for p, t in zip(way, tops, strict=True))
                    note = f"whose mean is {means}, the highest"
                    yield Explanation(TRIAL_OF_BEST, reading.label, way, (cells,), chance, tried, note=note)

    def means(
        self, numbers: Sequence[PrintedAccuracy], ways: Sequence[tuple[PrintedColumn, ...]]
    ) -> Iterator[Explanation]:
        """Means of runs that ended at no more than two cells, with the printed deviation."""
        if not any(n.deviation is not None and n.deviation > n.deviation_half for n in numbers):
            return
        tried = [r for r in self.readings if not r.single and not r.other][:MEANS_READ]
        for way in ways:
            for reading in tried:
                if not set(way) <= set(reading.values):
                    continue
                for mixture in iterate_mixtures(numbers, [reading.values[p] for p in way], self.runs):
                    yield self.told_mixture(mixture, reading, way, len(ways))

    def told_mixture(
        self, mixture: Mixture, reading: Reading, way: tuple[PrintedColumn, ...], ways: int
    ) -> Explanation:
        first, second = mixture.times
        cells = tuple((self.cell(a),) * first + (self.cell(b),) * second for a, b in mixture.pairs.tolist())
        note = f"{first + second} runs, the deviation divides by {mixture.divisor}"
        return Explanation(MEAN, reading.label, way, cells, mixture.chance, mixture.tried * ways, note=note)

    # -- what holds of no cell ---------------------------------------------------------------------------------

    def findings(
        self,
        numbers: Sequence[PrintedAccuracy],
        ways: Sequence[tuple[PrintedColumn, ...]],
        found: Sequence[Explanation],
    ) -> list[str]:
        """Numbers above the best of their column; and, where no cell has the row, the nearest one."""
        mean = self.readings[0]
        ways = [w for w in ways if set(w) <= set(mean.values)]
        covered = {p for e in found if not e.coincidence for p in e.places}
        if not ways or (len(ways) > 1 and covered):
            return []
        explained = any(e.kind in ONE.values() and not e.unknown and len(e.places) == len(numbers) for e in found)
        far = {w: self.distances(mean, numbers, w) for w in ways}
        way = min(ways, key=lambda w: np.nanmin(far[w].sum(axis=0)))
        told = [t for n, p in zip(numbers, way, strict=True) if p not in covered and (t := self.above(n, p))]
        if covered:
            return told
        spread = any(n.deviation is not None and n.deviation > n.deviation_half for n in numbers)
        if not explained and not spread:
            row = int(np.nanargmin(far[way].max(axis=0)))
            off = ", ".join(f"{d:.2f}" for d in far[way][:, row])
            told.append(f"no cell has this row; the nearest is #{self.cell(row)}, {off} away ({mean.label})")
        elif spread and not found:
            told.append(NO_MEAN)
        return told

    def distances(
        self, reading: Reading, numbers: Sequence[PrintedAccuracy], way: Sequence[PrintedColumn]
    ) -> NDArray[np.floating[Any]]:
        """[numbers, architectures]: how far each value is from what is printed, percentage points."""
        return np.stack([np.abs(reading.values[p] - n.value) for n, p in zip(numbers, way, strict=True)])

    def above(self, number: PrintedAccuracy, place: PrintedColumn) -> str:
        """What to say of a number that is above the best of its column."""
        mean = self.readings[0]
        best = float(np.nanmax(mean.values[place]))
        if number.value - number.half <= best + EXACT:
            return ""
        cell = self.cell(int(np.nanargmax(mean.values[place])))
        told = f"{number.text} is above the space's optimum of {place}, {best:.2f} (#{cell})"
        singles = [
            r.values[place]
            for r in self.readings
            if r.single and not r.other and place in r.values and r.epochs == mean.epochs
        ]
        most = max((float(np.nanmax(values)) for values in singles), default=best)
        if most <= best:
            return told
        which = "and" if number.value - number.half > most + EXACT else "but not"
        return f"{told}, {which} above the best single trial that is known, {most:.2f}"

    # -- chance ------------------------------------------------------------------------------------------------

    def fits(self, reading: Reading, place: PrintedColumn, number: PrintedAccuracy) -> Bools:
        """The architectures whose value rounds to the number."""
        hits: Bools = np.abs(reading.values[place] - number.value) <= number.half + EXACT
        return hits

    def chance(self, reading: Reading, known: Sequence[tuple[PrintedAccuracy, PrintedColumn]]) -> float:
        """How many cells fit by chance: those within AROUND of all numbers, times the share of that room that rounds to
        just these numbers."""
        near = np.logical_and.reduce([np.abs(reading.values[p] - n.value) <= AROUND for n, p in known])
        return float(near.sum() * np.prod([min(1.0, measure_width(n, reading, p) / (2 * AROUND)) for n, p in known]))


ONE = {False: "one cell", True: "one trial of one cell"}
BEST, BESTS, TRIAL_OF_BEST = "the best of its column", "the best of each column", "a trial of the best cell"
MEAN = "a mean of cells"
KINDS = (BESTS, BEST, TRIAL_OF_BEST, *ONE.values(), MEAN)
"""The likeliest first, among what may be a coincidence."""
NO_MEAN = (
    "no mean of runs that ended at no more than two cells; of three and more different cells, which fit almost "
    "anything, none was looked for"
)
MEANS_READ = 2
"""Readings of means that are looked through for means of cells: the table's own, and its other version."""


def measure_width(number: PrintedAccuracy, reading: Reading, place: PrintedColumn) -> float:
    """The room of a number: what rounds to it, or where values are farther apart than that, their distance."""
    return max(2 * number.half, reading.step(place))


def adds_information(reading: Reading, way: Sequence[PrintedColumn]) -> bool:
    """Whether a reading of other splits says anything of these places that the usual one does not."""
    return not reading.other or bool(reading.other & set(way))


def reads_named(reading: Reading, every: Sequence[Reading], named: Sequence[Measure]) -> bool:
    """Whether a reading is of the measures that were named."""
    others = [m for m in named if any(f", {m} as " in r.label for r in every)]
    return all(m.epochs == reading.epochs for m in named) and (
        all(f", {m} as " in reading.label for m in others) if others else not reading.other
    )


def find_matching(able: list[list[PrintedColumn]]) -> tuple[PrintedColumn, ...] | None:
    """A place for each number, no place twice; None where there is none."""
    if not able:
        return ()
    for place in able[0]:
        rest = find_matching([[p for p in own if p != place] for own in able[1:]])
        if rest is not None:
            return (place, *rest)
    return None


def merge_explanations(found: Sequence[Explanation]) -> list[Explanation]:
    """Explanations of one kind by the same cells told once, with all readings that give them."""
    by: dict[Any, list[Explanation]] = {}
    for each in found:
        by.setdefault((each.kind, each.places, each.cells, each.unknown), []).append(each)
    told = []
    for (kind, way, cells, unknown), same in by.items():
        labels = list(dict.fromkeys(e.reading for e in same))
        chance, tried = min(e.chance for e in same), max(e.tried for e in same)
        told.append(Explanation(kind, "; or ".join(labels), way, cells, chance, tried, unknown, same[0].note))
    return told
