"""Which runs are computed side by side: what is handed to a worker at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from harness.runs.work import Task

T = TypeVar("T", bound=Task)


def group_units(tasks: Sequence[T], places: int) -> list[list[T]]:
    """The runs in units, in their order: of each method that can, as many seeds as the study says, fewer where a place
    would have nothing to do; of the others one. Rows are the same whatever the units are.

    places: units that are computed at a time.
    """
    groups: dict[object, list[T]] = {}
    for task in tasks:
        groups.setdefault((task.run.method_name, task.run.supernet) if task.run.stacked else id(task), []).append(task)
    found = []
    for group in groups.values():
        size = group[0].run.together or 1
        found += [group[i : i + size] for i in range(0, len(group), size)]
    while found and len(found) < places and len(largest := max(found, key=len)) > 1:
        half, place = (len(largest) + 1) // 2, found.index(largest)
        found[place : place + 1] = [largest[:half], largest[half:]]
    return found
