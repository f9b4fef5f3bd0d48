"""Writing files: whole or not at all, with the errors of the disk as sentences."""

from __future__ import annotations

import ctypes
import difflib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.notation import parse_json
from harness.core.text import brief

LARGE = 1 << 22
"""Bytes of a file whose hash is worth keeping."""


HERE, EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DO = {
    **dict.fromkeys(FULL, "free some space, and run the same command again"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "change its permissions, or name another"),
    errno.EROFS: "name a place that can be written",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file, name a folder",
    errno.EISDIR: "name a file inside of it",
    errno.ELOOP: "its links go round in a circle, mend them",
    errno.ENAMETOOLONG: "shorten it",
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit (ulimit -n), or ask for fewer --jobs"),
    **dict.fromkeys((errno.EIO, errno.ESTALE), "the disk or file server fails, try again when it is well"),
}
"""What to do about the errors of a file system."""


NO_NAME = re.compile(r"[/\\\x00-\x1f\x7f]")
"""What separates names of a path, or lines."""
NAME_BYTES = 255
"""Bytes of a name, as file systems have it."""


class DiskFullError(HarnessError):
    """There is no space left on a disk."""


def is_name(text: Any) -> bool:
    """Whether a value names one thing inside of a folder: no path, nothing above it, one line."""
    return (
        isinstance(text, str)
        and text not in ("", ".", "..")
        and NO_NAME.search(text) is None
        and len(text.encode(errors="surrogatepass")) <= NAME_BYTES
    )


def join_inside(folder: Path, *names: str) -> Path:
    """A path inside of a folder, by names that come from elsewhere: a manifest, a log, a file's own name.

    Raises:
        HarnessError: one of them leads out of the folder, or is no name.
    """
    for name in names:
        if not is_name(name):
            raise HarnessError(
                f"{brief(name)} cannot name anything in {folder}: a name is one line, without '/' and '\\', of at most "
                f"{NAME_BYTES} bytes, and not '..': give it another one where it comes from"
            )
    return folder.joinpath(*names)


def resolve_path(path: Path) -> Path:
    """The path without links. Where these go round in a circle it stays as it is, and using it is an error of the file
    system, which `Path.resolve` is not before Python 3.13."""
    return Path(os.path.realpath(path))


def read_file(path: Path) -> bytes:
    """What a file of a folder holds; OSError also where it is none, such as a device that never ends."""
    # asked of the open file: a name can be another thing a moment later; a pipe without a writer would wait for ever
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(path))
        return stream.read()


def describe_os_error(error: OSError) -> str:
    """An error of a file system as a sentence: what, where, and what to do."""
    named = isinstance(error.filename, str | bytes)
    where = os.fsdecode(error.filename) if named else "a file, or what the output goes to,"
    do = DO.get(error.errno or 0, "look at it, and try again")
    return f"{where} cannot be used ({error.strerror or error}): {do}"


@contextmanager
def explain_disk_errors(path: Path) -> Iterator[None]:
    """Turn the errors of a full or forbidden disk, and of a folder where a file is to be, into sentences."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError(f"no space left to write {path}: free some and run the same command again") from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise HarnessError(f"cannot write to {path} ({os.strerror(error.errno)}): choose another folder") from None
        if error.errno == errno.EISDIR:
            raise HarnessError(f"{path} is a folder: name a file inside of it") from None
        raise HarnessError(describe_os_error(error)) from None


def write_file(path: Path, content: bytes) -> None:
    """Write a file where a user wants it: its folders are made, and an older file is replaced in one step."""
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace a file in one step that survives a power cut (where durable: what is only shown need not)."""
    if not path.name:  # "" is the folder where the command runs
        raise HarnessError(f"{path} is a folder: name a file inside of it")
    # a name of this process: one that was thought dead and wakes up must not write into what others write
    partial = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    with explain_disk_errors(path):
        try:
            with partial.open("wb") as stream:
                stream.write(content)
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
            partial.replace(path)
            if durable:
                sync_folder(path.parent)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


@contextmanager
def write_whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write, which gets the name of `folder` when the block has ended well. It begins as a copy of what
    lies there, so that what others put there stays. Where the block fails nothing of it is left, and what lay there is
    as it was."""
    with explain_disk_errors(folder):
        folder = resolve_path(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = folder.with_name(f".writing-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with explain_disk_errors(folder):
            if folder.exists():
                shutil.copytree(folder, draft, symlinks=True)
            else:
                draft.mkdir()
            yield draft
            sync_folder(draft)
            replace_folder(draft, folder)
            sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def replace_folder(new: Path, folder: Path) -> None:
    """Give a folder the name of another, which is removed: at every moment one of the two is whole under that name.

    Where the file system cannot exchange two names in one step (Linux' can, NFS cannot), the older one lies beside for
    the moment between two renamings.
    """
    if not folder.exists():
        new.rename(folder)
        return
    before = new
    if not exchange_folders(new, folder):
        before = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}.before")
        folder.rename(before)
        try:
            new.rename(folder)
        except BaseException:
            before.rename(folder)
            raise
    shutil.rmtree(before)


def exchange_folders(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step; False where the system or the file system cannot."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return call is not None and call(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE) == 0


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a renaming is on disk only when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that sync no folders
            raise
    finally:
        os.close(handle)


def hash_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def hash_values(values: Any) -> str:
    """The SHA-256 of plain values, whatever the order of their keys."""
    return hash_bytes(serialize_values(values).encode())


def serialize_values(values: Any) -> str:
    """Plain values as the text that `hash_values` hashes."""
    return json.dumps(values, sort_keys=True)


DEFAULT_OUT = Path("results/runs")
"""The folder of all studies' runs, where no other is said."""
CACHE = "NASBENCH_HARNESS_CACHE"
"""The variable that names the cache folder."""


def cache_folder() -> Path:
    """Where added tables and fetched files are kept: $NASBENCH_HARNESS_CACHE, else the platform's cache folder."""
    if chosen := os.environ.get(CACHE):
        try:
            return Path(chosen).expanduser()
        except RuntimeError:
            raise HarnessError(f"{CACHE}={chosen} names the home of nobody here: write the folder out") from None
    from platformdirs import user_cache_path

    return user_cache_path("nasbench-harness")


def describe_misspelt_cache() -> str:
    """A sentence on a variable that seems to be meant for the cache folder's, and is not read; empty where there is
    none."""
    if CACHE in os.environ:
        return ""
    close = difflib.get_close_matches(CACHE, [name for name in os.environ if "CACHE" in name.upper()], n=1, cutoff=0.7)
    return f"{close[0]} is set and not read: the variable of the cache folder is {CACHE}" if close else ""


def digest(path: Path, algorithm: str) -> str:
    """Hash of a file's content, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def digest_once(path: Path, algorithm: str) -> str:
    """The digest of a file; of a large one it is computed once for each state of it (size and time of
    change), and kept in the cache for other processes."""
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise HarnessError(f"{path} is no file: name one")
    if state.st_size < LARGE:
        return digest(path, algorithm)
    told = {"path": str(resolve_path(path)), "size": state.st_size, "changed_ns": state.st_mtime_ns, "of": algorithm}
    kept = cache_folder() / "hashes" / hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]
    with suppress(OSError, ValueError):
        content = parse_json(kept.read_text())
        if {k: content.get(k) for k in told} == told:
            return str(content["digest"])
    found = digest(path, algorithm)
    with suppress(OSError, HarnessError):  # a cache that cannot be written costs time alone
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, json.dumps(told | {"digest": found}).encode(), durable=False)
    return found
