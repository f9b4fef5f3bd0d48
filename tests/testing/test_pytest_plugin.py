"""The fixture `assert_stable`, in a pytest of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from harness.results.load import load_folder
from harness.verdicts.baseline import write_baseline
from tests.conftest import ROOT
from tests.support.results import draw_ranks as seeds
from tests.support.results import made_up

PUBLISHED = ROOT / "results" / "published" / "digits"
TESTS = """
def test_same(assert_stable):
    assert_stable({study!r}, "same.parquet", exact=True)

def test_few(assert_stable):
    assert_stable({study!r}, "same.parquet", seeds="0..1")

def test_moved(assert_stable):
    assert_stable({study!r}, "moved.parquet")

def test_a_run_is_made(assert_stable):
    assert_stable("small.toml", "none.parquet", seeds="0")
"""


def test_fixture_passes_and_fails(small_study: Path, tmp_path: Path) -> None:
    """Found through the entry point: one passes, the others fail with the reason and without a traceback."""

    results = load_folder(PUBLISHED)
    write_baseline(results, tmp_path / "same.parquet")
    rng = np.random.default_rng(0)
    methods = results.epochs["method"].unique()
    write_baseline(made_up({m: seeds(rng, 12, 0, 9) for m in methods}), tmp_path / "moved.parquet")
    (tmp_path / "test_it.py").write_text(TESTS.format(study=str(PUBLISHED)))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout
    assert "3 failed" in done.stdout
    assert "against same.parquet: too few" in done.stdout
    assert "too few runs: seed 2 of the baseline is missing" in done.stdout
    assert "there is no baseline at none.parquet" in done.stdout
