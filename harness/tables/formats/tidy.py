"""Bringing a table: a tidy CSV or Parquet file with one measured value a row."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.core.errors import HarnessError
from harness.core.text import brief
from harness.spaces.base import Space
from harness.tables.embedding import iterate_embedded_tables
from harness.tables.formats.base import Conversion, TableFormat
from harness.tables.measure import Column, Measure, Unit
from harness.tables.table import Table
from harness.tables.write import write_table

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".csv.gz", ".parquet")
MOST_CELLS, SPARSE = 10_000_000, 100
"""A larger table is refused where it would hold fewer than one value in so many."""
WIDEST = 1000
"""Columns of a CSV file; those that are not needed are left unread."""
SHOWN = 10
"""Names of columns that an error lists."""
COLUMNS = ("arch", "dataset", "split", "epochs", "trial", "accuracy")


Values = dict[Column, dict[int, float]]
"""A column's values, by row."""


class TidyFile(TableFormat):
    """Your own numbers: a CSV or Parquet file with the columns arch, dataset, split, epochs, trial, accuracy."""

    name = "tidy"
    what = "a tidy .csv or .parquet"
    told = True

    def recognizes(self, path: Path) -> bool:
        return path.name.endswith(SUFFIXES)

    def convert(self, job: Conversion) -> list[Table]:
        if job.space is None:
            raise HarnessError(f"{job.path.name} does not say what it is of: give the table's --space")
        table = import_tidy(
            job.path,
            job.folder,
            job.space,
            about=job.about,
            test=job.test,
            validation=job.validation,
            unit=job.unit,
            columns=job.columns,
        )
        return [table]


def import_tidy(
    path: Path,
    folder: Path,
    space: Space,
    *,
    about: dict[str, Any],
    test: Measure | None = None,
    validation: Measure | None = None,
    unit: Unit | None = None,
    columns: Mapping[str, str] | None = None,
) -> Table:
    """Import `arch, dataset, split, epochs, trial, accuracy` (accuracy in %, trial a seed or "mean") as a table.

    The first row that cannot be right ends the import with its line number. A value that is not listed is missing.
    test, validation: the measures a search is judged and selected by; test may be left out where there is only one.
    unit: of the accuracies; a column that has none above 1 is taken where it is stated. columns: what the file calls a
    column; a measure among the names ("cifar10/ori-test@200", or with a trial, ":777") is a column of its own in a wide
    file.
    """
    frame = read_frame(path)
    rows, values = read_rows(path, iterate_records(path, frame, dict(columns or {})), space)
    values = convert_to_percent(path, values, unit)
    refuse_errors(path, rows, values, space)
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


def convert_to_percent(path: Path, values: Values, unit: Unit | None) -> Values:
    """The values in %. A column without any above 1 is most likely one of fractions, or else of networks that guess:
    which one, its numbers do not say, so the user has to."""
    if unit == "fraction":
        for column, own in values.items():
            if wrong := [v for v in own.values() if v > 1]:
                raise HarnessError(f"{path}: column {column} holds {wrong[0]:g}, which is no fraction: --unit percent")
        return {column: {row: 100 * v for row, v in own.items()} for column, own in values.items()}
    low = [column for column, own in values.items() if own and max(own.values()) <= 1]
    if unit is None and low:
        raise HarnessError(
            f"{path}: none of the {len(values[low[0]])} accuracies of {low[0]} is above 1: say --unit fraction, or "
            f"--unit percent "
            "if they are percentages as they stand"
        )
    return values


def refuse_errors(path: Path, rows: Mapping[str, int], values: Values, space: Space) -> None:
    """An error where a column is what a table that comes with the package has of the same measure, as errors: 100 minus
    it."""
    keys = {row: key for key, row in rows.items()}
    for table in iterate_embedded_tables(space.name):
        for column, own in values.items():
            if column.measure not in table.measures:
                continue
            known = table.row_values(column.measure)
            pairs = [(v, float(known[row])) for r, v in own.items() if (row := table.row_of(keys[r])) is not None]
            if len(pairs) > 1 and all(abs(100 - v - k) < NEAR < abs(v - k) for v, k in pairs if not np.isnan(k)):
                raise HarnessError(
                    f"{path}: the accuracies of {column} are errors, 100 minus what table {table.name} has of "
                    f"{column.measure}: "
                    "a tidy table holds accuracies in %"
                )


NEAR = 3.0
"""Percentage points between two versions of a benchmark, at the most."""


