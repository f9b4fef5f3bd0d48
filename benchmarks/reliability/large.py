"""Sizes that nobody had tried: hundreds of thousands of rows, thousands of labels, each within its time and memory.

What each command took is printed: CPU seconds, and its peak memory with what is imported.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.reliability.case import Case
from benchmarks.reliability.contained import Ended, command
from benchmarks.reliability.tidy import HEAD, every

ROWS = 400_000
LABELS = 2_000
SECONDS, MEMORY = 120, 3 << 30


def measure(words: Sequence[object], folder: Path) -> Ended:
    """A command within these limits; what it took is printed."""
    ended = command(words, folder, seconds=SECONDS, memory=MEMORY)
    told = " ".join(map(str, words[:1] if words[0] != "tables" else words[:2]))
    print(f"large: harness {told}: {ended.used[0]:.1f} CPU s, {ended.used[1] / 1e6:.0f} MB", flush=True)
    return ended


def of_table(folder: Path) -> str | None:
    """A table of one's own: every cell of NAS-Bench-201, at 26 budgets; asked for a value and the best cell."""
    cells, rng = every(), np.random.default_rng(0)
    rows = 0
    best = (0.0, "")
    with (folder / "own.csv").open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(HEAD)
        for epochs in range(1, ROWS // len(cells) + 2):
            values = rng.uniform(1, 99, len(cells))
            if epochs == 1:
                best = (float(values.max()), cells[int(values.argmax())])
                one = float(values[17])
            out.writerows(
                (cell, "d", "test", epochs, 0, repr(float(value))) for cell, value in zip(cells, values, strict=True)
            )
            rows += len(cells)
    words = ["tables", "add", "own.csv", "--name", "own", "--space", "nasbench201", "--test", "d/test@1"]
    ended = measure(words, folder)
    if fault := ended.fault():
        return fault
    if ended.code:
        return f"refused {rows} rows: {ended.err[-300:]}"
    from harness.tables.measure import Measure
    from harness.tables.table import Table

    table = Table(folder / "cache" / "tables" / "own")
    found = table.lookup(table.parse(cells[17]), Measure("d", "test", 1), 0)
    optimum = table.optimum(Measure("d", "test", 1))
    if found != one or abs(optimum.accuracy_pct - best[0]) > 1e-9:
        return f"wrong number: {found} for {one}, {optimum} for {best}"
    return measure(["tables", "info", "own"], folder).fault((0,))


def of_import(folder: Path) -> str | None:
    """A log of so many epochs, looked up in a table, and compared."""
    cells = every()
    rows = 0
    with (folder / "log.csv").open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["method", "seed", "epoch", "arch", "loss"])
        for method in range(4):
            for seed in range(100):
                for epoch in range(ROWS // 400):
                    out.writerow(
                        (f"m{method}", seed, epoch, cells[(seed * 31 + epoch * (method + 1)) % len(cells)], 1.0)
                    )
                    rows += 1
    words = ["import", "csv", "log.csv", "--table", "nasbench201.digits", "--to", "in"]
    ended = measure(words, folder)
    if fault := ended.fault():
        return fault
    if ended.code:
        return f"refused {rows} rows: {ended.err[-300:]}"
    there = Path(ended.out.strip().splitlines()[-1])
    known = len(pd.read_parquet(folder / there / "epochs.parquet", columns=["epoch"]))
    if known != rows:
        return f"wrong number of rows: {known} of {rows}"
    return measure(["compare", there], folder).fault((0, 1))


def of_labels(folder: Path, words: Sequence[object]) -> str | None:
    """A reader of results of so many methods, with five seeds of three epochs each."""
    cells, rng = every(), np.random.default_rng(0)
    with (folder / "log.csv").open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["method", "seed", "epoch", "arch", "loss"])
        for method in range(LABELS):
            for seed in range(5):
                for epoch in range(3):
                    out.writerow((f"label {method}", seed, epoch, cells[int(rng.integers(len(cells)))], 1.0))
    ended = command(["import", "csv", "log.csv", "--table", "nasbench201.digits", "--to", "in"], folder, seconds=60)
    if fault := ended.fault((0,)):
        return f"import: {fault}"
    there = ended.out.strip().splitlines()[-1]
    ended = measure([there if w == "RESULTS" else w for w in words], folder)
    if fault := ended.fault((0, 1, 2)):
        return fault
    if words[0] == "compare" and ended.code != 2:
        told = json.loads(ended.out)
        labels = {row.get("method") for row in told} | {row.get("against") for row in told}
        if len(labels) < LABELS:
            return f"wrong number of methods: {len(labels)}"
    if "rows.csv" in words and not ended.code and len(pd.read_csv(folder / "rows.csv")) != LABELS * 15:
        return "wrong number of rows"
    return None


def named() -> Iterator[Case]:
    yield Case("large", f"a table of {ROWS} rows", of_table)
    yield Case("large", f"a log of {ROWS} rows", of_import)
    readers: dict[str, Sequence[object]] = {
        "report": ["report", "RESULTS", "--to", "report.html"],
        "compare": ["compare", "RESULTS", "--format", "json"],
        "paper": ["paper", "RESULTS", "--format", "latex"],
        "plot": ["plot", "RESULTS", "--to", "figures"],
        "plot onset": ["plot", "RESULTS", "--figure", "onset", "--to", "figures"],
        "export": ["export", "RESULTS", "--format", "csv", "--to", "rows.csv"],
        "tensorboard": ["export", "RESULTS", "--format", "tensorboard", "--to", "board"],
        "audit": ["audit", "RESULTS"],
        "verify": ["verify", "RESULTS"],
        "gate": ["gate", "RESULTS", "--write", "base.parquet"],
        "rank": ["rank", "RESULTS", "RESULTS"],
    }
    for verb, words in readers.items():
        yield Case("large", f"{verb} of {LABELS} labels", lambda f, w=words: of_labels(f, w))
