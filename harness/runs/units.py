"""Which runs are computed side by side: what is handed to a worker at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

from harness.runs.study import Run
from harness.runs.work import Task

T = TypeVar("T", bound=Task)


def group_units(tasks: Sequence[T], places: int) -> list[list[T]]:
    """The runs in units, in their order: of those that can and are alike, as many as the study says, fewer where a
    place would have nothing to do; of the others one. Rows are the same whatever the units are.

    places: units that are computed at a time.
    """
    groups: dict[object, list[T]] = {}
    for task in tasks:
        groups.setdefault(find_alike(task.run) if task.run.stacked else id(task), []).append(task)
    parts = {kind: -(-len(group) // (group[0].run.together or 1)) for kind, group in groups.items()}

    def count_largest(kind: object) -> int:
        return -(-len(groups[kind]) // parts[kind])

    while parts and sum(parts.values()) < places and count_largest(kind := max(parts, key=count_largest)) > 1:
        parts[kind] += 1
    return [unit for kind, group in groups.items() for unit in split_evenly(group, parts[kind])]


def find_alike(run: Run) -> tuple[object, ...]:
    """Equal for runs whose networks have one shape and whose steps make the same passes through them, so that every
    pass is shared."""
    options = sorted(run.method.supernet_options().items())
    return (*options, run.preset, run.supernet, run.training.batch_size, run.method.passes())


def split_evenly(group: list[T], parts: int) -> list[list[T]]:
    """So many parts whose sizes differ by one at most, in their order, the larger ones first."""
    size, larger = divmod(len(group), parts)
    ends = [size * n + min(n, larger) for n in range(parts + 1)]
    return [group[first:end] for first, end in pairwise(ends)]
