"""Manifests: what a folder of rows says of itself, with the SHA-256 of its files, and, of a run, its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import hash_bytes, hash_values, read_file
from harness.core.notation import parse_json
from harness.runs.schema import check_manifest

MANIFEST = "manifest.json"
RECOMPUTE = "harness run --recompute-damaged computes it again"
ANEW = "publish or import it again"
OTHER_BYTES = "is not what was written, its SHA-256 differs"
RUN_NAME = re.compile(r"_seed\d+_[0-9a-f]{12}$")
"""What the names of runs' folders end with."""


class DamagedError(HarnessError):
    """A file of a finished run is not what was written.

    Args:
        path: the file.
        how: what is wrong with it.
        again: what computes it anew.

    Example:
        >>> import harness, shutil
        >>> copy = shutil.copytree("results/published/ten-seeds", "copy")
        >>> open("copy/epochs.parquet", "ab").write(b"!")
        1
        >>> try:
        ...     harness.load("copy")
        ... except harness.DamagedError as error:
        ...     print(error.path.name, error.how[:14])
        epochs.parquet cannot be read
    """

    def __init__(self, path: Path, how: str, again: str = RECOMPUTE) -> None:
        super().__init__(f"{path} {how}: {again}")
        self.path, self.how = path, how


def read_owner(manifest: Mapping[str, Any]) -> tuple[str, int]:
    """Method and seed of a run, by its manifest."""
    return manifest["method_name"], manifest["configuration"]["seed"]


def read_manifest(path: Path, again: str = RECOMPUTE) -> dict[str, Any]:
    """What a manifest says, sealed or not; `DamagedError` where it says nothing."""
    try:
        content = parse_json(read_file(path))
    except HarnessError:
        raise
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else error
        raise DamagedError(path, f"cannot be read ({told})", again) from None
    if not isinstance(content, dict):
        raise DamagedError(path, "is no manifest", again)
    try:
        check_manifest(content)
    except HarnessError:
        raise
    except ValueError as error:
        of_run = "configuration" in content or "retraining" in content
        raise DamagedError(path, str(error), again if of_run else ANEW) from None
    return content


def read_first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]


def check_seal(path: Path, manifest: dict[str, Any], again: str = RECOMPUTE) -> dict[str, Any]:
    """The manifest of a run, or `DamagedError` where it breaks its seal. path: where it was read."""
    if not (manifest == seal_manifest(manifest) or is_unsealed(manifest)):
        raise DamagedError(path, OTHER_BYTES, again)
    if not is_unsealed(manifest) and "files" not in manifest:
        raise DamagedError(path, "names no files", again)
    return manifest


def is_unsealed(manifest: dict[str, Any]) -> bool:
    """Whether a manifest is of record format 1, which kept no sums."""
    return manifest.get("configuration", {}).get("format") == 1 and "files" not in manifest


def seal_manifest(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with the SHA-256 of all else that it holds."""
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return content | {"sha256": hash_values(content)}


def read_checked(path: Path, sum_: str | None, again: str) -> bytes:
    """The bytes of a file that a manifest names.

    Args:
        path: the file.
        sum_: its SHA-256 there; None where older versions kept none.
        again: what gives it anew.

    Raises:
        DamagedError: it is not there, or holds other bytes.
    """
    try:
        content = read_file(path)
    except OSError as error:
        raise DamagedError(path, f"cannot be read ({error.strerror})", again) from None
    if sum_ is not None and hash_bytes(content) != sum_:
        raise DamagedError(path, OTHER_BYTES, again)
    return content
