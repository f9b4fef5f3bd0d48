"""Where the tests find data, and the small studies that they run."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
STUDIES = sorted(p for p in (ROOT / "benchmarks").rglob("*.toml") if not p.name.endswith(".claims.toml"))
"""Every study file of the project."""
RECORDS = Path(__file__).parent / "conformance" / "records"

# every test process uses one thread, like every run
os.environ.setdefault("OMP_NUM_THREADS", "1")


def often(values: Iterable[Any], chosen: Callable[[Any], bool]) -> list[Any]:
    """Parameters of a test, of which those that are not chosen are left to `make test-long`."""
    return [v if chosen(v) else pytest.param(v, marks=pytest.mark.long) for v in values]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real benchmark data; tests that need it are skipped where it is absent."""
    found = Path(os.environ.get("HARNESS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not found.is_dir():
        pytest.skip(f"no benchmark data at {found}: set HARNESS_TEST_DATA")
    return found


@pytest.fixture(scope="session")
def records(shared_data: Path) -> Path:
    """Records of published code beyond those that are kept here."""
    found = shared_data.parent / "conformance"
    if not found.is_dir():
        pytest.skip(f"no conformance records at {found}")
    return found


@pytest.fixture(scope="session")
def nasbench201_rows(shared_data: Path) -> list[dict[str, str]]:
    """The real NAS-Bench-201 table, wide, in the official index order."""
    with gzip.open(shared_data / "nasbench201" / "nb201_table.csv.gz", "rt") as stream:
        return list(csv.DictReader(stream))


SMALL_STUDY = """
name = "small"
space = "nasbench201"
dataset = {name = "digits100", evaluation_pairs = 64}
table = "nasbench201.digits"
methods = ["darts", "sdarts-rs", "sdarts-adv", "random-search"]
seeds = "0..1"
epochs = 2
[supernet]
channels = 2
cells = 1
[training]
batch_size = 8
steps_per_epoch = 3
"""


@pytest.fixture
def small_study(tmp_path: Path) -> Path:
    """A study that takes seconds."""
    path = tmp_path / "small.toml"
    path.write_text(SMALL_STUDY)
    return path
