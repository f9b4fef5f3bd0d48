"""The rows of a study's many runs in one file a table: what is read of them again takes no look into every run.

Who reads many runs for the first time writes it beside them. It is a copy, and no run is believed for it: rows are
taken from it where the run's manifest, whose own seal is checked each time, has the seal under which they were read,
and the run's files have the sizes and times that they had. Every other run is read itself, and where the index is
damaged or of another version of harness, all are. `harness verify` and readers of few runs do not look at it.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.core.errors import HarnessError
from harness.core.files import digest, hash_bytes, write_atomically
from harness.core.notation import parse_json
from harness.core.version import __version__
from harness.runs.archive import encode_table
from harness.runs.manifest import seal_manifest
from harness.runs.schema import OWNER, TABLES
from harness.runs.store import RunFolder

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = ".index"
CONTENTS = "index.json"
FEWEST = 200
"""Runs from which there is an index; of fewer, every file is read each time."""
GROUP = 1 << 16
"""Rows that are written, and read again, at a time."""

Tables = dict[str, "pa.Table"]


class TablePart:
    """What is read of the tables of runs: all of them. Kinds of it ask for less."""

    def names(self, table: str, columns: Sequence[str]) -> list[str]:
        """Which of a table's columns."""
        return list(columns)

    def rows(self, table: str, rows: pa.Table) -> pa.Table:
        """Which of a table's rows."""
        return rows


WHOLE = TablePart()


class Read(NamedTuple):
    """A finished run that is to be read."""

    folder: RunFolder
    manifest: dict[str, Any]
    method: str
    seed: int


