"""The README's code and that of docstrings is run as a reader would, on studies that take seconds."""

from __future__ import annotations

import ast
import inspect
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import harness
from harness.cli.main import main
from tests.conftest import ROOT, SMALL_STUDY
from tests.docs.test_docs import FENCE

BLOCKS = [(language, text) for language, _, text in FENCE.findall((ROOT / "README.md").read_text())]
PYTHON = [text for language, text in BLOCKS if language == "python"]


def run(code: str, desk: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=desk, capture_output=True, text=True, timeout=300, check=False,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HOME": str(desk), "NASBENCH_HARNESS_CACHE": str(desk)},
    )  # fmt: skip
    assert done.returncode == 0, f"{code}\n{done.stderr[-2000:]}"


def study(name: str) -> str:
    return SMALL_STUDY.replace('name = "small"', f'name = "{name}"').replace('seeds = "0..1"', 'seeds = "0..4"')


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_the_readmes_python_runs(code: str, tmp_path: Path) -> None:
    """The study that it runs is a small one here, under the same name."""
    (tmp_path / "benchmarks" / "trajectories").mkdir(parents=True)
    (tmp_path / "benchmarks" / "trajectories" / "digits.toml").write_text(study("digits"))
    (tmp_path / "results").symlink_to(ROOT / "results")
    run(code, tmp_path)


def test_the_packages_docstring_runs(tmp_path: Path) -> None:
    document = ast.get_docstring(ast.parse((ROOT / "harness" / "__init__.py").read_text()))
    assert document is not None
    code = "\n".join(line[4:] for line in document.splitlines() if line.startswith("    "))
    assert "harness.run(" in code and "r.compare(" in code
    (tmp_path / "study.toml").write_text(study("study"))
    run(code, tmp_path)


def test_docstrings_hold_no_code_that_is_not_run() -> None:
    """Examples stand in the package's docstring, in the docs and in the docstrings of what is public; all are run."""
    run = [getattr(harness, name) for name in harness.__all__ if name != "__version__"]
    lines = [line for path in (ROOT / "harness").rglob("*.py") for line in path.read_text().splitlines()]
    examples = sum(line.strip().startswith(">>> ") for line in lines)
    assert examples == sum((inspect.getdoc(each) or "").count(">>> ") for each in run) > 30


def test_the_readmes_commands_are_commands() -> None:
    """With the options and arguments that they are given."""
    for language, text in BLOCKS:
        for line in text.splitlines() if language == "sh" else ():
            program, *words = shlex.split(line, comments=True) or [""]
            if program != "harness":
                continue
            command: click.Command = main
            context = click.Context(main, **main.context_settings)
            while words and isinstance(command, click.Group):
                name, *words = words
                found = command.get_command(context, name)
                assert found is not None, line
                command = found
            command.make_context(command.name, words, parent=context, resilient_parsing=True)
