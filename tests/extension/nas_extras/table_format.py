"""A table format: a JSON file {architecture: [validation accuracy, test accuracy]} in %."""

import json
from pathlib import Path

import numpy as np

from harness.core.errors import HarnessError
from harness.tables.formats.base import Conversion, TableFormat
from harness.tables.measure import Column, Measure
from harness.tables.table import Table
from harness.tables.write import write_table


class Answers(TableFormat):
    """`.answers.json`: validation and test accuracy of every triangle."""

    name = "answers"
    what = "an .answers.json of triangles"

    def recognizes(self, path: Path) -> bool:
        return path.name.endswith(".answers.json")

    def convert(self, job: Conversion) -> list[Table]:
        try:
            content = json.loads(job.path.read_text())
        except ValueError as error:
            raise HarnessError(f"{job.path} is no JSON ({error}): write it again") from None
        values = np.array(list(content.values()))
        columns = [Column("stripes", split, 1, 0) for split in ("valid", "test")]
        table = write_table(
            job.folder,
            space="triangle",
            keys=list(content),
            accuracy=dict(zip(columns, values.T, strict=True)),
            validation=Measure("stripes", "valid", 1),
            test=Measure("stripes", "test", 1),
            about=job.about,
        )
        return [table]