def iterate_records(path: Path, frame: pd.DataFrame, columns: dict[str, str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The rows of a file, with their places, as (arch, dataset, split, epochs, trial, accuracy): of a wide file one for
    each of its measures."""
    frame = frame.rename(columns=lambda name: str(name).strip())
    if lacking := [column for column in columns.values() if column not in frame.columns]:
        raise HarnessError(f"{path} has no column {lacking[0]!r}, which --columns names: it has {list_columns(frame)}")
    wide = {name: column for name, column in columns.items() if "/" in name}
    frame = frame.rename(columns={column: name for name, column in columns.items() if name not in wide})
    needed = ("arch",) if wide else COLUMNS
    absent = [c for c in needed if c not in frame.columns]
    if absent:
        raise HarnessError(
            f"{path} lacks the column {absent[0]!r}: a tidy table has {', '.join(COLUMNS)}, and this file has "
            f"{list_columns(frame)}; "
            f"--columns {absent[0]}=NAME says which it is, --columns dataset/split@epochs=NAME that one holds a measure"
        )
    if unknown := [name for name in columns if name not in wide and name not in COLUMNS]:
        raise HarnessError(
            f"--columns {unknown[0]}: the name is one of {', '.join(COLUMNS)}, or a measure dataset/split@epochs"
        )
    if frame.empty:
        raise HarnessError(f"{path} has a header but no rows")
    # a CSV's first row is its second line
    word, first = ("row", 1) if path.suffix == ".parquet" else ("line", 2)
    if not wide:
        for n, row in enumerate(zip(*(frame[c] for c in COLUMNS), strict=True), first):
            if any(row):
                yield f"{word} {n}", row
        return
    parts = {}
    for name, column in wide.items():
        text, _, trial = name.partition(":")
        dataset, split, epochs = Measure.parse(text)
        parts[column] = (dataset, split, str(epochs), trial or "mean")
    cells = {column: frame[column].tolist() for column in wide.values()}
    for n, arch in enumerate(frame["arch"], first):
        for column, part in parts.items():
            if cells[column][n - first]:  # a wide file has to leave out what it does not know
                yield f"{word} {n}, {column}", (arch, *part, cells[column][n - first])


def list_columns(frame: pd.DataFrame) -> str:
    """The first names of a file's columns."""
    names = [str(name) for name in frame.columns]
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


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
        # blank lines count, so that a row's line is the file's
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True, skip_blank_lines=False)
        return frame.fillna("")
    except FileNotFoundError:
        raise HarnessError(f"no table file at {path}: check the path") from None
    except (ValueError, OSError, EOFError, zlib.error, gzip.BadGzipFile, pyarrow.ArrowException) as error:
        kind = "Parquet file" if path.suffix == ".parquet" else "CSV"
        raise HarnessError(f"{path} is not a readable {kind}, or is truncated ({error})") from None


def read_rows(
    path: Path, records: Iterable[tuple[str, tuple[str, ...]]], space: Space
) -> tuple[dict[str, int], Values]:
    """The table key of each architecture with its row, and each column's values by row."""
    keys: dict[str, str] = {}
    rows: dict[str, int] = {}
    values: Values = {}
    origins: dict[tuple[Column, int], tuple[str, str]] = {}
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
            before, own = origins[column, row]
            if own != text and cells[row] == accuracy:
                continue  # the same cell in another encoding
            twin = "" if own == text else f": it is the cell of {before}, {own!r}, in another encoding"
            raise HarnessError(
                f"{path}, {place}: a second value for {text!r} in {column.measure}, trial {column.trial}, {accuracy:g} "
                f"after "
                f"{cells[row]:g}{twin or f' in {before}'}"
            )
        cells[row] = accuracy
        origins[column, row] = place, text
    return rows, values


def parse_row(record: tuple[str, ...]) -> tuple[Column, float]:
    """The column and the accuracy of one row; an error says which value cannot be."""
    _, dataset, split, epochs, trial, accuracy = record
    if not dataset or not split:
        raise HarnessError("dataset and split must not be empty")
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", epochs):
        raise HarnessError(f"epochs = {brief(epochs)} is no positive whole number")
    trial = re.sub(r"\.0+$", "", trial)  # whole numbers that pandas made of a column with gaps
    if trial != "mean" and not re.fullmatch(r"[0-9]{1,18}", trial):
        raise HarnessError(f"trial = {brief(trial)} is neither a seed nor 'mean'")
    column = Column(dataset, split, int(epochs), "mean" if trial == "mean" else int(trial))
    try:
        value = float(accuracy)
    except ValueError:
        raise HarnessError(f"accuracy = {brief(accuracy)} is no number") from None
    if not 0 <= value <= 100:
        raise HarnessError(f"accuracy = {value:g} is outside 0..100 %")
    return column, value
