"""AnalogNAS-Bench's baseline as a table: all NAS-Bench-201 cells, trained on CIFAR-10 independently of NAS-Bench-201.

It ranks cells as the real table does (Spearman 0.99) but differs by up to 18 points, so it is a table of its own name.
The wheel holds one pickle: a dict from six operation numbers (NASLib's order: skip, none, 3x3, 1x1, pool; edges 0-1,
0-2, 0-3, 1-2, 1-3, 2-3) to an object with accuracies in %. How many epochs were trained it does not say: epochs 0.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import HarnessError
from harness.core.pickles import guarded, load
from harness.spaces.nasbench201.space import CONV1, CONV3, NONE, POOL, SKIP, official_cells, to_string
from harness.tables.measure import Column, Measure
from harness.tables.table import Table
from harness.tables.write import write_table

MEMBER = "analognasbench/data.anb"
OPERATION = (SKIP, NONE, CONV3, CONV1, POOL)
EDGE = (0, 1, 3, 2, 4, 5)
"""The place in NASLib's edge order of each edge of the string."""
TEST = Measure("cifar10", "test", 0)


class _Fields:
    """Any of the package's objects: its fields."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


ADMITTED = {("analognasbench.data", name): _Fields for name in ("Architecture", "DriftMeasurement")}


def convert_analog(wheel: Path, folder: Path, about: dict[str, Any]) -> Table:
    """The table of the package's wheel."""

    def read() -> dict[tuple[int, ...], Any]:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as stream:
            content: dict[tuple[int, ...], Any] = load(stream, f"{wheel}, {MEMBER}", ADMITTED)
            return content

    content = guarded(read, wheel)
    if not isinstance(content, dict):
        raise HarnessError(f"{wheel}, {MEMBER} holds no dict of architectures")
    accuracy = {}
    for numbers, fields in content.items():
        cell = tuple(OPERATION[numbers[place]] for place in EDGE)
        accuracy[cell] = float(fields.baseline_accuracy)
    cells = [cell for cell in official_cells() if cell in accuracy]
    return write_table(
        folder,
        space="nasbench201",
        keys=[to_string(cell) for cell in cells],
        accuracy={Column(*TEST, 0): np.array([accuracy[cell] for cell in cells])},
        validation=None,
        test=TEST,
        about=about,
    )
