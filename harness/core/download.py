"""Published files: where they are, what they hash to, and getting them, going on where a download broke off."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError

BLOCK = 1 << 16
DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
"""Google Drive's address of a shared file, without its page about viruses."""
TIMEOUT = 30
"""Seconds without an answer."""
Say = Callable[[str], None]
"""Where progress is told, a line at a time."""


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A published file. sha256, md5: what its authors publish of it, if anything."""

    file: str
    title: str
    url: str
    size: str
    licence: str
    citation: str
    sha256: str | None = None
    md5: str | None = None

    @property
    def checksum(self) -> str | None:
        """The published one, as algorithm:digest."""
        if self.sha256:
            return f"sha256:{self.sha256}"
        return f"md5:{self.md5}" if self.md5 else None

    def told(self) -> dict[str, str]:
        """What a user is to know before the download."""
        told = {"title": self.title, "file": self.file, "url": self.url, "size": self.size}
        published = self.checksum or "none published"
        return told | {"checksum": published, "licence": self.licence, "citation": self.citation}


class Resuming:
    """A pooch downloader that keeps what it has in a .part file and asks for the rest of it."""

    def __init__(self, part: Path, say: Say) -> None:
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
                    f"{url} answers with a page instead of the file: open it in a browser, save the file in "
                    f"{self.part.parent}, and give the same command again"
                )
            resumed = answer.status_code == 206
            if resumed:
                self.say(f"going on at {have / 1e6:.0f} MB")
            with self.part.open("ab" if resumed else "wb") as stream:
                for block in answer.iter_content(BLOCK):
                    stream.write(block)
        shutil.move(self.part, output_file)


def download(source: PublishedFile, folder: Path, say: Say) -> Path:
    """The source's file in a folder: what is there already, else downloaded; checked where a hash is published."""
    import pooch
    import requests

    folder.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("ERROR")
    part = folder / f"{source.file}.part"
    try:
        pooch.retrieve(source.url, source.checksum, source.file, folder, downloader=Resuming(part, say))
    except requests.exceptions.RequestException as error:
        kept = f"; {part.stat().st_size / 1e6:.0f} MB are kept, the same command goes on" if part.exists() else ""
        what = "cannot be reached, are you offline?" if isinstance(error, requests.ConnectionError) else "broke off"
        raise HarnessError(
            f"{source.url} {what} ({type(error).__name__}){kept}; or put {source.file}, downloaded elsewhere, into "
            f"{folder}, and give the same command again"
        ) from None
    except ValueError as error:  # pooch, of another hash
        part.unlink(missing_ok=True)
        raise HarnessError(f"{source.url} did not give the published file, it was deleted ({error})") from None
    return folder / source.file
