"""Adding a table: what kind of file it is, and its conversion, once even when two processes ask for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import cache_folder
from harness.spaces.base import SPACES
from harness.tables.formats.analog import convert_analog
from harness.tables.formats.nasbench101 import convert_nasbench101
from harness.tables.formats.nasbench201 import convert_nasbench201
from harness.tables.formats.official import members
from harness.tables.formats.tidy import SUFFIXES, import_tidy
from harness.tables.measure import Measure
from harness.tables.sources.download import fetch
from harness.tables.sources.source import SOURCES, identify, locate, source_of
from harness.tables.table import Table

Say = Callable[[str], None]
KINDS = (
    "a NATS-Bench archive folder, .pickle.pbz2, .pth, .tfrecord, an analog_nasbench wheel, or a tidy .csv or .parquet"
)


def add_table(
    what: str,
    *,
    name: str | None = None,
    space: str | None = None,
    test: Measure | None = None,
    validation: Measure | None = None,
    replace: bool = False,
    jobs: int = 1,
    say: Say = lambda _: None,
) -> list[Table]:
    """Add the table or tables of a file, a folder, or a source's name. Returns them, or what was there before."""
    from filelock import FileLock, Timeout

    # the one source that is small enough to get unasked
    path = fetch(SOURCES[what], say) if what == "analog-nasbench" else locate(what)
    tidy = path.name.endswith(SUFFIXES)
    if tidy and not (name and space):
        raise HarnessError(f"{path.name} does not say what it is of: give the table's --name and its --space")
    if not tidy and (space or test or validation):
        raise HarnessError(f"--space, --test and --validation are for tidy files; {path.name} says them itself")
    source = source_of(path)
    name = check_name(name or (source.table if source else path.name.split(".")[0]))
    convert = converter(path, space, test, validation)
    tables = cache_folder() / "tables"
    locks = tables / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(locks / name)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        say(f"another process is adding {name}: waiting for it")
        lock.acquire()
    try:
        say(f"hashing {path}")
        about = identify(path)
        if about.get("md5_in_its_name", "agrees") != "agrees":
            say(f"warning: the MD5 in the name of {path.name} {about['md5_in_its_name']}")
        folder = tables / name
        if (folder / "table.json").is_file() and not replace:
            there = Table(folder)
            if there.info["about"].get("source_sha256") == about["source_sha256"]:
                say(f"{name} is there already, from the same file")
                return [there]
            raise HarnessError(
                f"there is another table {name}, from {there.info['about'].get('source', 'elsewhere')}: "
                "choose another --name, or --replace it"
            )
        return convert(path, folder, about, jobs, say)
    finally:
        lock.release()


def check_name(name: str) -> str:
    if not name.replace(".", "").replace("-", "").replace("_", "").isalnum():
        raise HarnessError(f"{name!r} cannot name a table: use letters, digits, dots, hyphens and underscores")
    return name


Convert = Callable[[Path, Path, dict[str, str], int, Say], list[Table]]


def converter(path: Path, space: str | None, test: Measure | None, validation: Measure | None) -> Convert:
    """What turns a file of this kind into tables; an error says what can be added."""
    if path.is_dir():
        members(path)  # an error where it is no archive folder
        return nasbench201
    if path.name.endswith((".pickle.pbz2", ".pth")):
        return nasbench201
    if path.suffix == ".tfrecord":
        return lambda path, folder, about, jobs, say: convert_nasbench101(path, folder, about, say)
    if path.suffix == ".whl":
        return lambda path, folder, about, jobs, say: [convert_analog(path, folder, about)]
    if path.name.endswith(SUFFIXES) and space:
        kind = SPACES.find(space)()
        return lambda path, folder, about, jobs, say: [
            import_tidy(path, folder, kind, about=about, test=test, validation=validation)
        ]
    source = source_of(path)
    if source and source.unpacked:
        raise HarnessError(f"{path} is packed: unpack it, tar xf {path}, and add the folder {source.unpacked}")
    raise HarnessError(f"{path} is nothing that can be added: {KINDS}")


def nasbench201(path: Path, folder: Path, about: dict[str, str], jobs: int, say: Say) -> list[Table]:
    return [
        convert_nasbench201(
            path, folder, work=folder.with_name(f".{folder.name}.work"), about=about, jobs=jobs, say=say
        )
    ]
