"""What a folder of runs may hold, wherever it comes from: the parts of its manifest, and the columns of its tables.

A folder can have been copied, edited by hand or written by somebody else. Whoever reads one has it checked here, so
that nobody after has to ask what a value is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.core.files import is_name
from harness.core.text import brief, is_label
from harness.runs.appearance import Appearance
from harness.runs.preregistration import Declared

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = ("epochs", "lookups")
"""Parquet files of a finished run that its configuration alone determines."""
TABLES = (*ROWS, "timing")
"""All of them; equal runs differ in the last."""
LONGEST_DERIVED_LABEL = 1000
"""Characters of a method's name in results that were made of others, which names the policy that derived them, too."""
HIGHEST_SEED = (1 << 63) - 1
MOST_EPOCHS = 10_000_000


# -- manifests -------------------------------------------------------------------------------------------------------


def _label(value: Any) -> Any:
    if not is_label(value, LONGEST_DERIVED_LABEL):
        raise ValueError(f"a method's name is one line of 1 to {LONGEST_DERIVED_LABEL} printable characters")
    return value


def _name(value: Any) -> Any:
    if not is_name(value):
        raise ValueError("it is to name one thing: one line, no path")
    return value


Label = Annotated[str, BeforeValidator(_label)]
Name = Annotated[str, BeforeValidator(_name)]
Text = Annotated[str, Field(strict=True)]
Whole = Annotated[int, Field(strict=True, ge=0)]
Seed = Annotated[int, Field(strict=True, ge=0, le=HIGHEST_SEED)]
Files = dict[Literal["epochs.parquet", "lookups.parquet", "timing.parquet"], Text]
"""The sums of the tables by their files' names: no others may be named, and so nothing elsewhere."""
Fields = dict[str, Any]


class ManifestPart(BaseModel):
    """A part of a manifest, of which only what is read is checked."""

    model_config = ConfigDict(extra="allow")


class NamedTable(ManifestPart):
    """The table that was asked."""

    name: Name
    fingerprint: Name
    trained: Fields | None = None


class DatasetPart(ManifestPart):
    """The data set of a run."""

    name: Text


class Configuration(ManifestPart):
    """What a run was asked for."""

    format: Whole = 1
    space: Text
    dataset: DatasetPart
    table: NamedTable | None
    method: dict[str, Fields]
    seed: Seed
    epochs: Annotated[int, Field(strict=True, ge=0, le=MOST_EPOCHS)]
    supernet: Fields = {}
    training: Fields = {}
    probes: dict[str, Fields] = {}


class Environment(ManifestPart):
    """What a run was computed with, as far as a manifest says it."""

    harness: Text
    device: Text
    torch: Text
    device_class: Text = ""
    precision: Text = ""


class RunManifest(ManifestPart):
    """The manifest of one run."""

    id: Name
    method_name: Label
    record_format: Whole | None = None
    configuration: Configuration
    environment: Environment
    code: Fields = {}
    files: Files = {}
    sha256: Text = ""


class TrainingManifest(ManifestPart):
    """The manifest of one training of a derived cell."""

    id: Name
    retraining: Fields
    costs: dict[str, float] = {}
    files: Files = {}
    sha256: Text = ""


class PublishedStudy(ManifestPart):
    """The study of published, imported or derived results."""

    name: Name
    space: Text | None = None
    comparison: Declared = Declared()
    figures: Appearance = Appearance()


class PublishedManifest(ManifestPart):
    """The manifest of published, imported or derived results."""

    study: PublishedStudy
    table: NamedTable | None
    declaration: Text = ""
    runs: list[RunManifest] = []
    files: Files = {}


def check_manifest(content: Mapping[str, Any]) -> None:
    """Whether a manifest, of a run or of results, has the parts that are read of it.

    Raises:
        ValueError: says which part, and what is wrong with it.
    """
    kinds: dict[str, type[ManifestPart]] = {"configuration": RunManifest, "retraining": TrainingManifest}
    kind = next((kind for part, kind in kinds.items() if part in content), PublishedManifest)
    try:
        kind.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        path = ".".join(str(part) for part in problem["loc"] if part != "[key]")
        if problem["type"] == "missing":
            raise ValueError(f"has no {path!r}") from None
        message = problem["msg"].removeprefix("Value error, ")
        raise ValueError(f"says {brief(path)} = {brief(problem['input'])}: {message}") from None


# -- tables ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TableColumn:
    """kind: what its values are. low, high: their range; numbers may be missing (NaN) where it is no key."""

    kind: Literal["string", "whole", "number", "numbers"]
    low: float | None = None
    high: float | None = None
    needed: bool = False


