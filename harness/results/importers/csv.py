"""Any tool's log as a CSV file: a row an epoch, with the columns method, seed, epoch, arch."""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.markup import unescape_csv
from harness.results.importers.base import LEARNING_RATE, NAN, Epoch, Importer, Log
from harness.spaces.base import Space

NEEDED = ("method", "seed", "epoch", "arch")
SAID = ("method", "seed")
"""What may be said on the command line instead."""
MEASURED = ("hessian_largest", "hessian_smallest", LEARNING_RATE)
"""Eigenvalues of the Hessian of the validation loss over alpha, under the names that our own runs have, and rates."""
OPTIONAL = ("seconds", "loss", "valid_loss", "accuracy", "alphas", *MEASURED)
WHOLE = re.compile(r"[+-]?[0-9]{1,20}")


class CSVImporter(Importer):
    """Any tool's log as a CSV file: a row an epoch, with the columns method, seed, epoch, arch.

    method and seed may be said on the command line where the file holds one method, or one run. arch is a cell in any
    notation of its space, or its published index. Optional columns: seconds (since the run began), loss (training),
    valid_loss, accuracy (the supernet's on validation data, %), alphas (logits: numbers with spaces, commas or
    semicolons between them, or nested lists as JSON, numpy and torch write them), hessian_largest and hessian_smallest
    (eigenvalues of the Hessian over alpha, where they were measured), learning_rate (that of the weights, in the epoch
    of training that ends here). Epochs are taken as they are: 0 is the state before any training. What a cell leaves
    empty is missing. Other columns are not read.
    """

    name = "csv"
    mapped = True
    tool = "a CSV file"
    endings = (".csv", ".csv.gz")

    def recognizes(self, source: Path) -> bool:
        if not source.is_file():
            return False
        try:
            header = read_source(source).partition("\n")[0]
        except (OSError, UnicodeDecodeError, EOFError):
            return False
        return {"epoch", "arch"} <= {name.strip().strip('"').lower() for name in header.split(",")}

    def read(self, source: Path, space: Space) -> Log:
        try:
            rows = list(iterate_rows(read_source(source)))
        except (OSError, UnicodeDecodeError, EOFError, csv.Error) as error:
            raise HarnessError(f"{source} cannot be read as a CSV file ({error})") from None
        header = self.header(source, rows[0][1] if rows else [])
        missing = [name for name in NEEDED if name not in header and (name not in SAID or not rows)]
        if missing:
            other = next((f"; commas are to separate them, not {s!r}" for s in ";\t" if s in "".join(header)), "")
            raise HarnessError(
                f"{source}, line 1: there is no column {missing[0]!r}: the first line names the columns, and "
                f"{', '.join(NEEDED)} must be among them{other}"
            )
        if "method" not in header and any("method" in name or "algo" in name for name in header):
            other_name = next(name for name in header if "method" in name or "algo" in name)
            raise HarnessError(
                f"{source}, line 1: there is no column 'method': if {other_name!r} is it, --map method={other_name}; "
                f"the first "
                f"line names the columns, and {', '.join(NEEDED)} must be among them, or --method and --seed are given"
            )
        rows.reverse()
        del rows[-1:]
        epochs = []
        while rows:  # each is dropped when it is read: there may be hundreds of thousands
            line, row = rows.pop()
            epochs.append(parse_epoch(f"{source}, line {line}", header, row))
        unread = [name for name in header if name not in (*NEEDED, *OPTIONAL)]
        return Log(
            epochs, [source], [f"not read: column{'s' * (len(unread) > 1)} {', '.join(unread)}"] if unread else []
        )

    def header(self, source: Path, row: list[str]) -> list[str]:
        """The names of the columns, those that the user renamed under their own."""
        header = [name.strip().lower() for name in row]
        for name, column in self.columns.items():
            if name not in (*NEEDED, *OPTIONAL):
                raise HarnessError(
                    f"--map {name}={column}: a CSV file has no {name!r} here, only {', '.join((*NEEDED, *OPTIONAL))}"
                )
            if column not in header:
                raise HarnessError(f"{source}, line 1: there is no column {column!r}, which --map names")
        own = {column: name for name, column in self.columns.items()}
        return [own.get(name, f"{name} of the file" if name in self.columns else name) for name in header]


def iterate_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with its line. Cells that are there again are one text."""
    lines = csv.reader(io.StringIO(text))
    for row in lines:
        if any(map(str.strip, row)):
            yield lines.line_num, list(map(sys.intern, row))


def read_source(source: Path) -> str:
    raw = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()
    return raw.decode("utf-8-sig")


def parse_epoch(where: str, header: list[str], row: list[str]) -> Epoch:
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

    if not cells.get("method", "-") or not cells["arch"]:
        raise HarnessError(f"{where}: {'method' if not cells.get('method', '-') else 'arch'} is empty")
    return Epoch(
        where,
        unescape_csv(cells.get("method", "")),
        read("seed", parse_whole, "whole number") if "seed" in cells else None,
        read("epoch", parse_whole, "whole number"),
        cells["arch"],
        seconds=read("seconds", number, "number", NAN),
        train_loss=read("loss", number, "number", NAN),
        valid_loss=read("valid_loss", number, "number", NAN),
        accuracy=read("accuracy", number, "number", NAN),
        alphas=read("alphas", parse_numbers, "list of numbers", ()),
        measured={name: read(name, number, "number", NAN) for name in MEASURED if name in header},
    )


def parse_whole(text: str) -> int:
    """A whole number in plain digits: not 1_0, nor in those of another script."""
    if not WHOLE.fullmatch(text):
        raise ValueError
    return int(text)


def number(text: str) -> float:
    """A number in plain digits."""
    if "_" in text or not text.isascii():
        raise ValueError
    return float(text)


def parse_numbers(text: str) -> tuple[float, ...]:
    """Numbers with spaces, commas or semicolons between them, or nested lists in the notation of JSON, numpy or torch,
    in their order; null is a missing one. ValueError where anything else is among them."""
    if not text.startswith(("[", "(", "{", "tensor", "array")):
        return tuple(number(n) for n in re.split(r"[\s,;]+", text.strip()))
    bare = re.sub(
        r"(?:['\"][\w.]+['\"]\s*:|\b(?:tensor|array)\b|,?\s*(?:device|dtype|grad_fn|requires_grad)=[^,)]+)", " ", text
    )
    words = re.sub(r"[\[\](){},]", " ", bare).split()
    return tuple(NAN if word in ("null", "None") else number(word) for word in words)
