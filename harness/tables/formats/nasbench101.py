"""NAS-Bench-101 (Ying et al., ICML 2019) from its official TFRecord files, and NAS-Bench-1Shot1's tables as its views.

A record is the JSON list [module hash, epochs, adjacency, operations, base64 of ModelMetrics], one a training: 423,624
cells, 4, 12, 36 and 108 epochs (`only108`: 108), three trials in the order of the file. Each was evaluated at its
beginning, half-way and at its end; splits are 40,000 / 10,000 / 10,000 images of CIFAR-10, of which `train` was
measured on 10,000.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.download import Say
from harness.core.errors import HarnessError
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1, NASBench1Shot1S2, NASBench1Shot1S3
from harness.tables.formats.base import Conversion, HeldNumber, TableFormat
from harness.tables.formats.tfrecord import EvaluationData, parse_metrics, read_records
from harness.tables.measure import Column, Cost, Measure
from harness.tables.sources.source import TableSource
from harness.tables.table import Table
from harness.tables.write import write_table

DATASET = "cifar10"
SPLITS = ("train", "valid", "test")
TRIALS = 3
EPOCHS = (4, 12, 36, 108)
VALIDATION, TEST = Measure(DATASET, "valid", 108), Measure(DATASET, "test", 108)
REPORT_EVERY = 100_000
HALF, END = 0, 1
FIELDS = ("train", "validation", "test", "training_seconds")
NASBENCH101 = (
    "Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search, ICML 2019 (arXiv 1902.09635)"
)


class NASBench101Files(TableFormat):
    """NAS-Bench-101's TFRecord files; NAS-Bench-1Shot1's three tables come with them."""

    name = "nasbench101"
    what = ".tfrecord"
    sources: ClassVar = {
        "nasbench101-only108": TableSource(
            file="nasbench_only108.tfrecord",
            table="nasbench101",
            title="NAS-Bench-101, 108 epochs",
            url="https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord",
            size="499 MB",
            licence="Apache-2.0",
            citation=NASBENCH101,
            views=tuple(space.name for space in (NASBench1Shot1S1, NASBench1Shot1S2, NASBench1Shot1S3)),
            sha256="4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
        ),
        "nasbench101-full": TableSource(
            file="nasbench_full.tfrecord",
            table="nasbench101",
            title="NAS-Bench-101, 4, 12, 36 and 108 epochs",
            url="https://storage.googleapis.com/nasbench/nasbench_full.tfrecord",
            size="1.95 GB",
            licence="Apache-2.0",
            citation=NASBENCH101,
            views=tuple(space.name for space in (NASBench1Shot1S1, NASBench1Shot1S2, NASBench1Shot1S3)),
            sha256="3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
        ),
    }

    def recognizes(self, path: Path) -> bool:
        return path.suffix == ".tfrecord"

    def convert(self, job: Conversion) -> list[Table]:
        return convert_nasbench101(job.path, job.folder, job.about, job.say)

    def hold(self, table: Table, path: Path, choose: Callable[[int], Sequence[int]]) -> Iterator[HeldNumber]:
        from harness.tables.formats.package101 import hold_against_package

        if table.info["space"] is not None:
            raise HarnessError(f"{table.name} is a view of NAS-Bench-101: name the table of all cells, nasbench101")
        return hold_against_package(table, path, set(choose(len(table))))


class Trainings:
    """What has been read: [cells, trials, half | end, FIELDS] for each schedule, in arrays that grow."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.parameters: list[int] = []
        self.values: dict[int, NDArray[np.float64]] = {}
        self.count: dict[int, NDArray[np.int8]] = {}

    def add(self, key: str, epochs: int, evaluations: Sequence[EvaluationData], parameters: int) -> None:
        row = self.rows.setdefault(key, len(self.rows))
        if row == len(self.parameters):
            self.parameters.append(parameters)
        if epochs not in self.values:
            self.values[epochs] = np.empty((0, TRIALS, 2, len(FIELDS)))
            self.count[epochs] = np.empty(0, dtype=np.int8)
        if row >= len(self.count[epochs]):
            self._grow(epochs, max(1024, 2 * (row + 1)))
        trial = self.count[epochs][row]
        if trial == TRIALS:
            raise ValueError(f"cell {key} has a fourth training of {epochs} epochs")
        for place, evaluation in zip((HALF, END), evaluations, strict=True):
            self.values[epochs][row, trial, place] = [getattr(evaluation, f) for f in FIELDS]
        self.count[epochs][row] = trial + 1

    def _grow(self, epochs: int, size: int) -> None:
        old = self.values[epochs]
        self.values[epochs] = np.full((size, *old.shape[1:]), np.nan)
        self.values[epochs][: len(old)] = old
        self.count[epochs] = np.concatenate([self.count[epochs], np.zeros(size - len(old), dtype=np.int8)])

    def of(self, epochs: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """[cells, trials, half | end, FIELDS] of chosen rows; NaN for row -1 and for what was not read."""
        found = np.full((len(rows), *self.values[epochs].shape[1:]), np.nan)
        known = (rows >= 0) & (rows < len(self.values[epochs]))
        found[known] = self.values[epochs][rows[known]]
        return found


def read_trainings(path: Path, say: Say) -> Trainings:
    """All trainings of a file; an error names the record that cannot be right."""
    found = Trainings()
    number = 0
    for number, data in read_records(path):
        try:
            key, epochs, _, _, packed = json.loads(data)
            evaluations, parameters = parse_metrics(base64.b64decode(packed, validate=True))
            check(key, epochs, evaluations)
            found.add(key, epochs, evaluations[1:], parameters)
        except HarnessError:
            raise
        except (ValueError, TypeError, binascii.Error) as error:
            raise HarnessError(f"{path}, record {number}: it is no training of NAS-Bench-101 ({error})") from None
        if number % REPORT_EVERY == 0:
            say(f"{number:,} trainings of {len(found.rows):,} cells")
    if not number:
        raise HarnessError(f"{path} is empty")
    return found


def check(key: Any, epochs: Any, evaluations: Sequence[EvaluationData]) -> None:
    """Refuse what no training of the benchmark can be."""
    if not (isinstance(key, str) and len(key) == 32):
        raise ValueError(f"{key!r} is no module hash")
    if epochs not in EPOCHS:
        raise ValueError(f"{epochs!r} epochs")
    if [round(e.epoch) for e in evaluations] != [0, epochs // 2, epochs]:
        raise ValueError(f"evaluated at epochs {[e.epoch for e in evaluations]} of {epochs}")
    for evaluation in evaluations:
        if not all(0 <= a <= 1 for a in (evaluation.train, evaluation.validation, evaluation.test)):
            raise ValueError(f"an impossible accuracy in {evaluation}")


def convert_nasbench101(source: Path, folder: Path, about: dict[str, Any], say: Say) -> list[Table]:
    """Write the table of all cells, looked up by module hash, and nasbench1shot1.s1, .s2, .s3 beside it."""
    found = read_trainings(source, say)
    tables = [write(found, folder, None, {key: key for key in found.rows}, about)]
    for kind in (NASBench1Shot1S1, NASBench1Shot1S2, NASBench1Shot1S3):
        say(f"view {kind.name}: its {kind.distinct:,} cells")
        cells = {key: cell.encoding for key, cell in kind().distinct_architectures().items()}
        view = {**about, "view": f"the cells of {kind.name} in {folder.name}, by module hash"}
        tables.append(write(found, folder.with_name(kind.name), kind.name, cells, view))
    return tables


def write(found: Trainings, folder: Path, space: str | None, cells: dict[str, str], about: dict[str, Any]) -> Table:
    """The table of some cells (key: name), NaN where a cell was not in the file."""
    keys = list(cells)
    rows = np.array([found.rows.get(key, -1) for key in keys])
    accuracy: dict[Column, NDArray[Any]] = {}
    curves: dict[Column, NDArray[Any]] = {}
    seconds: dict[Column, NDArray[Any]] = {}
    timed: dict[Column, NDArray[Any]] = {}
    for epochs in sorted(found.values):
        values = found.of(epochs, rows)
        for trial in range(TRIALS):
            for place, split in enumerate(SPLITS):
                column = Column(DATASET, split, epochs, trial)
                curves[column] = 100 * values[:, trial, :, place]
                accuracy[column] = curves[column][:, END]
            seconds[column := Column(DATASET, "train", epochs, trial)] = values[:, trial, END, -1]
            timed[column] = values[:, trial, :, -1]
    parameters = np.array([found.parameters[r] if r >= 0 else np.nan for r in rows]) / 1e6
    longest = max(found.values)
    return write_table(
        folder,
        space=space,
        keys=keys,
        names=list(cells.values()),
        accuracy=accuracy,
        curves=curves,
        more={"seconds": seconds},
        more_curves={"seconds": timed},
        curve_epochs={epochs: (epochs // 2, epochs) for epochs in found.values},
        costs={Cost(DATASET, epochs, "parameters_M"): parameters for epochs in found.values},
        validation=VALIDATION._replace(epochs=longest),
        test=TEST._replace(epochs=longest),
        about=about,
    )