NUMBER, COUNT, SHARE = TableColumn("number"), TableColumn("whole", 0), TableColumn("number", 0, 100)
EPOCH = TableColumn("whole", 0, MOST_EPOCHS, needed=True)
OWNER = {"method": TableColumn("string", needed=True), "seed": TableColumn("whole", 0, HIGHEST_SEED, needed=True)}
"""What tells of which run a row is, where a table holds several."""
TEXT = TableColumn("string", needed=True)
COLUMNS: dict[str, dict[str, TableColumn]] = {
    "epochs": {
        "epoch": EPOCH,
        "architecture": TEXT,
        "key": TableColumn("string"),
        "sampled": TableColumn("string"),
        "train_loss": NUMBER,
        "search_valid_loss": NUMBER,
        "supernet_accuracy_pct": SHARE,
        "supernet_perplexity": TableColumn("number", 0),
        "entropy_nats": NUMBER,
        "alphas": TableColumn("numbers"),
    },
    "lookups": {
        "epoch": EPOCH,
        "dataset": TEXT,
        "split": TEXT,
        "table_epochs": TableColumn("whole", 0, needed=True),
        "trial": TEXT,
        "accuracy_pct": SHARE,
        "perplexity": TableColumn("number", 0),
    },
    "timing": {
        "epoch": EPOCH,
        "wall_s": TableColumn("number", 0, needed=True),
        **{
            name: TableColumn("number", 0)
            for name in ("cpu_s", "probe_s", "lookup_s", "peak_memory_mb", "simulated_s", "simulated_epochs")
        },
    },
}
KEYS = {"epochs": ("epoch",), "timing": ("epoch",), "lookups": ("epoch", "dataset", "split", "table_epochs", "trial")}
"""What a row is known by, beside its run; no two have the same."""
WORDS = {"string": "texts", "whole": "whole numbers", "number": "numbers", "numbers": "lists of numbers"}


class Unfit(ValueError):
    """A table is not what it is to be. table: its name."""

    def __init__(self, table: str, told: str) -> None:
        super().__init__(told)
        self.table = table


def check_types(tables: Mapping[str, pa.Table], *, owned: bool) -> None:
    """Whether tables have the columns that are read of them, of the right kinds. owned: they hold rows of several runs,
    each with its method and seed.

    Raises:
        Unfit: says which table and column, and what is wrong.
    """
    for name, table in tables.items():
        columns = (OWNER if owned else {}) | COLUMNS[name]
        found = table.schema.names
        if table.num_rows == 0 and not found:
            continue
        if twice := next((column for column in found if found.count(column) > 1), None):
            raise Unfit(name, f"has the column {brief(twice)} twice")
        if absent := next((column for column, about in columns.items() if about.needed and column not in found), None):
            raise Unfit(name, f"has no column {absent!r}")
        for column, kind in zip(found, table.schema.types, strict=True):
            wanted = _find_expected(columns, column)
            wanted_kinds = (wanted.kind,) if wanted else ("whole", "number", "numbers", "flag")
            if not _list_kinds(kind) & set(wanted_kinds):
                told = WORDS[wanted.kind] if wanted else "numbers, or lists of them"
                raise Unfit(name, f"holds {kind} in the column {brief(column)}, which is to hold {told}")


def _find_expected(columns: Mapping[str, TableColumn], name: str) -> TableColumn | None:
    """What a column is to hold; None where nobody says it."""
    return columns.get(name) or (COUNT if name.startswith("count_") else None)


def _list_kinds(kind: Any) -> set[str]:
    """What a column of this type can be taken for."""
    from pyarrow import types

    if types.is_string(kind) or types.is_large_string(kind):
        return {"string"}
    if types.is_integer(kind):
        return {"whole", "number"}
    if types.is_floating(kind):
        return {"number"}
    if types.is_boolean(kind):
        return {"flag"}
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inside = kind.value_type
        return {"numbers"} if types.is_null(inside) or _list_kinds(inside) & {"whole", "number"} else set()
    return set()


def add_owner(table: pa.Table, method: str, seed: int) -> pa.Table:
    """The table of one run with columns that say so."""
    import pyarrow as pa

    count = table.num_rows
    named = table.add_column(0, "method", pa.repeat(pa.scalar(method, pa.large_string()), count))
    return named.add_column(1, "seed", pa.repeat(pa.scalar(seed, pa.int64()), count))


def check_values(tables: Mapping[str, pa.Table], *, timed_alone: bool = False) -> None:
    """Whether the values of tables are in their ranges, no row is there twice, and the three are of the same epochs.
    Each table holds the columns `method` and `seed`. timed_alone: epochs may be timed that have no row.

    Raises:
        Unfit: says which table, column and row, and what is wrong.
    """
    for name, table in tables.items():
        columns = OWNER | COLUMNS[name]
        for column in table.schema.names if table.num_rows else ():
            about = _find_expected(columns, column)
            if about is not None and about.kind != "numbers":
                _check_column(name, table, column, about)
    _check_keys(tables, timed_alone)


