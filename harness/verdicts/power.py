"""How many seeds find which difference: studies that are made up of the differences that pilots had, each judged by the
test that the study declares."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isinf, isnan

import numpy as np

from harness.core.errors import HarnessError
from harness.results.endpoints import Endpoints
from harness.runs.preregistration import Declared
from harness.stats.intervals import Floats
from harness.stats.sequential import compute_signed_ranks, compute_wealth, estimate_sequential_shift
from harness.stats.shift import POWER, Shift, shift_of
from harness.stats.tests import find_fewest_runs, subtract_pairs
from harness.tables.measure import ACCURACY, Scale
from harness.verdicts.compare import list_declared_pairs, match_runs

SIZES = (5, 6, 7, 8, 10, 15, 20, 30, 40, 60, 80, 120)
"""Numbers of seeds that are tried; and the study's own."""
SHOWN = (5, 10, 20, 40, 80)
STUDIES = 300
"""Made-up studies of each size and difference."""
COUNTED = 20_000
"""Additions up to which a null distribution is counted: up to some 25 pairs."""
STEPS = (1.0, 2.0, 5.0)
TINY = 1e-9
"""Of the size of values: a spread that is none."""
FEWEST = 4
"""Pairs, or runs of each method, that a distribution can be taken from."""


@dataclass(frozen=True)
class Power:
    """What studies of one pair find, if the methods differ by so much.

    difference: new minus base, in the scale's unit, to the side of the pilots'; 0 is the chance of showing that they
    are equivalent. seen: whether it is the pilots' own. power: by number of seeds. stops: of a study that stops when it
    is decided, the mean number of seeds at which it does, by the most that it may take. tied: share of the pilots'
    pairs without a difference, NaN of unpaired runs. pilots: pairs, or runs of each at least. n_fewest: seeds
    whose smallest p reaches the level.
    """

    new: str
    base: str
    difference: float
    seen: bool
    power: dict[int, float]
    stops: dict[int, float]
    tied: float
    pilots: int
    n_fewest: int
    scale: Scale = ACCURACY

    @property
    def n_for_power(self) -> float:
        """Seeds that find it in four of five studies, on a line between the sizes that were tried, and no fewer than
        can show anything; infinite where none of them does."""
        sizes = sorted(self.power)
        before = self.n_fewest - 1, 0.0
        for n in sizes:
            if self.power[n] >= POWER:
                (m, low), high = before, self.power[n]
                return float(max(self.n_fewest, np.ceil(m + (n - m) * (POWER - low) / (high - low))))
            before = n, self.power[n]
        return inf

    @property
    def paired(self) -> bool:
        return not isnan(self.tied)

    @property
    def told_difference(self) -> str:
        if not self.difference:
            return "none (equivalent)"
        return f"{self.difference:+.3g}{' (seen)' if self.seen else ''}"

    def row(self) -> dict[str, object]:
        """Power in % at a few sizes, of a study that stops with the mean number of seeds."""
        unit = f" ({self.scale.difference})" if self.scale.difference else ""
        row: dict[str, object] = {"method": self.new, "against": self.base, f"difference{unit}": self.told_difference}
        for n in self.columns:
            mean = f" ({self.stops[n]:.0f})" if n in self.stops else ""
            row[f"n = {n}"] = f"{100 * self.power[n]:.0f}{mean}"
        most = max(self.power)
        return row | {"80 % at": f"> {most}" if isinf(self.n_for_power) else f"{self.n_for_power:.0f}"}

    @property
    def columns(self) -> list[int]:
        """The sizes that a page has room for: the usual ones, and that of the study, which is none of `SIZES`."""
        return [n for n in sorted(self.power) if n in SHOWN or n not in SIZES]

    def numbers(self) -> dict[str, object]:
        """Everything, one number a column."""
        row: dict[str, object] = {"method": self.new, "against": self.base, "difference": self.difference}
        row |= {"seen": self.seen, "pilots": self.pilots, "tied": self.tied, "enough": self.n_for_power}
        row |= {f"power_{n}": self.power[n] for n in sorted(self.power)}
        return row | {f"mean_seeds_{n}": self.stops[n] for n in sorted(self.stops)}


