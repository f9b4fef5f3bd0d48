"""Tables of rows as files beside a manifest: those of runs, and those of published, imported or derived results."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.files import hash_bytes, join_inside, write_atomically
from harness.runs.manifest import ANEW, MANIFEST, DamagedError, read_checked, read_first_line
from harness.runs.schema import TABLES, Unfit, check_types, check_values

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def write_archive(
    folder: Path, tables: Mapping[str, pd.DataFrame | Iterable[pa.Table]], manifest: Mapping[str, Any]
) -> None:
    """Write tables, and last the manifest, with the tables' SHA-256.

    Args:
        folder: a draft (see `write_whole_folder`): half of an archive is none.
        tables: by name, whole or a part after the other.
        manifest: what is said of them.
    """
    told = dict(manifest) | {"files": write_tables(folder, tables)}
    write_atomically(folder / MANIFEST, (json.dumps(told, indent=1) + "\n").encode())


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame | Iterable[pa.Table]]) -> dict[str, str]:
    """Write each table, whole or a part after the other, as a Parquet file; their SHA-256 by the files' names, as a
    manifest keeps them."""
    files = {}
    for name, table in tables.items():
        content = encode_table(table)
        write_atomically(folder / f"{name}.parquet", content)
        files[f"{name}.parquet"] = hash_bytes(content)
    return files


def encode_table(table: pd.DataFrame | Iterable[pa.Table]) -> bytes:
    """A table as a Parquet file."""
    import pandas as pd
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    if isinstance(table, pd.DataFrame):
        table.to_parquet(buffer, index=False)
        return buffer.getvalue()
    parts = iter(table)
    first = next(parts)
    with pq.ParquetWriter(buffer, first.schema) as writer:
        writer.write_table(first)
        for part in parts:
            writer.write_table(part)
    return buffer.getvalue()


def read_published_tables(folder: Path, manifest: dict[str, Any]) -> dict[str, pa.Table]:
    """The tables of results by their manifest; `DamagedError` where one is not what was published, or can be none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = {}
    for name in TABLES:
        path = folder / f"{name}.parquet"
        try:
            content = read_checked(path, manifest.get("files", {}).get(path.name), ANEW)
            tables[name] = pq.ParquetFile(pa.BufferReader(content)).read()
        except HarnessError:
            raise
        except (OSError, ValueError, pa.ArrowException) as error:
            told = error.strerror if isinstance(error, OSError) and error.strerror else read_first_line(error)
            raise DamagedError(path, f"cannot be read ({told})", ANEW) from None
    try:
        check_types(tables, owned=True)
        # older versions derived without the epochs that have no logits, and timed them
        check_values(tables, timed_alone="rederived" in manifest)
    except Unfit as error:
        raise DamagedError(folder / f"{error.table}.parquet", str(error), ANEW) from None
    return tables


def find_damage(folder: Path, manifest: Mapping[str, Any]) -> list[DamagedError]:
    """Every file of published results that is not what was written; of whole ones, the first table that can be none."""
    damage = []
    for name, sum_ in manifest.get("files", {}).items():
        try:
            read_checked(join_inside(folder, name), sum_, ANEW)
        except DamagedError as error:
            damage.append(error)
    if not damage:
        try:
            read_published_tables(folder, dict(manifest))
        except DamagedError as error:
            return [error]
    return damage
