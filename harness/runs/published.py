"""Reading the tables of published, imported or derived results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.files import hash_bytes, read_file
from harness.runs.schema import TABLES, Unfit, check_types, check_values
from harness.runs.store import ANEW, DamagedError, read_first_line

if TYPE_CHECKING:
    import pyarrow as pa


def read_published_tables(folder: Path, manifest: dict[str, Any]) -> dict[str, pa.Table]:
    """The tables of results by their manifest; `DamagedError` where one is not what was published, or can be none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = {}
    for name in TABLES:
        path = folder / f"{name}.parquet"
        try:
            content = read_file(path)
            if manifest.get("files", {}).get(path.name) not in (None, hash_bytes(content)):
                raise DamagedError(path, "is not what was published, its SHA-256 differs", ANEW)
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
