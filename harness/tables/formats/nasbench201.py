"""Converting NAS-Bench-201's official files into a table, in bounded memory, resumable.

Entries are read in chunks of 250; the numbers of each chunk are kept in a file of the work folder, so that a killed
conversion goes on behind the last one (a single file has to be read again up to there, an archive folder has not).
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.download import DRIVE, Say
from harness.core.errors import HarnessError
from harness.core.notation import parse_json
from harness.spaces.nasbench201.cell import list_official_cells, to_string
from harness.tables.formats.base import Conversion, HeldNumber, TableFormat
from harness.tables.formats.nats import ROLES, TEST, VALIDATION, Entry
from harness.tables.formats.official import list_members, locate_error, read_member, read_stream
from harness.tables.measure import Column, Cost
from harness.tables.sources.source import TableSource
from harness.tables.table import Table
from harness.tables.write import save_npz, write_table

CHUNK = 250
MOST_COLUMNS = 2000
"""Of a chunk; the official files have some 200."""
Name = tuple[str, str, Column | Cost]
"""(final | curve | cost, quantity, column) of a chunk's array."""


NASBENCH201 = "Dong & Yang, NAS-Bench-201, ICLR 2020 (arXiv 2001.00326)"
NATS = "Dong, Liu, Musial & Gabrys, NATS-Bench, TPAMI 2021 (arXiv 2009.00437)"


class NASBench201Files(TableFormat):
    """The official files of NAS-Bench-201 and of NATS-Bench's topology space: archive folder, pickle, .pth."""

    name = "nasbench201"
    what = "a NATS-Bench archive folder, .pickle.pbz2 or .pth"
    sources: ClassVar = {
        "nats-tss": TableSource(
            file="NATS-tss-v1_0-3ffb9-simple.tar",
            table="nasbench201.nats-v1_0",
            title="NATS-Bench v1.0, topology space (NAS-Bench-201's cells)",
            url=f"{DRIVE}17_saCsj_krKjlCBLOJEpNtzPXArMCqxU",
            size="1.3 GB",
            licence="MIT",
            citation=NATS,
            unpacked="NATS-tss-v1_0-3ffb9-simple",
        ),
        "nats-tss-pickle": TableSource(
            file="NATS-tss-v1_0-3ffb9.pickle.pbz2",
            table="nasbench201.nats-v1_0",
            title="NATS-Bench v1.0, topology space (NAS-Bench-201's cells), as one pickle",
            url=f"{DRIVE}1vzyK0UVH2D3fTpa1_dSWnp1gvGpAxRul",
            size="1.2 GB",
            licence="MIT",
            citation=NATS,
        ),
        "nasbench201-v1.0": TableSource(
            file="NAS-Bench-201-v1_0-e61699.pth",
            table="nasbench201.v1_0",
            title="NAS-Bench-201 v1.0",
            url=f"{DRIVE}1SKW0Cu0u8-gb18zDpaAGi0f74UdXeGKs",
            size="2.2 GB",
            licence="MIT",
            citation=NASBENCH201,
        ),
        "nasbench201-v1.1": TableSource(
            file="NAS-Bench-201-v1_1-096897.pth",
            table="nasbench201.v1_1",
            title="NAS-Bench-201 v1.1",
            url=f"{DRIVE}16Y0UwGisiouVRxW-W5hEtbxmcHw_0hF_",
            size="4.7 GB",
            licence="MIT",
            citation=NASBENCH201,
        ),
    }

    def recognizes(self, path: Path) -> bool:
        return path.is_dir() or path.name.endswith((".pickle.pbz2", ".pth"))

    def convert(self, job: Conversion) -> list[Table]:
        work = job.folder.with_name(f".{job.folder.name}.work")
        if job.path.is_dir():
            list_members(job.path)  # an error where it is no archive folder
        table = convert_nasbench201(job.path, job.folder, work=work, about=job.about, jobs=job.jobs, say=job.say)
        return [table]

    def hold(self, table: Table, path: Path, choose: Callable[[int], Sequence[int]]) -> Iterator[HeldNumber]:
        from harness.tables.formats.package201 import hold_against_package

        known = sorted(index for row in range(len(table)) if (index := table.index(row)) is not None)
        return hold_against_package(table, path, [known[place] for place in choose(len(known))])


def is_of(begun: Path, about: dict[str, Any]) -> bool:
    """Whether chunks were begun of this source."""
    try:
        return bool(parse_json(begun.read_bytes()) == about)
    except ValueError:
        return False


def convert_nasbench201(source: Path, folder: Path, *, work: Path, about: dict[str, Any], jobs: int, say: Say) -> Table:
    """The table `folder` of an official file or archive folder. work: where unfinished chunks are kept."""
    begun = work / "source.json"
    if begun.is_file() and not is_of(begun, about):
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    begun.write_text(json.dumps(about))
    (convert_members if source.is_dir() else convert_stream)(source, work, jobs, say)
    table = assemble(work, folder, about, source)
    shutil.rmtree(work)
    return table


