"""What the tests of reports share: files in the form of public ones (the forms are real, names and numbers are not)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from click.testing import CliRunner

from harness.cli.main import main
from harness.results.load import load_folder
from harness.results.runs import Runs

HERE = Path(__file__).parent
INPUTS, FILES = HERE / "inputs", HERE / "files"
TABLE = "nasbench201"


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and output of a command, in one line."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def imported(source: Path, to: Path, *words: object, table: str | None = TABLE) -> tuple[Runs, str]:
    """The rows of a source, and what was said of them."""
    asked = () if table is None else ("--table", table)
    code, text = (
        run("import", *words[:1], source, *words[1:], *asked, "--to", to)
        if words and not str(words[0]).startswith("-")
        else run("import", source, *words, *asked, "--to", to)
    )
    assert code == 0, text
    return load_folder(to / source.stem), text


def cells(results: Runs, **which: Any) -> list[int | str]:
    """The derived cells by epoch, as published indices where there are any."""
    rows = results.epochs
    for column, value in which.items():
        rows = rows[rows[column] == value]
    assert results.space is not None
    found = [results.space.index(text) for text in rows.sort_values("epoch")["architecture"]]
    return [index if index is not None else text for index, text in zip(found, rows["architecture"], strict=True)]


def of(results: Runs, method: str, seed: int = 0) -> pd.DataFrame:
    """The rows of one run, with its seconds."""
    rows = results.epochs.merge(results.timing, on=["method", "seed", "epoch"])
    return rows[(rows["method"] == method) & (rows["seed"] == seed)].sort_values("epoch")