@dataclass(frozen=True)
class Index:
    """folder: where it is. runs: by the name of its folder, the mark of a run (see `mark_of`) and its rows, [first,
    end] of each table."""

    folder: Path
    runs: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, root: Path) -> Index | None:
        """The index of a study's folder; None where there is none that can be believed."""
        folder = root / FOLDER
        try:
            told = parse_json((folder / CONTENTS).read_bytes())
            if told != seal_manifest(told) or told["harness"] != __version__:
                return None
            if any(digest(folder / f"{name}.parquet", "sha256") != told["files"][name] for name in TABLES):
                return None
            return cls(folder, told["runs"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, HarnessError):
            return None

    def holds(self, run: Read, mark: Any) -> bool:
        """Whether it has the rows of a run as it is now."""
        known = self.runs.get(run.folder.final.name)
        return known is not None and mark is not None and known["mark"] == mark

    def rows(self, name: str, runs: Sequence[Read], part: TablePart = WHOLE) -> pa.Table:
        """This part of the rows of a table of runs that it holds, in their order."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        pieces: list[list[int]] = []
        for run in runs:
            first, end = self.runs[run.folder.final.name]["rows"][name]
            if pieces and pieces[-1][1] == first:
                pieces[-1][1] = end
            else:
                pieces.append([first, end])
        path = self.folder / f"{name}.parquet"
        columns = part.names(name, pq.read_schema(path).names)
        return pa.concat_tables(part.rows(name, rows) for rows in iterate_rows(path, pieces, columns))


def iterate_rows(path: Path, pieces: Sequence[Sequence[int]], columns: list[str]) -> Iterator[pa.Table]:
    """Rows [first, end] of a Parquet file, piece after piece, `GROUP` at most at a time; first none of them."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, memory_map=True) as file:
        starts = [0, *accumulate(file.metadata.row_group(n).num_rows for n in range(file.num_row_groups))]
        # pieces that are not in the order of the file come back to groups
        in_order = all(before[1] <= after[0] for before, after in pairwise(pieces))
        read = lru_cache(1 if in_order else None)(lambda n: file.read_row_group(n, columns=columns))
        yield file.schema_arrow.empty_table().select(columns)
        for first, end in pieces:
            for n in range(bisect_right(starts, first) - 1, bisect_left(starts, end)):
                begin = max(first, starts[n])
                yield read(n).slice(begin - starts[n], min(end, starts[n + 1]) - begin)


def mark_of(run: Read) -> list[Any] | None:
    """What a run's rows are known by: what they are called, its manifest's seal, and size and times of its files; None
    where it has no seal, or not all files."""
    try:
        found = [(run.folder.final / f"{name}.parquet").stat() for name in TABLES]
    except OSError:
        return None
    seal = run.manifest.get("sha256")
    states = [[s.st_size, s.st_mtime_ns, s.st_ctime_ns] for s in found]
    return None if seal is None else [run.method, run.seed, seal, *states]


def read_indexed(
    runs: Sequence[Read], read: Callable[[Sequence[Read]], Tables], part: TablePart = WHOLE
) -> Iterator[tuple[str, pa.Table]]:
    """This part of the tables of runs of one study, each run's rows below the one before, a table after the other: from
    its index, and what that does not hold by `read`. Many runs that are not all in it are written to it."""
    root = runs[0].folder.final.parent
    if len(runs) < FEWEST or any(run.folder.final.parent != root for run in runs):
        yield from cut_tables(read(runs), part)
        return
    marks = [mark_of(run) for run in runs]  # before they are read: what is written meanwhile is not what was read
    index = Index.of(root) or Index(root, {})
    held = [index.holds(run, mark) for run, mark in zip(runs, marks, strict=True)]
    if all(held):
        yield from ((name, index.rows(name, runs, part)) for name in TABLES)
        return
    tables = merge_tables(runs, held, index, read)
    if None not in marks:
        write_index(root, runs, marks, tables)
    yield from cut_tables(tables, part)


def cut_tables(tables: Tables, part: TablePart) -> Iterator[tuple[str, pa.Table]]:
    """This part of tables, a table after the other."""
    for name, table in tables.items():
        yield name, part.rows(name, table.select(part.names(name, table.column_names)))


def merge_tables(
    runs: Sequence[Read], held: Sequence[bool], index: Index, read: Callable[[Sequence[Read]], Tables]
) -> Tables:
    """The tables of runs of which the index holds some."""
    import pyarrow as pa

    pieces: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
    for known, group in groupby(range(len(runs)), key=held.__getitem__):
        part = [runs[n] for n in group]
        own = {name: index.rows(name, part) for name in TABLES} if known else read(part)
        for name, found in pieces.items():
            found.append(own[name])
    return {name: pa.concat_tables(found, promote_options="permissive") for name, found in pieces.items()}


def write_index(root: Path, runs: Sequence[Read], marks: Sequence[Any], tables: Tables) -> None:
    """Write the rows of these runs as the index of their study; not where the folder may not be written to."""
    import numpy as np

    ends = {name: np.cumsum(run_lengths(table, runs)).tolist() for name, table in tables.items()}
    starts = {name: [0, *found[:-1]] for name, found in ends.items()}
    told: dict[str, Any] = {
        run.folder.final.name: {"mark": mark, "rows": {name: [starts[name][n], ends[name][n]] for name in TABLES}}
        for n, (run, mark) in enumerate(zip(runs, marks, strict=True))
    }
    try:
        (root / FOLDER).mkdir(exist_ok=True)
        files = {}
        for name, table in tables.items():
            content = encode_table(table.slice(first, GROUP) for first in range(0, max(len(table), 1), GROUP))
            write_atomically(root / FOLDER / f"{name}.parquet", content, durable=False)
            files[name] = hash_bytes(content)
        contents = seal_manifest({"harness": __version__, "files": files, "runs": told})
        write_atomically(root / FOLDER / CONTENTS, json.dumps(contents).encode(), durable=False)
    except (OSError, HarnessError):
        return


def run_lengths(table: pa.Table, runs: Sequence[Read]) -> list[int]:
    """How many rows of a table, which has them in the order of the runs, each run has."""
    import numpy as np

    method, seed = (table.column(name).to_pandas().to_numpy() for name in OWNER)
    changes = np.flatnonzero((method[1:] != method[:-1]) | (seed[1:] != seed[:-1])) + 1
    first = [0, *changes.tolist()] if len(method) else []
    found = {(method[a], int(seed[a])): b - a for a, b in pairwise([*first, len(method)])}
    return [found.get((run.method, run.seed), 0) for run in runs]
