"""Verbs that compute nothing import no torch, and what computes nothing that it does not use: each in a process of
its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.runs.execute import plan, run_all
from harness.runs.study import load_study
from tests.conftest import ROOT, SMALL_STUDY

WATCHED = """
import sys
from harness.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code, ended.code
assert "torch" not in sys.modules, "torch was imported"
"""
READ = ("plan", "status", "compare", "plot", "paper", "report")
"""Verbs that take a study and nothing else."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study and its finished runs."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.toml").write_text(SMALL_STUDY)
    outcomes = run_all(plan(load_study(folder / "small.toml"), folder / "results" / "runs"), "cpu", 1)
    assert {o.error for o in outcomes} == {None}
    return folder


def call(folder: Path, *arguments: str, code: str = WATCHED) -> None:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("verb", READ)
def test_verbs_of_a_study(finished: Path, verb: str) -> None:
    call(finished, verb, "small.toml")


@pytest.mark.parametrize("verb", ["plan", "status"])
def test_what_judges_nothing_takes_no_statistics(finished: Path, verb: str) -> None:
    call(finished, verb, "small.toml", code=WATCHED.replace("torch", "scipy.stats"))


@pytest.mark.parametrize("package", ["torch._dynamo", "sympy"])
def test_a_search_takes_no_compiler(tmp_path: Path, package: str) -> None:
    """PyTorch imports them for what is never compiled here: a second and a half of every process that computes."""
    (tmp_path / "small.toml").write_text(SMALL_STUDY)
    changes = ("--set", 'methods=["darts"]', "--seeds", "0", "--jobs", "1")
    call(tmp_path, "run", "small.toml", *changes, code=WATCHED.replace('"torch"', f'"{package}"'))


def test_the_gate(finished: Path) -> None:
    call(finished, "gate", "small.toml", "--write", "baseline.parquet")
    call(finished, "gate", "small.toml", "--against", "baseline.parquet")


def test_folders(finished: Path) -> None:
    runs = "results/runs/small"
    call(finished, "verify", runs)
    call(finished, "merge", runs, "--to", "merged")


def test_what_needs_no_study(tmp_path: Path) -> None:
    call(tmp_path, "list")
    call(tmp_path, "tables", "list")
    call(tmp_path, "tables", "info", "nasbench201.digits")
    call(tmp_path, "trace", "39.77 54.30 15.03 15.61 16.43 16.32")


def test_claims(tmp_path: Path) -> None:
    """Of a study of a space without tables, and of a table alone."""
    for name in ("smoothdarts-s1.toml", "smoothdarts-s1.claims.toml", "nasbench201-table.claims.toml"):
        shutil.copy(ROOT / "benchmarks" / "published" / name, tmp_path)
    call(tmp_path, "claims", "--claims", ".")


def test_the_check_sees_torch(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="torch was imported"):
        call(tmp_path, "list", "--help", code=f"import torch\n{WATCHED}")
