"""Any tool's log as a CSV file: a row an epoch, with the columns method, seed, epoch, arch."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.results.importers.base import NAN, Epoch, Importer, Log
from harness.spaces.base import Space

NEEDED = ("method", "seed", "epoch", "arch")
OPTIONAL = ("seconds", "loss", "valid_loss", "accuracy", "alphas")


class CSV(Importer):
    """Any tool's log as a CSV file: a row an epoch, with the columns method, seed, epoch, arch.

    Optional columns: seconds (since the run began), loss (training), valid_loss, accuracy (the supernet's on validation
    data, %), alphas (logits, numbers with spaces between them). Epochs are taken as they are: 0 is the state before
    any training. What a cell leaves empty is missing. Other columns are not read.
    """

    name = "csv"
    tool = "a CSV file"
    endings = (".csv", ".csv.gz")

    def recognises(self, source: Path) -> bool:
        if not source.is_file():
            return False
        try:
            header = text_of(source).partition("\n")[0]
        except (OSError, UnicodeDecodeError, EOFError):
            return False
        return set(NEEDED) <= {name.strip().lower() for name in header.split(",")}

    def read(self, source: Path, space: Space) -> Log:
        try:
            lines = csv.reader(io.StringIO(text_of(source)))
            rows = [(lines.line_num, row) for row in lines if any(cell.strip() for cell in row)]
        except (OSError, UnicodeDecodeError, EOFError, csv.Error) as error:
            raise HarnessError(f"{source} cannot be read as a CSV file ({error})") from None
        header = [name.strip().lower() for name in rows[0][1]] if rows else []
        missing = [name for name in NEEDED if name not in header]
        if missing:
            other = next((f"; commas are to separate them, not {s!r}" for s in ";\t" if s in "".join(header)), "")
            raise HarnessError(
                f"{source}, line 1: there is no column {missing[0]!r}: the first line names the columns, and "
                f"{', '.join(NEEDED)} must be among them{other}"
            )
        epochs = [epoch_of(f"{source}, line {line}", header, row) for line, row in rows[1:]]
        unread = [name for name in header if name not in (*NEEDED, *OPTIONAL)]
        return Log(
            epochs, [source], [f"not read: column{'s' * (len(unread) > 1)} {', '.join(unread)}"] if unread else []
        )


def text_of(source: Path) -> str:
    raw = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()
    return raw.decode("utf-8-sig")


def epoch_of(where: str, header: list[str], row: list[str]) -> Epoch:
    """One row, every cell checked."""
    if len(row) != len(header):
        raise HarnessError(f"{where}: {len(row)} values are there, for {len(header)} columns")
    cells = {name: cell.strip() for name, cell in zip(header, row, strict=True)}

    def read(column: str, kind: Callable[[str], Any], what: str, default: Any = None) -> Any:
        text = cells.get(column, "")
        if not text and default is not None:
            return default
        try:
            return kind(text)
        except ValueError:
            raise HarnessError(f"{where}: {column} = {text!r} is no {what}") from None

    if not cells["method"] or not cells["arch"]:
        raise HarnessError(f"{where}: {'method' if not cells['method'] else 'arch'} is empty")
    return Epoch(
        where,
        cells["method"],
        read("seed", int, "whole number"),
        read("epoch", int, "whole number"),
        cells["arch"],
        seconds=read("seconds", float, "number", NAN),
        train_loss=read("loss", float, "number", NAN),
        valid_loss=read("valid_loss", float, "number", NAN),
        accuracy=read("accuracy", float, "number", NAN),
        alphas=read("alphas", numbers, "list of numbers", ()),
    )


def numbers(text: str) -> tuple[float, ...]:
    """Numbers with spaces between them, or a JSON list."""
    return tuple(float(n) for n in (json.loads(text) if text.startswith("[") else text.split()))