def compute_powers(found: Endpoints, declared: Declared, seeds: int) -> list[Power]:
    """The power of every declared pair, at several differences and numbers of seeds.

    A made-up study has the pilots' differences (of unpaired runs: their errors), drawn again around another middle.
    Ties among them are kept, pairs without a difference are moved with all others. Each pair is tested at the level
    divided by the number of pairs, as Holm's correction does at its first step.

    Args:
        found: endpoints of the pilots.
        declared: the comparison whose test is asked; `until_decided`: the sequential one.
        seeds: that the study has.

    Raises:
        HarnessError: the pilots lack a method, or have too few runs of one.
    """
    named = list_declared_pairs(found, declared)
    # the methods of a study have the same seeds, so that it pairs them unless it says otherwise
    usual = declared.model_copy(update={"until_decided": False, "paired": declared.paired is not False})
    rope = declared.rope if declared.rope is not None else found.noise
    asked = PowerQuestion(declared.level / len(named), 0.0 if isnan(rope) else rope, tuple(sorted({*SIZES, seeds})))
    rows = []
    for names in named:
        pilots, _ = match_runs(found, usual, names, declared.endpoint)
        few = min(len(pilots.new), len(pilots.base))
        if few < FEWEST:
            what = "pairs of pilots with a seed in common" if pilots.paired else "pilots"
            raise HarnessError(
                f"{few} {what} of {names[0]!r} and {names[1]!r} say too little of how runs differ: {FEWEST} at least"
            )
        tied = float((pilots.new == pilots.base).mean()) if pilots.paired else float("nan")
        seen, side = abs(pilots.estimate), 1 if pilots.estimate > 0 else -1
        tested = estimate_sequential_shift([], []) if declared.until_decided else pilots
        fewest = find_fewest_runs(tested.smallest_p, asked.level)
        for size in (*([0.0] if asked.rope else []), *choose_differences(pilots, seen)):
            made = draw_studies(pilots, side * size, max(asked.sizes))
            power, stops = (find_by_sequential_tests if declared.until_decided else find_by_fixed_tests)(
                made, asked, side if size else 0
            )
            rows.append(Power(*names, side * size, size == seen, power, stops, tied, few, fewest, found.scale))
    return rows


def choose_differences(pilots: Shift, seen: float) -> list[float]:
    """Differences to ask about: round numbers around the spread of the pilots, and what they had, ascending."""
    values = subtract_pairs(pilots.new, pilots.base) if pilots.paired else np.concatenate([pilots.new, pilots.base])
    spread = float(np.std(values, ddof=1))
    if spread <= TINY * float(np.abs(values).max(initial=0)):  # all alike, up to the last bits
        spread = 1.0
    first = np.floor(np.log10(spread / 4))
    round_ones = [step * 10.0**power for power in np.arange(first, first + 3) for step in STEPS]
    chosen = [float(f"{value:.6g}") for value in round_ones if spread / 4 <= value <= 2.5 * spread]
    return sorted({*chosen, *([seen] if seen else [])})


Made = list[Shift]
"""Studies of the largest size, in the order of their seeds."""


@dataclass(frozen=True)
class PowerQuestion:
    """What is asked of made-up studies. rope: 0 where nobody knows what does not matter."""

    level: float
    rope: float
    sizes: tuple[int, ...]


def draw_studies(pilots: Shift, shift: float, size: int) -> Made:
    """Studies that differ by this shift, of runs drawn again from the pilots."""
    rng = np.random.default_rng(0)

    def drawn(values: Floats) -> Floats:
        found: Floats = values[rng.integers(len(values), size=size)]
        return found

    new = pilots.new - pilots.estimate + shift
    if pilots.paired:
        return [shift_of(drawn(new - pilots.base), np.zeros(size), paired=True) for _ in range(STUDIES)]
    return [shift_of(drawn(new), drawn(pilots.base), paired=False) for _ in range(STUDIES)]


def find_by_fixed_tests(made: Made, asked: PowerQuestion, side: int) -> tuple[dict[int, float], dict[int, float]]:
    """The share of studies of each size that find a shift to this side; 0: that it lies within the rope."""

    def finds(shift: Shift) -> bool:
        if side:
            test = shift.test_at(0.0, COUNTED)
            return test.p <= asked.level and (test.less < test.greater) == (side < 0)
        above, below = shift.test_at(-asked.rope, COUNTED).greater, shift.test_at(asked.rope, COUNTED).less
        return max(above, below) <= asked.level / 2  # both ends of the interval lie within

    return {n: float(np.mean([finds(Shift(s.new[:n], s.base[:n], s.paired)) for s in made])) for n in asked.sizes}, {}


def find_by_sequential_tests(made: Made, asked: PowerQuestion, side: int) -> tuple[dict[int, float], dict[int, float]]:
    """The share of studies that find a shift (side 0: that it lies within the rope) where they are looked at after
    every pair, by the most pairs that they may have; and the mean number at which they stop, whatever they find. A
    study ends with whatever is shown first, and finds nothing else after it."""

    def first(shift: Shift, towards: int, at: float) -> float:
        over = (
            compute_wealth(towards * compute_signed_ranks(subtract_pairs(shift.new - at, shift.base)))
            >= 2 / asked.level
        )
        return float(np.argmax(over) + 1) if over.any() else inf

    higher, lower = (np.array([first(shift, each, 0.0) for shift in made]) for each in (1, -1))
    within = np.full(len(made), inf)
    if asked.rope:
        within = np.max([[first(shift, 1, -asked.rope), first(shift, -1, asked.rope)] for shift in made], axis=1)
    stopped = np.minimum(np.minimum(higher, lower), within)
    shown = (higher if side > 0 else lower) if side else within
    others = [higher, lower] if not side else [lower if side > 0 else higher]
    found = np.where((shown <= stopped) & (shown < np.min(others, axis=0)), shown, inf)
    power = {n: float((found <= n).mean()) for n in asked.sizes}
    return power, {n: float(np.minimum(stopped, n).mean()) for n in asked.sizes}
