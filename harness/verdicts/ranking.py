"""Which methods can be told apart over several tasks, each of which is a block: a space, a data set, a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from harness.core.errors import HarnessError
from harness.core.text import format_p
from harness.results.runs import Runs
from harness.runs.preregistration import Endpoint
from harness.stats.intervals import Floats, Interval
from harness.stats.ranks import FEWEST_TASKS, compare_nemenyi, compare_wilcoxon_holm, compute_friedman_p, rank_intervals
from harness.stats.tests import compute_smallest_signed_rank_p, find_fewest_runs

FEWEST_METHODS = 3
MOST_METHODS = 300
"""Of which all pairs are tested in a minute."""


@dataclass(frozen=True)
class Ranked:
    """One method among all. rank: mean over tasks, 1 is best, with its interval. alike: methods that it is not told
    apart from, by the signed-rank test over tasks (Holm), and by Nemenyi's."""

    method: str
    rank: Interval
    tasks: int
    alike: tuple[str, ...]
    alike_nemenyi: tuple[str, ...]
    medians: tuple[float, ...]

    def row(self) -> dict[str, object]:
        """The columns that a terminal or a page has room for."""
        estimate, low, high = self.rank
        return {
            "method": self.method,
            "tasks": self.tasks,
            "mean rank": f"{estimate:.2f}" if isnan(low) else f"{estimate:.2f} [{low:.2f}, {high:.2f}]",
            "not told apart from": ", ".join(self.alike) or "-",
            "by Nemenyi": ", ".join(self.alike_nemenyi) or "-",
        }

    def numbers(self) -> dict[str, object]:
        """Every number of a method, as a row for JSON and CSV."""
        row: dict[str, object] = {"method": self.method, "tasks": self.tasks, "rank": self.rank.estimate}
        row |= {"rank_low": self.rank.low, "rank_high": self.rank.high}
        row |= {"not_told_apart": "; ".join(self.alike), "not_told_apart_nemenyi": "; ".join(self.alike_nemenyi)}
        return row | {f"median_{place}": value for place, value in enumerate(self.medians)}


@dataclass(frozen=True)
class MethodRanking:
    """p: Friedman's, by random orders. smallest: the least p, times the number of pairs, that so many tasks can give a
    pair. tasks: their names. left_out: methods that some task lacks."""

    methods: list[Ranked]
    p: float
    smallest: float
    level: float
    tasks: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """What so many tasks show, or that they are too few."""
        n, pairs = len(self.tasks), len(self.methods) * (len(self.methods) - 1) // 2
        found = "differ in rank" if self.p <= self.level else "no difference in rank shown"
        told = [f"{len(self.methods)} methods over {n} tasks: {found} (Friedman, {format_p(self.p)})"]
        if self.smallest > self.level:
            fewest = find_fewest_runs(compute_smallest_signed_rank_p, self.level, pairs)
            told.append(
                f"{n} tasks cannot tell any two of them apart by signed ranks, however different (the smallest p is "
                f"{self.smallest:.2g}): {fewest} can"
            )
        if n < FEWEST_TASKS:
            told.append(f"mean ranks have no intervals below {FEWEST_TASKS} tasks")
        if self.left_out:
            told.append(f"left out, as some task lacks them: {', '.join(self.left_out)}")
        return "; ".join(told)


def refuse_repeats(tasks: Sequence[Runs]) -> None:
    """An error where the same runs are named as two tasks."""
    known: set[object] = set()
    for task in tasks:
        ids = frozenset(str(manifest["id"]) for manifest in task.manifests if "id" in manifest)
        if (own := ids or task.folder.resolve()) in known:
            raise HarnessError(f"{task.name} is named twice, and the same runs are one task: leave one out")
        known.add(own)


def refuse_mixed_units(tasks: Sequence[Runs]) -> None:
    """An error where differences on one task are no sizes beside those on another, as signed ranks take them."""
    units = {task.table.scale.difference: task.name for task in tasks if task.table is not None}
    if len(units) > 1:
        told = " and ".join(f"{name} (in {unit or 'plain numbers'})" for unit, name in units.items())
        raise HarnessError(f"signed ranks compare differences between tasks, and these have other units: {told}")


def rank(tasks: Sequence[Runs], endpoint: Endpoint | None = None) -> MethodRanking:
    """Rank the methods that all tasks have, by the median of their runs on each.

    Args:
        tasks: finished runs of studies that differ in what is searched.
        endpoint: what is ranked; what the first study declares, if not said.

    Raises:
        HarnessError: there are fewer than two tasks, or fewer than three methods that all of them have, or hundreds.
    """
    if len(tasks) < 2:
        raise HarnessError("ranks are over several tasks: name two studies or folders at least")
    refuse_repeats(tasks)
    refuse_mixed_units(tasks)
    chosen, level = endpoint or tasks[0].declared.endpoint, tasks[0].declared.level
    ends = [task.endpoints() for task in tasks]
    for each in ends:
        each.refuse_shared()
    every = list(dict.fromkeys(name for each in ends for name in each.methods))
    methods = [name for name in every if all(len(each.values(name, chosen)) for each in ends)]
    if len(methods) < FEWEST_METHODS:
        raise HarnessError(
            f"ranks need {FEWEST_METHODS} methods that all tasks have, and these have in common: "
            f"{', '.join(methods) or 'no method'}: harness compare is for two"
        )
    if len(methods) > MOST_METHODS:
        told = len(methods) * (len(methods) - 1) // 2
        raise HarnessError(
            f"{len(methods):,} methods are {told:,} pairs, whose tests would take about {told // 60_000:,} minutes: "
            f"rank {MOST_METHODS} at most, from folders of those that matter"
        )
    runs = [[each.values(name, chosen) for name in methods] for each in ends]
    costs = np.array([[np.median(own) for own in task] for task in runs])
    by_rank, by_nemenyi = compare_wilcoxon_holm(costs), compare_nemenyi(costs)
    pairs = len(methods) * (len(methods) - 1) / 2
    found = [
        Ranked(
            name,
            interval,
            len(tasks),
            find_alike(methods, by_rank[place], place, level),
            find_alike(methods, by_nemenyi[place], place, level),
            tuple(costs[:, place]),
        )
        for place, (name, interval) in enumerate(zip(methods, rank_intervals(runs, level), strict=True))
    ]
    return MethodRanking(
        sorted(found, key=lambda each: each.rank.estimate),
        compute_friedman_p(costs),
        min(1.0, compute_smallest_signed_rank_p(len(tasks)) * pairs),
        level,
        tuple(task.name for task in tasks),
        tuple(name for name in every if name not in methods),
    )


def find_alike(methods: Sequence[str], p: Floats, place: int, level: float) -> tuple[str, ...]:
    """The methods that one is not told apart from."""
    return tuple(name for other, name in enumerate(methods) if other != place and p[other] > level)
