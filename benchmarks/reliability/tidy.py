"""Hostile tidy files: refused in a sentence, or read as exactly the numbers that stand there."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from benchmarks.reliability.case import Case
from benchmarks.reliability.contained import command

CELLS = (
    "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "|nor_conv_1x1~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "|avg_pool_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|",
)
HEAD = ["arch", "dataset", "split", "epochs", "trial", "accuracy"]
Row = list[str]


def attack(folder: Path, content: bytes, name: str = "own.csv", rows: list[Row] | None = None) -> str | None:
    """Add a file; where it is taken, every row's value must be in the table, and no other."""
    path = folder / name
    path.write_bytes(content)
    words = ["tables", "add", path, "--name", "own", "--space", "nasbench201", "--test", "d/test@3"]
    ended = command(words, folder)
    if fault := ended.fault():
        return fault
    if ended.code or rows is None:
        return None
    from harness.tables.measure import Measure
    from harness.tables.table import Table

    table = Table(folder / "cache" / "tables" / "own")
    for arch, dataset, split, epochs, trial, accuracy in rows:
        named = trial.strip() if trial.strip() == "mean" else int(float(trial))
        found = table.lookup(table.parse(arch.strip()), Measure(dataset.lstrip(), split.lstrip(), int(epochs)), named)
        if found != float(accuracy):
            return f"wrong number: {found} where the file has {accuracy}"
    known = sum(int((~np.isnan(table.row_values(c.measure, c.trial))).sum()) for c in table.columns)
    return None if known == len(rows) else f"wrong number of values: {known} of {len(rows)}"


def text(rows: list[Row], head: list[str] | None = None) -> bytes:
    from io import StringIO

    out = StringIO()
    csv.writer(out, lineterminator="\n").writerows([head or HEAD, *rows])
    return out.getvalue().encode("utf-8", "surrogatepass")


def row(**changes: str) -> Row:
    fields = dict(zip(HEAD, (CELLS[0], "d", "test", "3", "0", "55.5"), strict=True)) | changes
    return [fields[name] for name in HEAD]


def named() -> Iterator[Case]:
    good = [row(), row(arch=CELLS[1], accuracy="44.25")]
    plain: dict[str, bytes] = {
        "empty": b"", "zeros": bytes(1000), "no text": b"\xff\xfe\x00a", "header": text([]), "quote": b'"arch',
        "cut": text(good)[:-5], "two headers": text([HEAD, *good]), "columns twice": text(good, [*HEAD[:-1], "trial"]),
        "long line": text([row(arch="a" * 5_000_000)]), "many columns": (",".join(["a"] * 100_000) + "\n").encode(),
        "html": b"<html><body>404</body></html>", "null": text([row(dataset="a\0b")]),
        "diagonal": text([row(arch=a, trial=str(t)) for t, a in enumerate(sorted(every()[:12_000]))]),
    }  # fmt: skip
    for name, content in plain.items():
        yield Case("tidy", name, lambda f, c=content: attack(f, c))
    for name in ("own.parquet", "own.csv.gz"):
        for what, content in plain.items():
            yield Case("tidy", f"{name}: {what}", lambda f, c=content, n=name: attack(f, c, n))
    packed = gzip.compress(text(good))
    yield Case("tidy", "gz: cut", lambda f: attack(f, packed[:-9], "own.csv.gz"))
    yield Case("tidy", "gz: as it should be", lambda f: attack(f, packed, "own.csv.gz", good))
    yield Case("tidy", "gz: a bomb", lambda f: attack(f, gzip.compress(bytes(1 << 30), 1), "own.csv.gz"))
    yield Case("tidy", "as it should be", lambda f: attack(f, text(good), rows=good))
    for field in HEAD:
        for value in EVIL:
            rows = [row(**{field: value}), row(arch=CELLS[1])]
            yield Case("tidy", f"{field} = {value[:30]!r}", lambda f, r=rows: attack(f, text(r), rows=r))


def every() -> list[str]:
    from harness.spaces.nasbench201.cell import list_official_cells, to_string

    return [to_string(c) for c in list_official_cells()]


EVIL = (
    "", " ", "0", "-1", "1e400", "nan", "inf", "1_000", "0x10", "9" * 5000, "٣", "²", "3.0", "[/red]", "a\nb",
    "\x1b[31m", "null",
    "1" + "0" * 30, "100.0000001", "1e-320", "+5", " 5", "5 ", "mean", "True", "../../x", "a/b", "a@3", "é", "\ud800",
)  # fmt: skip


@st.composite
def hostile(draw: st.DrawFn) -> list[Row]:
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        fields = {
            "arch": draw(st.sampled_from(CELLS)), "trial": draw(st.sampled_from(["0", "1", "mean"])),
            "dataset": "d", "split": draw(st.sampled_from(["test", "valid"])), "epochs": "3",
            "accuracy": repr(draw(st.floats(0, 100))),
        }  # fmt: skip
        if draw(st.integers(0, 2)) == 0:
            words = st.one_of(
                st.sampled_from(EVIL), st.text(max_size=12), st.integers().map(str), st.floats().map(repr)
            )
            fields[draw(st.sampled_from(HEAD))] = draw(words)
        rows.append(row(**fields))
    return rows


def fuzzed(rows: list[Row]) -> Case:
    return Case("tidy", repr(rows), lambda f: attack(f, text(rows), rows=rows))
