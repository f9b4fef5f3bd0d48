"""Writing a table: arrays and their hashes into a folder that appears only when it is complete."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from harness.core.errors import HarnessError
from harness.core.files import digest as file_digest
from harness.core.files import hash_values, replace_folder
from harness.core.version import __version__
from harness.tables.blocks import name_curve_file
from harness.tables.measure import Column, Cost, Measure, Role, check_judges, digest
from harness.tables.table import Table
from harness.tables.versions import Earlier

Values = Mapping[Column, NDArray[Any]]


def write_table(
    folder: Path,
    *,
    space: str | None,
    keys: Sequence[str],
    names: Sequence[str] | None = None,
    accuracy: Values,
    curves: Values | None = None,
    more: Mapping[str, Values] | None = None,
    more_curves: Mapping[str, Values] | None = None,
    curve_epochs: Mapping[int, Sequence[int]] | None = None,
    costs: Mapping[Cost, NDArray[Any]] | None = None,
    roles: dict[str, Role] | None = None,
    validation: Measure | None,
    test: Measure,
    about: dict[str, Any],
    dtype: str = "float64",
    earlier: Sequence[Earlier] = (),
) -> Table:
    """Write and open a table named like its folder. Replaces a table of that name in one step.

    accuracy: [architectures] in % a column, in the order of `keys`; curves: [architectures, epochs] (float32), at all
    epochs or at those that `curve_epochs` lists for a schedule. more, more_curves: the same of loss and seconds.
    names: the encodings to show for the keys, where the space's own enumeration is long; without a space, the keys.
    space: None for a table that is looked up by key. roles: of "dataset/split", where the split's name does not say
    it. about: where the numbers come from (title, source, licence, ...), stored as given. earlier: versions of
    the table whose values are all among these.
    """
    check_judges(validation, test, roles or {}, f"table {folder.name}")
    digests = digest(keys)
    order = np.argsort(digests)
    if len(np.unique(digests)) != len(digests):
        raise HarnessError("two architectures of the table have one key: each may stand in it once")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        np.save(partial / "keys.npy", digests[order])
        if shown := names or (keys if space is None else None):
            np.save(partial / "names.npy", np.array(shown, dtype="S")[order])
        _save(partial / "accuracy.npy", accuracy.values(), order, dtype)
        for quantity, values in (more or {}).items():
            _save(partial / f"{quantity}.npy", values.values(), order, dtype)
        if costs:
            _save(partial / "costs.npy", costs.values(), order, "float64")
        all_curves = {"accuracy": curves or {}, **(more_curves or {})}
        for quantity, values in all_curves.items():
            for epochs in sorted({c.epochs for c in values}):
                chosen = [v for c, v in values.items() if c.epochs == epochs]
                _save(partial / name_curve_file(quantity, epochs), chosen, order, "float32")
        info = {
            "format": 1,
            "name": folder.name,
            "space": space,
            "validation": validation,
            "test": test,
            "columns": list(accuracy),
            "curves": list(curves or {}),
            **_drop_unstated(
                more={q: list(v) for q, v in (more or {}).items()},
                more_curves={q: list(v) for q, v in (more_curves or {}).items()},
                curve_epochs={str(k): list(v) for k, v in (curve_epochs or {}).items()},
                costs=list(costs or {}),
                roles=roles or {},
                earlier=list(earlier),
            ),
            "about": about,
            "written_by": f"harness {__version__}",
            "arrays": {path.name: file_digest(path, "sha256") for path in sorted(partial.glob("*.npy"))},
        }
        info["fingerprint"] = compute_fingerprint(info)
        (partial / "table.json").write_text(json.dumps(info, indent=1) + "\n")
        partial.chmod(0o755)
        replace_folder(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Table(folder)


def _drop_unstated(**fields: Any) -> dict[str, Any]:
    """The fields that say anything."""
    return {name: value for name, value in fields.items() if value}


def _save(path: Path, columns: Any, order: NDArray[np.intp], dtype: DTypeLike) -> None:
    """Columns in row order as one array, one at a time, so that no second copy of them is held."""
    listed = list(columns)
    shape = (len(listed), *np.shape(listed[0]))
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
    for place, column in enumerate(listed):
        array[place] = column[order]
    array.flush()


def save_npz(path: Path, **arrays: Any) -> None:
    """Write arrays to a file that appears only when it is complete, even where two processes write the same."""
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    with partial.open("wb") as stream:
        np.savez(stream, **arrays)
    partial.rename(path)


def compute_fingerprint(info: dict[str, Any]) -> str:
    """SHA-256 over all that a lookup can see: columns, measures, and the arrays' hashes."""
    seen = (
        "space",
        "validation",
        "test",
        "columns",
        "curves",
        "more",
        "more_curves",
        "curve_epochs",
        "costs",
        "arrays",
    )
    identity = {k: info[k] for k in seen if k in info}
    return hash_values(identity)


def verify(table: Table) -> list[str]:
    """What does not agree with table.json: arrays that changed or are gone, and the fingerprint; [] if all is well."""
    wrong = []
    table = table if table.version is None else Table(table.folder)  # its arrays are the newest version's
    for name, recorded in table.info["arrays"].items():
        path = table.folder / name
        if not path.is_file():
            wrong.append(f"{path} is missing")
        elif file_digest(path, "sha256") != recorded:
            wrong.append(f"{path} has changed since it was written")
    if compute_fingerprint(table.info) != table.fingerprint:
        wrong.append(f"{table.folder / 'table.json'} does not have its own fingerprint: it was edited")
    return wrong
