"""The edge of the program: what goes wrong outside becomes one sentence, a closed pipe none."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.cli.program import CLOSED, LONGEST
from harness.core.errors import HarnessError
from tests.conftest import ROOT


def said(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    def fail(kind: str) -> None:
        raise error

    monkeypatch.setattr("harness.cli.listing.listing", fail)
    done = CliRunner().invoke(main, ["list", "spaces"])
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("number", "do"),
    [
        (errno.ELOOP, "its links go round in a circle, mend them"),
        (errno.ENAMETOOLONG, "shorten it"),
        (errno.EACCES, "change its permissions, or name another"),
        (errno.EISDIR, "name a file inside of it"),
        (errno.ENOTDIR, "a part of the path is a file, name a folder"),
        (errno.EXDEV, "look at it, and try again"),
    ],
)
def test_errors_of_files_are_sentences(number: int, do: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, words = said(OSError(number, os.strerror(number), "/a/b"), monkeypatch)
    assert (code, words) == (2, f"error: /a/b cannot be used ({os.strerror(number)}): {do}\n")


def test_memory_and_long_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    code, words = said(MemoryError(), monkeypatch)
    assert (code, "this machine has not enough memory for that: give it less" in words) == (2, True)
    code, words = said(HarnessError("a" * 10_000 + ": do this"), monkeypatch)
    assert code == 2
    assert len(words) < LONGEST + 50
    assert words.endswith("aaa: do this\n")


def test_a_closed_pipe_ends_it_quietly(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "harness", "list", "methods", "--format", "json"]
    program = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.close()
    assert program.stderr.read() == ""
    assert program.wait() == CLOSED
