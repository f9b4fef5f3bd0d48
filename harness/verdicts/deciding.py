"""Running a study seed after seed until its comparison is decided: every look at it is one that its tests allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.core.text import format_p
from harness.results.load import read_planned
from harness.runs.execute import Outcome, Planned
from harness.runs.prepare import Prepared, Say, Way
from harness.runs.study import Study
from harness.stats.sequential import estimate_sequential_shift
from harness.stats.shift import shift_of
from harness.stats.tests import find_fewest_runs
from harness.verdicts.compare import Pair, compare

OPEN = ("open", "too few")
"""States that decide nothing."""


@dataclass(frozen=True)
class Look:
    """What the runs of the first seeds show. pairs: by the sequential test; fixed: what a test of just so many runs
    would say, which holds for one look alone. most: seeds that there are."""

    seeds: int
    most: int
    pairs: tuple[Pair, ...]
    fixed: tuple[Pair, ...]

    @property
    def undecided(self) -> list[Pair]:
        return [pair for pair in self.pairs if pair.state in OPEN]

    @property
    def over(self) -> bool:
        """Whether no more seeds are needed, or there."""
        return not self.undecided or self.seeds == self.most

    @property
    def told(self) -> str:
        """Where it stands, in a line."""
        words = [f"{pair.new} {pair.state} ({format_p(pair.p_holm)})" for pair in self.pairs]
        return f"after {self.seeds} of at most {self.most} seeds: {', '.join(words)}"

    @property
    def lines(self) -> list[str]:
        """Where it stopped and why, what is shown, and what fixed tests would have said."""
        if self.undecided:
            names = ", ".join(f"{pair.new} against {pair.base}" for pair in self.undecided)
            stopped = f"not decided after all {self.seeds} seeds: {names}"
        else:
            stopped = f"decided after {self.seeds} of at most {self.most} seeds"
        told = [stopped, *(pair.verdict for pair in self.pairs)]
        fixed = [f"{pair.new} {pair.state} ({format_p(pair.p_holm)})" for pair in self.fixed]
        return [*told, f"fixed tests of so many seeds, good for a single look, would have said: {', '.join(fixed)}"]


def find_first_look(study: Study) -> int:
    """The fewest seeds that could decide a study's comparison."""
    nothing = estimate_sequential_shift([], [])
    return find_fewest_runs(nothing.smallest_p, study.file.comparison.level, count_pairs(study))


def find_fewest_seeds(study: Study) -> int:
    """The fewest seeds with which a study's comparison, tested once, can show anything."""
    declared = study.file.comparison
    nothing = shift_of([], [], paired=declared.paired is not False)
    return find_fewest_runs(nothing.smallest_p, declared.level, count_pairs(study))


def count_pairs(study: Study) -> int:
    """How many comparisons a study declares."""
    return len(study.file.comparison.pairs) or len(study.file.methods) - 1


def choose_way(study: Study) -> Way:
    """How a study is run: until its comparison is decided where it declares that, else all of it."""
    return run_until_decided if study.file.comparison.until_decided else Prepared.run


def run_until_decided(
    prepared: Prepared, places: Sequence[str], *, wait: bool = True, say: Say = lambda line: None
) -> Iterator[Outcome | Look]:
    """Run the seeds of a study, of all methods, in ascending order, until its comparison is decided.

    The first look is after the fewest seeds that can decide anything; then a seed is added at a time, or as many as
    keep all places busy.

    Args:
        prepared: a study that is ready to run (see `Prepared.begin`).
        places: the device of each run that is computed at a time.
        wait: for runs that other processes compute; without, what they compute is not waited for.
        say: told what goes on.

    Yields:
        Each run as it ends, and each look.

    Raises:
        HarnessError: a method has no run to compare.
    """
    study = prepared.study
    seeds = sorted(study.file.seeds)
    at_once = max(1, -(-len(places) // len(study.file.methods)))
    number = min(find_first_look(study), len(seeds))
    while True:
        chosen = set(seeds[:number])
        planned = [p for p in prepared.planned if p.run.seed in chosen]
        yield from replace(prepared, planned=planned).run(places, wait=wait, say=say)
        look = take_look(prepared, planned, number)
        yield look
        if look.over:
            return
        number = min(number + at_once, len(seeds))


def take_look(prepared: Prepared, planned: Sequence[Planned], number: int) -> Look:
    """What the finished ones of these runs show."""
    study = prepared.study
    finished = [p for p in planned if p.finished]
    runs = read_planned(study, finished)
    ends, declared = runs.endpoints(), runs.declared
    fixed = declared.model_copy(update={"until_decided": False, "paired": True})
    return Look(number, len(study.file.seeds), tuple(compare(ends, declared)), tuple(compare(ends, fixed)))


def select_looked_at(planned: Sequence[Planned]) -> list[Planned]:
    """Of a study that stops when it is decided, the runs of the seeds that it came to: up to the last of which all are
    finished, and what is finished of a look after it, which verdicts leave out and name."""
    seeds = sorted({p.run.seed for p in planned})
    whole = [seed for seed in seeds if all(p.finished for p in planned if p.run.seed == seed)]
    return [p for p in planned if whole and (p.run.seed <= whole[-1] or p.finished)]
