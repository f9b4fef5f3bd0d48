"""Bringing a table: a tidy CSV or Parquet file with one measured value a row."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.core.errors import HarnessError
from harness.core.text import brief
from harness.spaces.base import Space
from harness.tables.formats.base import Conversion, TableFormat
from harness.tables.measure import Column, Measure
from harness.tables.table import Table
from harness.tables.write import write_table

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".csv.gz", ".parquet")
MOST_CELLS, SPARSE = 10_000_000, 100
"""A larger table is refused where it would hold fewer than one value in so many."""
WIDEST = 1000
"""Columns of a CSV file; those that are not needed are left unread."""
COLUMNS = ("arch", "dataset", "split", "epochs", "trial", "accuracy")


class TidyFile(TableFormat):
    """Your own numbers: a CSV or Parquet file with the columns arch, dataset, split, epochs, trial, accuracy."""

    name = "tidy"
    what = "a tidy .csv or .parquet"
    told = True

    def recognises(self, path: Path) -> bool:
        return path.name.endswith(SUFFIXES)

    def convert(self, job: Conversion) -> list[Table]:
        if job.space is None:
            raise HarnessError(f"{job.path.name} does not say what it is of: give the table's --space")
        table = import_tidy(job.path, job.folder, job.space, about=job.about, test=job.test, validation=job.validation)
        return [table]


def import_tidy(
    path: Path,
    folder: Path,
    space: Space,
    *,
    about: dict[str, Any],
    test: Measure | None = None,
    validation: Measure | None = None,
) -> Table:
    """Import `arch, dataset, split, epochs, trial, accuracy` (accuracy in %, trial a seed or "mean") as a table.

    The first row that cannot be right ends the import with its line number. A value that is not listed is missing.
    test, validation: the measures a search is judged and selected by; test may be left out where there is only one.
    """
    frame = read_frame(path)
    absent = [c for c in COLUMNS if c not in frame.columns]
    if absent:
        raise HarnessError(f"{path} lacks the column {absent[0]!r}: a tidy table has {', '.join(COLUMNS)}")
    if frame.empty:
        raise HarnessError(f"{path} has a header but no rows")
    # a CSV's first row is its second line
    word, first = ("row", 1) if path.suffix == ".parquet" else ("line", 2)
    numbered = ((f"{word} {n}", row) for n, row in enumerate(zip(*(frame[c] for c in COLUMNS), strict=True), first))
    rows, values = read_rows(path, numbered, space)
    measures = sorted({c.measure for c in values})
    if test is None:
        if len(measures) > 1:
            listed = ", ".join(map(str, measures))
            raise HarnessError(
                f"{path} holds several measures: say which one judges a search, --test MEASURE of {listed}"
            )
        test = measures[0]
    for measure in (test, validation):
        if measure is not None and measure not in measures:
            raise HarnessError(f"{path} holds no {measure}: it holds {', '.join(map(str, measures))}")
    count = sum(map(len, values.values()))
    if len(rows) * len(values) > max(MOST_CELLS, SPARSE * count):
        raise HarnessError(
            f"{path} holds {count:,} values of {len(rows):,} architectures in {len(values):,} columns, so nearly "
            "all of the table would be missing: is `trial` or `epochs` a running number?"
        )
    accuracy_arrays = {}
    for column in sorted(values, key=lambda c: (c.measure, str(c.trial))):
        array = np.full(len(rows), np.nan)
        array[list(values[column])] = list(values[column].values())
        accuracy_arrays[column] = array
    return write_table(
        folder,
        space=space.name,
        keys=list(rows),
        accuracy=accuracy_arrays,
        validation=validation,
        test=test,
        about=about,
    )


def read_frame(path: Path) -> pd.DataFrame:
    """The file's columns as text."""
    import pandas as pd
    import pyarrow

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path).astype(str)
        wide = pd.read_csv(path, header=None, nrows=1, dtype=str).shape[1]
        if wide > WIDEST:  # the time to tell their names apart grows with the square
            raise HarnessError(f"{path} has {wide:,} columns: a tidy table has {', '.join(COLUMNS)}")
        return pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except FileNotFoundError:
        raise HarnessError(f"no table file at {path}: check the path") from None
    except (ValueError, OSError, EOFError, zlib.error, gzip.BadGzipFile, pyarrow.ArrowException) as error:
        kind = "Parquet file" if path.suffix == ".parquet" else "CSV"
        raise HarnessError(f"{path} is not a readable {kind}, or is truncated ({error})") from None


def read_rows(
    path: Path, records: Iterable[tuple[str, tuple[str, ...]]], space: Space
) -> tuple[dict[str, int], dict[Column, dict[int, float]]]:
    """The table key of each architecture with its row, and each column's values by row."""
    keys: dict[str, str] = {}
    rows: dict[str, int] = {}
    values: dict[Column, dict[int, float]] = {}
    for place, record in records:
        text = record[0]
        try:
            if text not in keys:
                keys[text] = space.parse(text).key
            column, accuracy = parse_row(record)
        except HarnessError as error:
            raise HarnessError(f"{path}, {place}: {error}") from None
        row = rows.setdefault(keys[text], len(rows))
        cells = values.setdefault(column, {})
        if row in cells:
            where = f"{column.measure}, trial {column.trial}"
            raise HarnessError(f"{path}, {place}: a second value for {text!r} in {where}")
        cells[row] = accuracy
    return rows, values


def parse_row(record: tuple[str, ...]) -> tuple[Column, float]:
    """The column and the accuracy of one row; an error says which value cannot be."""
    _, dataset, split, epochs, trial, accuracy = record
    if not dataset or not split:
        raise HarnessError("dataset and split must not be empty")
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", epochs):
        raise HarnessError(f"epochs = {brief(epochs)} is no positive whole number")
    if trial != "mean" and not re.fullmatch(r"[0-9]{1,18}", trial):
        raise HarnessError(f"trial = {brief(trial)} is neither a seed nor 'mean'")
    try:
        value = float(accuracy)
    except ValueError:
        raise HarnessError(f"accuracy = {brief(accuracy)} is no number") from None
    if not 0 <= value <= 100:
        raise HarnessError(f"accuracy = {value:g} is outside 0..100 %")
    return Column(dataset, split, int(epochs), "mean" if trial == "mean" else int(trial)), value
