"""Reading NAS-Bench-201's official files: the NATS archive folder, its single pickle, and the two .pth files.

All give the same thing, one entry an architecture. A folder's files are small and read by all cores; a single file is
read as a stream that forgets each entry once its numbers are taken out, because as Python objects the whole of it
needs some 30 GB.
"""

from __future__ import annotations

import bz2
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from harness.core.errors import HarnessError
from harness.core.pickles import CONTAINERS, NUMPY, guard_unpickling, load
from harness.core.unpickler import Refused, SafeUnpickler
from harness.tables.formats.nats import Entry, is_entry, read_entry

ADMITTED = CONTAINERS | NUMPY
MEMBER = re.compile(r"\d+\.pickle\.pbz2")
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""What torch.save wrote first before it wrote zip archives (torch.serialization)."""
BUFFER = 1 << 20


def list_members(folder: Path) -> list[Path]:
    """The architectures' files of an archive folder, in index order."""
    found = sorted((p for p in folder.iterdir() if MEMBER.fullmatch(p.name)), key=lambda p: int(p.name.split(".")[0]))
    if not found:
        raise HarnessError(f"{folder} holds no NNNNNN.pickle.pbz2: it is no NATS-Bench archive folder")
    return found


def read_member(path: Path) -> Entry:
    """The entry of one file of the archive folder."""

    def read() -> Entry:
        with bz2.open(path, "rb") as packed, io.BufferedReader(packed, BUFFER) as stream:
            content = load(stream, path, ADMITTED)
            drain_stream(stream)
        if not is_entry(content):
            raise HarnessError(f"{path} holds no entry of an architecture")
        return locate_error(path, content)

    entry: Entry = guard_unpickling(read, path)
    return entry


def locate_error(where: Path, content: Any) -> Entry:
    """read_entry, with the file's name before what it says."""
    try:
        return read_entry(content)
    except HarnessError as error:
        raise HarnessError(f"{where} cannot be used: {error}") from None


def read_stream(path: Path, take: Callable[[Any], None]) -> None:
    """Hand each entry's content of a .pickle.pbz2 or .pth file to `take`, in the file's order."""

    def part(done: Any) -> bool:
        if not is_entry(done):
            return False
        take(done)
        return True

    with open_pickle(path) as stream:
        guard_unpickling(lambda: SafeUnpickler(stream, ADMITTED, part).load(), path)
        guard_unpickling(lambda: drain_stream(stream), path)


def drain_stream(stream: IO[bytes]) -> None:
    """Read to the end, where bz2 and zip archives check their sums; little can stand behind a pickle."""
    if len(stream.read(BUFFER + 1)) > BUFFER:
        raise Refused(f"more than {BUFFER:,} bytes follow behind its content")


def starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(magic)) == magic


@contextmanager
def open_pickle(path: Path) -> Iterator[IO[bytes]]:
    """The pickle of the content: inside bz2, inside torch's zip archive, or after torch's old header."""
    if path.suffix == ".pbz2":
        with bz2.open(path, "rb") as packed, io.BufferedReader(packed, BUFFER) as stream:
            yield stream
    elif starts_with(path, b"PK"):
        with guard_unpickling(lambda: zipfile.ZipFile(path), path) as archive:
            pickles = [n for n in archive.namelist() if n.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise HarnessError(f"{path} holds {len(pickles)} data.pkl: it was not written by torch.save")
            opened_member = guard_unpickling(lambda: archive.open(pickles[0]), path)
            with opened_member as member, io.BufferedReader(member, BUFFER) as stream:
                yield stream
    else:
        with path.open("rb", buffering=BUFFER) as stream:
            header = [
                guard_unpickling(lambda: SafeUnpickler(stream, {}, lambda _: False).load(), path) for _ in range(3)
            ]
            if header[0] != LEGACY_MAGIC:
                raise HarnessError(f"{path} does not begin as torch.save writes: it is no official .pth file")
            yield stream
