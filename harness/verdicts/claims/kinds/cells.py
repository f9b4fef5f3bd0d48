"""Claims that are decided by looking cells up."""

from __future__ import annotations

import numpy as np
from pydantic import Field, field_validator

from harness.core.seeds import derive_seed
from harness.stats.intervals import Floats
from harness.tables.measure import Measure
from harness.verdicts.claims.base import (
    COMMON,
    ROUNDING,
    Claim,
    Evidence,
    State,
    Undecided,
    Verdict,
    agrees_with_published,
    state_of,
)
from harness.verdicts.claims.noise import measure_noise


class MeanOfCells(Claim):
    """A published mean (and standard deviation) is that of these cells.

    cells: published indices, one a run, so a cell may occur twice. measure: dataset/split@epochs. trial: a seed or
    "mean", where the source says so; where it does not, a value that one training may well have is not refuted. value,
    deviation: as printed, %; what the deviation divides by is `protocol.std`.
    """

    name = "mean-of-cells"
    cells: tuple[int, ...] = Field(min_length=1)
    measure: str
    trial: str | None = None
    value: float
    deviation: float | None = None
    tolerance: float = Field(ROUNDING, ge=0)

    def claimed(self) -> str:
        return f"{self.value:.2f}" + ("" if self.deviation is None else f"±{self.deviation:.2f}")

    def check(self, evidence: Evidence) -> Verdict:
        table = evidence.asked_table()
        measure = Measure.parse(self.measure)
        values = np.array([table.lookup(cell, measure, self.trial or "mean") for cell in self.cells])
        if np.isnan(values).any():
            raise Undecided(f"table {table.name} does not know {self.measure} of all of these cells")
        mean = float(values.mean())
        agreed = agrees_with_published(mean, self.value, self.tolerance)
        told = ", ".join(f"#{c} {v:.2f}" for c, v in dict(zip(self.cells, values, strict=True)).items())
        if self.deviation is not None:
            spread = {d: float(values.std(ddof=k)) for k, d in enumerate(DIVISORS) if len(values) > k}
            fits = {d: agrees_with_published(s, self.deviation, self.tolerance) for d, s in spread.items()}
            agreed = agreed and fits.get(self.protocol.std, any(fits.values()))
            told += "; standard deviation " + " or ".join(f"{s:.2f} ({d})" for d, s in spread.items())
        spread_of_one, state = measure_noise(table, self.measure), state_of(agreed)
        off = abs(mean - self.value)
        if self.trial is None and self.tolerance < off <= FAR * (spread_of_one or np.inf):
            state, told = (
                "cannot be tested",
                f"{told}; one training, which the source may mean, may well have {self.value:.2f}",
            )
        return Verdict(state, f"cells {told}", mean, len(values), noise=spread_of_one)


DIVISORS = ("n", "n-1")
FAR = 4.0
"""Standard deviations of one training that a value may be off, and still be one of another training."""
AROUND = 0.5
"""Percentage points by which the numbers of a row are moved, to see how often some cell has such a row by chance."""
DRAWS = 1_000


class OneCell(Claim):
    """Published values are those of one single cell, whichever it is; what ±0.00 over seeds means.

    values: {dataset/split@epochs: accuracy in % as printed}. cell: the published index, where it is said. Where the
    table knows only some of the values of every cell that fits, it cannot be tested; nor where rows like this one are
    some cell's by chance, nor where no cell fits and the nearest is as far away as one training is from the next.
    """

    name = "one-cell"
    values: dict[str, float] = Field(min_length=1)
    cell: int | None = None
    tolerance: float = Field(ROUNDING, ge=0)

    @field_validator("values")
    @classmethod
    def _measures(cls, values: dict[str, float]) -> dict[str, float]:
        for text in values:
            Measure.parse(text)
        return values

    def claimed(self) -> str:
        return " ".join(f"{v:.2f}" for v in self.values.values()) + ("" if self.cell is None else f" (#{self.cell})")

    def check(self, evidence: Evidence) -> Verdict:
        table = evidence.asked_table()
        vectors = {text: table.row_values(Measure.parse(text)) for text in self.values}
        off = np.stack([np.abs(vectors[text] - value) for text, value in self.values.items()])
        known = ~np.isnan(off)
        if not known.any(axis=1).all():
            raise Undecided(f"table {table.name} knows none of {', '.join(self.values)}")
        fits = ((off <= self.tolerance + 1e-9) | ~known).all(axis=0) & known.any(axis=0)
        rows = np.flatnonzero(fits)
        cells = sorted(index for r in rows if (index := table.index(int(r))) is not None)
        each = {text: int((o <= self.tolerance + 1e-9).sum()) for text, o in zip(self.values, off, strict=True)}
        sure = int(known[:, rows].all(axis=0).sum())
        agreed = sure > 0 and (self.cell is None or self.cell in cells)
        if len(rows):
            listed = ", ".join(f"#{c}" for c in cells[:3]) + (f" and {len(cells) - 3} more" if len(cells) > 3 else "")
            why = f"{len(rows)} cell{'s' * (len(rows) > 1)} of {len(table):,} with all of it: {listed}"
            why += "" if sure == len(rows) else f" ({len(rows) - sure} of them not known in every measure)"
        else:
            alone = ", ".join(f"{n} have {text}" for text, n in each.items())
            nearest = float(np.nanmin(np.where(known.all(axis=0), off.max(axis=0), np.nan)))
            why = f"no cell has all of these values; alone: {alone}; the nearest is {nearest:.2f} away in one of them"
        spread = measure_noise(table, next(iter(self.values)))
        state: State = "cannot be tested" if len(rows) and not sure else state_of(agreed)
        common = self.share_by_chance(np.stack(list(vectors.values())))
        if not len(rows) and nearest <= FAR * (spread or np.inf):
            state, why = "cannot be tested", f"{why}, no more than another training or version of the table may be"
        elif agreed and self.cell is None and common > COMMON:
            state, why = "cannot be tested", f"{why}; {100 * common:.0f} % of such rows are some cell's by chance"
        return Verdict(state, why, n=len(table), noise=spread)

    def share_by_chance(self, known: Floats) -> float:
        """How often a row whose numbers are all moved a little, each by itself, is some cell's. known: [measures,
        cells]."""
        rng = np.random.default_rng(derive_seed("one cell", *map(str, self.values.values())))
        found = np.array(list(self.values.values()))[:, None]
        hits = 0
        for _ in range(DRAWS):
            moved = np.round(found + rng.uniform(-AROUND, AROUND, found.shape), 2)
            hits += bool((np.abs(known - moved) <= self.tolerance + 1e-9).all(axis=0).any())
        return hits / DRAWS
