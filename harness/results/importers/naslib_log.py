"""The architectures of NASLib's text log, which lies beside the lists that name none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.results.importers.lines import iterate_messages
from harness.spaces.base import Space

HEAD = re.compile(r"^Arch weights \(alphas\b")
ROW = re.compile(r"^([-+]\d+\.\d+(?:,\s*[-+]\d+\.\d+)*),\s*(\d+)$")
DONE = re.compile(r"^Epoch (\d+) done\b")
EDGES, OPERATIONS = 6, 5
"""Of the one space whose cells NASLib writes as a tuple."""


@dataclass(frozen=True)
class PrintedLogits:
    """The logits that are printed before an epoch, in NASLib's order, and the place of the largest in each row."""

    line: int
    rows: tuple[tuple[float, ...], ...]
    largest: tuple[int, ...]

    @property
    def cell(self) -> str:
        return f"naslib:({', '.join(map(str, self.largest))})"


def log_beside(path: Path) -> Path | None:
    """The text log of the run whose lists a file holds."""
    return next((p for folder in (path.parent, path.parent.parent) if (p := folder / "log.log").is_file()), None)


def read_architectures(log: Path) -> dict[int, PrintedLogits]:
    """What is printed before each epoch that was finished, by its number; those of an epoch that was begun again are
    the last ones."""
    found: dict[int, PrintedLogits] = {}
    rows: list[tuple[tuple[float, ...], int]] = []
    line = 0
    for message in iterate_messages(log.read_text(encoding="utf-8", errors="replace")):
        if HEAD.match(message.text):
            rows, line = [], message.number
        elif row := ROW.match(message.text):
            rows.append((tuple(map(float, row[1].split(","))), int(row[2])))
        elif (done := DONE.match(message.text)) and [len(values) for values, _ in rows] == [OPERATIONS] * EDGES:
            found[int(done[1])] = PrintedLogits(line, tuple(v for v, _ in rows), tuple(k for _, k in rows))
            rows = []
    return found


def order_logits(printed: PrintedLogits, space: Space) -> tuple[float, ...]:
    """The logits in the order of a space, which reads NASLib's tuples: where it takes what a tuple names is asked."""

    def taken(operations: list[int]) -> list[int]:
        (mix,) = space.mix(space.parse(f"naslib:({', '.join(map(str, operations))})"))
        return [int(k) for k in mix.argmax(axis=1)]

    columns = [taken([k] * EDGES)[0] for k in range(OPERATIONS)]
    logits = np.zeros((EDGES, OPERATIONS))
    for edge, values in enumerate(printed.rows):
        changed = taken([1 if e == edge else 0 for e in range(EDGES)])
        logits[next(row for row, k in enumerate(changed) if k != columns[0]), columns] = values
    return tuple(logits.ravel().tolist())
