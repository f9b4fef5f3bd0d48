"""Errors of the disk as sentences."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn the errors of a full or forbidden disk into sentences."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise HarnessError(
                f"no space left to write {path}: free some and run the same command again, finished epochs are kept"
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise HarnessError(
                f"cannot write to {path} ({os.strerror(error.errno)}): choose another folder with --out"
            ) from None
        raise
