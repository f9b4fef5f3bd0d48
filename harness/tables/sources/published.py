"""The published files that the formats know of, and finding them on this machine."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from harness.core.errors import HarnessError, suggest_names
from harness.core.files import cache_folder, digest
from harness.tables.formats.base import FORMATS
from harness.tables.sources.source import TableSource

NAMED_MD5 = re.compile(r"-v1_\d-([0-9a-f]{5,6})(?:-simple)?\.(?:pth|pickle\.pbz2|tar)$")
"""The benchmark authors' convention: file names end with the first digits of the MD5."""


def list_sources() -> dict[str, TableSource]:
    """Every published file by its name here."""
    return {name: source for kind in FORMATS.classes.values() for name, source in kind.sources.items()}


def find_source(name: str) -> TableSource:
    if name not in (known := list_sources()):
        raise HarnessError(f"unknown source {name!r}: {suggest_names(name, known)}")
    return known[name]


def match_source(path: Path) -> TableSource | None:
    """The source that a file or folder is by its name."""
    return next((s for s in list_sources().values() if path.name in (s.file, s.unpacked)), None)


def locate_downloads() -> Path:
    """Where fetched files are kept."""
    return cache_folder() / "downloads"


def search_folders() -> list[Path]:
    """Where official files are looked for: among what was fetched, and in $TORCH_HOME, else ~/.torch."""
    return [locate_downloads(), Path(os.environ.get("TORCH_HOME") or Path.home() / ".torch").expanduser()]


def locate(what: str) -> Path:
    """The file or folder of a path, or of a source's name in the folders that are searched."""
    path = Path(what).expanduser()
    if path.exists():
        return path
    if what not in (known := list_sources()):
        raise HarnessError(f"there is no file {what}, and no source of that name: {suggest_names(what, known)}")
    source = known[what]
    names = [n for n in (source.unpacked, source.file) if n]
    for folder in search_folders():
        for name in names:
            if (folder / name).exists():
                return folder / name
    looked = " or ".join(map(str, search_folders()))
    raise HarnessError(
        f"no {' or '.join(names)} in {looked}: get it by 'harness tables fetch {what}', or give its path"
    )


def identify(path: Path) -> dict[str, str]:
    """What table.json says of where the numbers come from; refuses a file that is not what its name says."""
    about = {"title": f"added from {path.name}", "source": path.name, "source_sha256": hash_content(path)}
    if path.is_file() and (named := NAMED_MD5.search(path.name)):
        agrees = digest(path, "md5").startswith(named.group(1))
        about["md5_in_its_name"] = (
            "agrees" if agrees else "does not agree: the file may be damaged or not the official one"
        )
    source = match_source(path)
    if source is None:
        return about
    if source.sha256 and path.name == source.file and source.sha256 != about["source_sha256"]:
        raise HarnessError(
            f"{path} is not the published file of that name: its SHA-256 is {about['source_sha256'][:12]}..., "
            f"published is {source.sha256[:12]}...: download it again, or rename it if it is data of your own"
        )
    checked = "equal to the published one" if source.sha256 else "none is published to compare with"
    told = {"title": source.title, "url": source.url, "licence": source.licence, "citation": source.citation}
    return about | told | {"sha256_is": checked}


def hash_content(path: Path) -> str:
    """SHA-256 of a file; of a folder, over its files' names and hashes in order."""
    if not path.is_dir():
        return digest(path, "sha256")
    listed = "".join(f"{p.name} {digest(p, 'sha256')}\n" for p in sorted(path.iterdir()) if p.is_file())
    return hashlib.sha256(listed.encode()).hexdigest()
