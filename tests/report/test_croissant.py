"""The descriptions for machines, by the reference implementation."""

import itertools
import json
from pathlib import Path

import pytest

from harness.core.files import hash_bytes
from harness.report import croissant
from harness.results.load import read_published
from harness.tables.catalog import open_table
from tests.conftest import ROOT

mlcroissant = pytest.importorskip("mlcroissant")
FOLDERS = sorted(p.parent for p in (ROOT / "results" / "published").glob("*/manifest.json"))
TABLES = sorted(p.parent for p in (ROOT / "harness" / "tables" / "embedded").glob("*/table.json"))


@pytest.mark.parametrize("folder", [*FOLDERS, *TABLES], ids=lambda p: p.name)
def test_descriptions_are_valid_and_up_to_date(folder: Path) -> None:
    """No error by mlcroissant; files, sums and columns are those that are there: python tools/republish.py."""
    kept = json.loads((folder / croissant.FILE).read_text())
    assert not list(mlcroissant.Dataset(jsonld=str(folder / croissant.FILE)).metadata.ctx.issues.errors)
    if folder in TABLES:
        again = croissant.describe_table(open_table(folder.name), folder)
    else:
        found = read_published(folder)
        again = croissant.describe_results(found.name, folder, found)
    assert kept == json.loads(json.dumps(again))
    assert {f["name"]: f["sha256"] for f in kept["distribution"]} == {
        f["name"]: hash_bytes((folder / f["name"]).read_bytes()) for f in kept["distribution"]
    }


def test_rows_are_read_by_their_description() -> None:
    dataset = mlcroissant.Dataset(jsonld=str(ROOT / "results" / "published" / "digits" / croissant.FILE))
    (row,) = itertools.islice(dataset.records("epochs"), 1)
    assert row["epochs/method"] == b"darts" and row["epochs/epoch"] == 0
    assert len(row["epochs/alphas"]) == 30
