"""The soak of benchmarks/reliability for seconds: what is killed, filled and forbidden changes no row."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.engines
def test_a_short_soak() -> None:
    words = ("--minutes", "0.15", "--runs", "4", "--epochs", "4", "--executors", "local", "--seed", "3")
    command = [sys.executable, "-m", "benchmarks.reliability.soak", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 of 8 files of rows are equal to undisturbed ones: good" in done.stdout