def _check_column(name: str, table: pa.Table, column: str, about: TableColumn) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    values = table.column(column)
    if about.kind == "string":
        if about.needed and values.null_count:
            _tell(name, table, column, pc.is_null(values), "nothing stands there")
        if column == "method":
            for label in values.unique().to_pylist():
                if not is_label(label, LONGEST_DERIVED_LABEL):
                    _tell(name, table, column, pc.equal(values, label), "that is not one line of printable characters")
        return
    if about.kind == "whole" and values.null_count:
        _tell(name, table, column, pc.is_null(values), "nothing stands there")
    out = pa.scalar(False)
    for limit, beyond in ((about.low, pc.less), (about.high, pc.greater)):
        if limit is not None:
            kind = values.type if pa.types.is_integer(values.type) else pa.float64()
            fits = not pa.types.is_integer(kind) or limit <= _find_highest(kind)
            # NaN and what is missing are in no order: they are neither below nor above
            out = pc.or_(out, beyond(values, pa.scalar(limit, kind))) if fits else out
    if pc.any(out).as_py():
        told = f"at least {about.low:g}" if about.high is None else f"from {about.low:g} to {about.high:g}"
        _tell(name, table, column, out, f"it is to be {told}")


def _find_highest(kind: Any) -> int:
    """The highest whole number of a type."""
    bits = int(kind.bit_width)
    return (1 << bits) - 1 if str(kind).startswith("u") else (1 << (bits - 1)) - 1


def _tell(name: str, table: pa.Table, column: str, wrong: Any, told: str) -> None:
    """Raise the error of the first row that is wrong."""
    import pyarrow.compute as pc

    place = pc.index(pc.fill_null(wrong, False), True).as_py()
    value = table.column(column)[place].as_py()
    who = ", ".join(f"{key} {brief(table.column(key)[place].as_py())}" for key in OWNER if key in table.schema.names)
    raise Unfit(name, f"holds {brief(value)} in the column {brief(column)}, row {place + 1} ({who}): {told}")


def _check_keys(tables: Mapping[str, pa.Table], timed_alone: bool) -> None:
    """No row twice, and no row of an epoch that the others do not know."""
    import numpy as np

    there = {name: table for name, table in tables.items() if table.num_rows}
    owners = _number_rows(there, ("method", "seed", "epoch"))
    for name, table in there.items():
        rest = [column for column in KEYS[name] if column != "epoch"]
        keys = _number_rows({name: table}, rest, owners)[name] if rest else owners[name]
        if len(first := np.unique(keys, return_index=True)[1]) < len(keys):
            again = int(np.setdiff1d(np.arange(len(keys)), first)[0])
            raise Unfit(name, f"holds a row twice, {_describe_row(table, again, KEYS[name])}, again as row {again + 1}")
    both = (("timing", "epochs"), ("epochs", "timing"), ("lookups", "epochs"))
    for name, other in both[timed_alone:]:
        own = owners.get(name, np.empty(0, dtype=np.int64))
        alone = np.flatnonzero(~np.isin(own, owners.get(other, np.empty(0, dtype=np.int64))))
        if len(alone):
            told = _describe_row(tables[name], int(alone[0]), ("epoch",))
            raise Unfit(other, f"holds no row of {told}, and {name}.parquet does")


def _number_rows(tables: Mapping[str, pa.Table], columns: Sequence[str], start: Mapping[str, Any] | None = None) -> Any:
    """A number for every row, by table: the same where the columns say the same. start: numbers to go on from."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    lengths = np.cumsum([table.num_rows for table in tables.values()])
    if not tables:
        return {}
    codes = np.concatenate([start[name] for name in tables]) if start else np.zeros(lengths[-1], dtype=np.int64)
    for column in columns:
        kind = pa.large_string() if COLUMNS_OF_TEXT & {column} else pa.int64()
        chunks = [chunk for table in tables.values() for chunk in table.column(column).cast(kind).chunks]
        told = pa.chunked_array(chunks, kind).combine_chunks().dictionary_encode()
        codes = pd.factorize(codes * len(told.dictionary) + told.indices.to_numpy(zero_copy_only=False))[0]
    return dict(zip(tables, np.split(codes, lengths[:-1]), strict=True))


COLUMNS_OF_TEXT = {
    name for about in (OWNER, *COLUMNS.values()) for name, column in about.items() if column.kind == "string"
}


def _describe_row(table: pa.Table, place: int, columns: Sequence[str]) -> str:
    """What a row is of."""
    return ", ".join(f"{name} {brief(table.column(name)[place].as_py())}" for name in ("method", "seed", *columns))
