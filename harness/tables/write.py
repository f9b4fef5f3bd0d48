"""Writing a table: arrays and their hashes into a folder that appears only when it is complete."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import __version__
from harness.errors import HarnessError
from harness.tables.table import Column, Measure, Table, digest


def write_table(
    folder: Path,
    *,
    space: str,
    keys: Sequence[str],
    accuracy: dict[Column, NDArray[Any]],
    curves: dict[Column, NDArray[Any]] | None = None,
    validation: Measure | None,
    test: Measure,
    about: dict[str, Any],
    dtype: str = "float64",
) -> Table:
    """Write and open a table named like its folder.

    accuracy: [architectures] in % a column, in the order of `keys`; curves: [architectures, epochs]. about: where the
    numbers come from (title, source, licence, ...), stored as given. Replaces a table of that name in one step.
    """
    digests = digest(keys)
    order = np.argsort(digests)
    if len(np.unique(digests)) != len(digests):
        raise HarnessError("two architectures of the table have one key: each may stand in it once")
    arrays: dict[str, NDArray[Any]] = {
        "keys.npy": digests[order],
        "accuracy.npy": np.stack([np.asarray(v, dtype=dtype)[order] for v in accuracy.values()]),
    }
    curves = curves or {}
    for epochs in sorted({c.epochs for c in curves}):
        arrays[f"curves-{epochs}.npy"] = np.stack(
            [np.asarray(v, dtype="float32")[order] for c, v in curves.items() if c.epochs == epochs]
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, array in arrays.items():
            np.save(partial / name, array)
        hashes = {name: sha256(partial / name) for name in arrays}
        info = {
            "format": 1,
            "name": folder.name,
            "space": space,
            "validation": validation,
            "test": test,
            "columns": list(accuracy),
            "curves": list(curves),
            "about": about,
            "written_by": f"harness {__version__}",
            "arrays": hashes,
        }
        identity = {k: info[k] for k in ("space", "validation", "test", "columns", "curves", "arrays")}
        info["fingerprint"] = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        (partial / "table.json").write_text(json.dumps(info, indent=1) + "\n")
        partial.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Table(folder)


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
