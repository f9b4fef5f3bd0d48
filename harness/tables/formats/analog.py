"""AnalogNAS-Bench's baseline as a table: all NAS-Bench-201 cells, trained on CIFAR-10 independently of NAS-Bench-201.

It ranks cells as the real table does (Spearman 0.99) but differs by up to 18 points, so it is a table of its own name.
The wheel holds one pickle: a dict from six operation numbers (NASLib's order: skip, none, 3x3, 1x1, pool; edges 0-1,
0-2, 0-3, 1-2, 1-3, 2-3) to an object with accuracies in %. How many epochs were trained it does not say: epochs 0.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness.core.errors import HarnessError
from harness.core.pickles import guard_unpickling, load
from harness.core.text import brief
from harness.core.unpickler import Rebuilt
from harness.spaces.nasbench201.cell import CONV1, CONV3, NONE, POOL, SKIP, list_official_cells, to_string
from harness.tables.formats.base import Conversion, TableFormat
from harness.tables.measure import Column, Measure
from harness.tables.sources.source import TableSource
from harness.tables.table import Table
from harness.tables.write import write_table

MEMBER = "analognasbench/data.anb"
OPERATION = (SKIP, NONE, CONV3, CONV1, POOL)
EDGE = (0, 1, 3, 2, 4, 5)
"""The place in NASLib's edge order of each edge of the string."""
TEST = Measure("cifar10", "test", 0)


class _Fields(Rebuilt):
    """Any of the package's objects: its fields."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def is_operation(number: Any) -> bool:
    return type(number) is int and 0 <= number < len(OPERATION)


ADMITTED = {("analognasbench.data", name): _Fields for name in ("Architecture", "DriftMeasurement")}


class AnalogWheel(TableFormat):
    """The wheel of analog-nasbench, an independent training of NAS-Bench-201's cells."""

    name = "analog-nasbench"
    what = "an analog_nasbench wheel"
    sources: ClassVar = {
        "analog-nasbench": TableSource(
            file="analog_nasbench-0.1.3-py3-none-any.whl",
            table="nasbench201.analog",
            title="an independent CIFAR-10 training of NAS-Bench-201's cells; not NAS-Bench-201 itself",
            url="https://pypi.org/project/analog-nasbench/0.1.3/",
            size="2.9 MB",
            licence="not stated by the package",
            citation="AnalogNAS-Bench, PyPI package analog-nasbench 0.1.3",
            by_pip=True,
            sha256="f7d4e56e416d249d25555b867a6d7c72886fa9d85a49bd1870708acbf5ee6fe2",
        ),
    }

    def recognizes(self, path: Path) -> bool:
        return path.suffix == ".whl"

    def convert(self, job: Conversion) -> list[Table]:
        return [convert_analog(job.path, job.folder, job.about)]


def convert_analog(wheel: Path, folder: Path, about: dict[str, Any]) -> Table:
    """The table of the package's wheel."""

    def read() -> dict[tuple[int, ...], Any]:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as stream:
            content: dict[tuple[int, ...], Any] = load(stream, f"{wheel}, {MEMBER}", ADMITTED)
            return content

    content = guard_unpickling(read, wheel)
    if not (isinstance(content, dict) and content):
        raise HarnessError(f"{wheel}, {MEMBER} holds no dict of architectures")
    accuracy = {}
    for numbers, fields in content.items():
        where, value = f"{wheel}, {MEMBER}, architecture {brief(numbers)}", getattr(fields, "baseline_accuracy", None)
        if not (isinstance(numbers, tuple) and len(numbers) == len(EDGE) and all(map(is_operation, numbers))):
            raise HarnessError(f"{where}: it is not six operation numbers from 0 to {len(OPERATION) - 1}")
        if not (isinstance(value, float) and 0 <= value <= 100):
            raise HarnessError(f"{where}: its baseline_accuracy, {brief(value)}, is no percentage")
        accuracy[tuple(OPERATION[numbers[place]] for place in EDGE)] = value
    cells = [cell for cell in list_official_cells() if cell in accuracy]
    return write_table(
        folder,
        space="nasbench201",
        keys=[to_string(cell) for cell in cells],
        accuracy={Column(*TEST, 0): np.array([accuracy[cell] for cell in cells])},
        validation=None,
        test=TEST,
        about=about,
    )
