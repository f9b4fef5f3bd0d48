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

    monkeypatch.setattr("harness.cli.listing.list_members", fail)
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


def ended(words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell, with $H for the program."""
    here = os.environ | {"H": f"{sys.executable} -m harness", "PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(["sh", "-c", words], cwd=folder, env=here, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("words", ["list formats", "list formats --format csv", "--help", "list formats --format json"])
def test_closed_output_ends_it_quietly(words: str, tmp_path: Path) -> None:
    done = ended(f"$H {words} >&-", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    done = ended(f"$H {words} 2>&- >&- <&-", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("words", ["list formats", "--help", "list --help", "tables --help", "--version"])
def test_a_full_device_is_a_sentence(words: str, tmp_path: Path) -> None:
    done = ended(f"$H {words} >/dev/full", tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "error: a file, or what the output goes to, cannot be used (No space left on device): free some space, and run "
        "the same command again\n"
    )


def test_letters_that_a_locale_lacks(tmp_path: Path) -> None:
    """A label of other letters is told in others, in every form of output, and nothing ends for it."""
    (tmp_path / "runs.csv").write_text(
        "method,seed,epoch,arch\n" + "".join(f"{m},{s},1,{i}\n" for m in ("β", "ö") for s, i in ((0, 5), (1, 6))),
        encoding="utf-8",
    )
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    done = ended("$H import runs.csv --table nasbench201 --to .", tmp_path, **plain)
    assert done.returncode == 0, done.stderr
    for form in ("table", "csv", "json", "markdown", "latex"):
        done = ended(f"$H compare runs --format {form}", tmp_path, **plain)
        assert (done.returncode, done.stderr) == (0, ""), form
        assert "\\u03b2" in done.stdout


def test_errors_move_no_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(HarnessError("a \x1b[2J b\nc"), monkeypatch) == (2, "error: a \\x1b[2J b\nc\n")


def test_a_misspelt_variable_of_the_cache_is_told(tmp_path: Path) -> None:
    """A wrong name would be ignored in silence, and what was fetched would lie elsewhere."""
    done = ended("$H list formats", tmp_path, NASBENCH_CACHE=str(tmp_path))
    told = "note: NASBENCH_CACHE is set and not read: the variable of the cache folder is NASBENCH_HARNESS_CACHE\n"
    assert (done.returncode, done.stderr) == (0, told)
    there = {"NASBENCH_HARNESS_CACHE": str(tmp_path), "HARNESS_CACHE": "x"}
    done = ended("$H tables info nasbench201.digits", tmp_path, **there)
    assert done.stderr == ""
    assert f"cache of added tables (NASBENCH_HARNESS_CACHE): {tmp_path}" in done.stdout
    assert "NASBENCH_HARNESS_CACHE" in ended("$H --help", tmp_path).stdout


def test_ctrl_c_while_the_program_is_imported_is_a_word(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    words = [sys.executable, "-m", "harness", "list"]
    done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "stopped\n")


def test_what_is_nested_too_deeply_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    code, words = said(RecursionError("maximum recursion depth exceeded"), monkeypatch)
    assert (code, words.startswith("error: what was read is nested deeper than any file or architecture is")) == (
        2,
        True,
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("tables", "lookup", "nasbench201.digits", "9" * 5000), "is no NAS-Bench-201 architecture"),
        (("plot", str(ROOT / "results" / "published" / "digits"), "--measure", "a/b@\u00b2"), "is no measure"),
        (("run", "study.toml", "--device", "cuda:\u00b2"), "unknown device"),
        (("run", "study.toml", "--device", "cuda:" + "9" * 5000), "unknown device"),
    ],
)
def test_digits_that_are_no_number_are_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2, done.output
    assert sentence in done.output
