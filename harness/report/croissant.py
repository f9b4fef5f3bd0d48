"""Describing published rows and tables in Croissant, MLCommons' machine-readable form of data sets (version 1.0)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.files import hash_bytes
from harness.core.version import __version__
from harness.results.runs import Runs
from harness.runs.schema import TABLES
from harness.tables.table import Table

FILE = "croissant.json"
LICENSE = "https://spdx.org/licenses/Apache-2.0"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "samplingRate": "cr:samplingRate",
}
PARQUET, NUMPY = "application/x-parquet", "application/octet-stream"
ROWS = {
    "epochs": "one row an epoch of every run: losses, logits, the derived architecture",
    "lookups": "one row a value that the table holds of an epoch's architecture, accuracies in %",
    "timing": "seconds and memory of every epoch",
}
COLUMNS = {
    "method": "the method, as the study calls it",
    "seed": "the seed of the run",
    "epoch": "epochs done; 0 is before any training",
    "accuracy_pct": "accuracy in %",
    "architecture": "the derived architecture, in the space's notation",
    "alphas": "all architecture logits, flat",
    "train_loss": "mean training loss of the epoch",
    "search_valid_loss": "loss of the one-shot network on the search-validation half",
    "supernet_accuracy_pct": "accuracy of the one-shot network on the search-validation half, in %",
    "hessian_largest": "largest eigenvalue of the Hessian of the validation loss over alpha",
    "wall_s": "seconds since the run began",
}


def describe_results(name: str, folder: Path, runs: Runs) -> dict[str, Any]:
    """The description of a folder of published results, whose Parquet files are there."""
    files = {f"{table}.parquet": PARQUET for table in TABLES}
    sets = [record_set(table, getattr(runs, table)) for table in TABLES if not getattr(runs, table).empty]
    table = "no table" if runs.table is None else f"table {runs.table.name}, {runs.table.test}"
    methods = ", ".join(map(str, runs.epochs["method"].unique()))
    text = f"Searches of {methods} ({len(runs)} runs), looked up in {table}: every epoch's row."
    return build_document(
        name, text, {n: (kind, hash_bytes((folder / n).read_bytes())) for n, kind in files.items()}, sets
    )


def describe_table(table: Table, folder: Path) -> dict[str, Any]:
    """The description of a converted table, whose arrays are in the folder."""
    about = table.info["about"]
    files = {p.name: (NUMPY, hash_bytes(p.read_bytes())) for p in sorted(folder.glob("*.npy"))}
    told = "; ".join(str(about[key]) for key in ("title", "source", "citation") if about.get(key))
    text = (
        f"{told}. {len(table):,} architectures, {len(table.measures)} measures. What each array holds is in table.json."
    )
    return build_document(table.name, text, files, [], license_=str(about.get("license") or LICENSE))


def build_document(
    name: str,
    text: str,
    files: Mapping[str, tuple[str, str]],
    record_sets: list[dict[str, Any]],
    license_: str = LICENSE,
) -> dict[str, Any]:
    """The JSON-LD document. files: by name their kind and SHA-256."""
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": text,
        "license": license_,
        "version": "1.0.0",
        "creator": {"@type": "Organization", "name": "The nasbench-harness authors"},
        "citeAs": f"nasbench-harness {__version__}",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file,
                "name": file,
                "contentUrl": file,
                "encodingFormat": kind,
                "sha256": digest,
            }
            for file, (kind, digest) in files.items()
        ],
        "recordSet": record_sets,
    }


def record_set(name: str, rows: Any) -> dict[str, Any]:
    """The columns of a Parquet file."""
    fields = []
    for column in map(str, rows.columns):
        first = rows[column].dropna()
        value = first.iloc[0] if len(first) else 0.0
        many = hasattr(value, "__len__") and not isinstance(value, str)
        field: dict[str, Any] = {
            "@type": "cr:Field",
            "@id": f"{name}/{column}",
            "name": column,
            "description": COLUMNS.get(column, column.replace("_", " ")),
            "dataType": "sc:Float" if many else classify_value(value),
            "source": {"fileObject": {"@id": f"{name}.parquet"}, "extract": {"column": column}},
        }
        fields.append(field | ({"repeated": True} if many else {}))
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "description": ROWS[name], "field": fields}


def classify_value(value: Any) -> str:
    """The schema.org type of a value."""
    if isinstance(value, str):
        return "sc:Text"
    if str(getattr(value, "dtype", type(value).__name__)).startswith(("bool", "Bool")):
        return "sc:Boolean"
    return "sc:Integer" if str(getattr(value, "dtype", type(value).__name__)).startswith("int") else "sc:Float"


def write(content: Mapping[str, Any], folder: Path) -> Path:
    """Write the description beside what it describes; returns its path."""
    path = folder / FILE
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path