def convert_members(source: Path, work: Path, jobs: int, say: Say) -> None:
    """Read an archive folder's files by all cores."""
    from joblib import Parallel, delayed

    paths = list_members(source)
    groups = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
    missing = [(g, name_chunk(work, n)) for n, g in enumerate(groups) if not name_chunk(work, n).exists()]
    done = len(groups) - len(missing)
    results = Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(read_chunk)(*job) for job in missing)
    for _ in results:
        done += 1
        say(f"{min(done * CHUNK, len(paths))} of {len(paths)} files")


def read_chunk(paths: Sequence[Path], target: Path) -> None:
    write_chunk([read_member(p) for p in paths], target)


def convert_stream(source: Path, work: Path, _: int, say: Say) -> None:
    """Read a single file from its beginning to its end."""
    entries: list[Entry] = []
    seen = 0

    def flush() -> None:
        if entries:
            write_chunk(entries, name_chunk(work, (seen - 1) // CHUNK))
            entries.clear()
            say(f"{seen} architectures")

    def take(content: Any) -> None:
        nonlocal seen
        seen += 1
        if not name_chunk(work, (seen - 1) // CHUNK).exists():
            entries.append(locate_error(source, content))
        if seen % CHUNK == 0:
            flush()

    read_stream(source, take)
    flush()


def name_chunk(work: Path, number: int) -> Path:
    return work / f"{number:03d}.npz"


def write_chunk(entries: Sequence[Entry], target: Path) -> None:
    """The numbers of some entries as one file: an array a name, NaN where an entry has no such number."""
    arrays: dict[Name, NDArray[Any]] = {}
    for place, (_, finals, curves, costs) in enumerate(entries):
        for kind, values in (("final", finals), ("curve", curves)):
            for (quantity, column), value in values.items():
                name = (kind, quantity, column)
                if name not in arrays:
                    arrays[name] = np.full((len(entries), *np.shape(value)), np.nan, dtype=np.asarray(value).dtype)
                arrays[name][place] = value
        for cost, value in costs.items():
            arrays.setdefault(("cost", "", cost), np.full(len(entries), np.nan))[place] = value
        if len(arrays) > MOST_COLUMNS:
            raise HarnessError(f"the file holds over {MOST_COLUMNS:,} different columns: it is no file of this kind")
    content = {json.dumps(name): array for name, array in arrays.items()}
    save_npz(target, index=np.array([index for index, *_ in entries]), **content)


def read_chunks(work: Path) -> Iterator[tuple[NDArray[np.int64], dict[Name, NDArray[Any]]]]:
    """Each chunk's official indices and arrays."""
    for path in sorted(work.glob("*.npz")):
        with np.load(path) as content:
            arrays: dict[Name, NDArray[Any]] = {}
            for text in content.files:
                if text != "index":
                    kind, quantity, column = json.loads(text)
                    arrays[kind, quantity, Cost(*column) if kind == "cost" else Column(*column)] = content[text]
            yield content["index"], arrays


def assemble(work: Path, folder: Path, about: dict[str, Any], source: Path) -> Table:
    """The table of all chunks; architectures in official order."""
    indices = np.concatenate([index for index, _ in read_chunks(work)] or [np.empty(0, dtype=np.int64)])
    if not len(indices):
        raise HarnessError(f"{source} holds no architecture")
    order = np.sort(indices)
    if len(np.unique(order)) != len(order):
        raise HarnessError(f"{source} holds architecture {order[:-1][np.diff(order) == 0][0]} twice")
    whole: dict[Name, NDArray[Any]] = {}
    for index, arrays in read_chunks(work):
        rows = np.searchsorted(order, index)
        for name, array in arrays.items():
            if name not in whole:
                whole[name] = np.full((len(order), *array.shape[1:]), np.nan, dtype=array.dtype)
            whole[name][rows] = array
    grouped: dict[str, dict[str, dict[Any, NDArray[Any]]]] = defaultdict(lambda: defaultdict(dict))
    for kind, quantity, column in sorted(whole):
        grouped[kind][quantity][column] = whole.pop((kind, quantity, column))
    finals, curves = grouped["final"], grouped["curve"]
    if not finals["accuracy"]:
        raise HarnessError(f"{source} holds no accuracy: none of its architectures was trained")
    cells = list_official_cells()
    return write_table(
        folder,
        space="nasbench201",
        keys=[to_string(cells[i]) for i in order],
        accuracy=finals.pop("accuracy"),
        curves=curves.pop("accuracy", {}),
        more=finals,
        more_curves=curves,
        costs=grouped["cost"][""],
        roles=ROLES,
        validation=VALIDATION,
        test=TEST,
        about=about,
    )
