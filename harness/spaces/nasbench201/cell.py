"""A cell of NAS-Bench-201 as six operation indices: its string, its published index, its keys."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError, suggest_names
from harness.core.text import brief
from harness.spaces.base import Architecture
from harness.spaces.nasbench201 import dialects
from harness.spaces.nasbench201.dialects import extract_string, read

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP, CONV1, CONV3, POOL = range(5)
EDGES = dialects.EDGES
"""(source, target) of each row of the architecture tensor; the published name of the second is '2<-0'."""

PATTERN = re.compile(r"\|([^|~]+)~0\|\+\|([^|~]+)~0\|([^|~]+)~1\|\+\|([^|~]+)~0\|([^|~]+)~1\|([^|~]+)~2\|")

Cell = tuple[int, ...]
"""Six operation indices, one an edge."""


def build_architecture(cell: Cell) -> Architecture:
    """The architecture of six operation indices."""
    text = to_string(cell)
    return Architecture(text, text, tuple(OPERATIONS[i] for i in cell))


def to_string(cell: Cell) -> str:
    names = [f"{OPERATIONS[op]}~{source}" for op, (source, _) in zip(cell, EDGES, strict=True)]
    return f"|{names[0]}|+|{names[1]}|{names[2]}|+|{names[3]}|{names[4]}|{names[5]}|"


def parse_cell(encoding: str) -> Cell:
    """Six operation indices of a string, or of what else is written for one; a wrong part is named."""
    found = PATTERN.fullmatch(encoding) or PATTERN.fullmatch(extract_string(encoding))
    if found is None:
        if (cell := read(encoding, to_string)) is not None:
            return cell
        raise HarnessError(
            f"{brief(encoding)} is no NAS-Bench-201 architecture: write it as |op~0|+|op~0|op~1|+|op~0|op~1|op~2|, or "
            f"in "
            "another notation of docs/reference/dialects.md"
        )
    for op in found.groups():
        if op not in OPERATIONS:
            raise HarnessError(
                f"NAS-Bench-201 has no operation {op!r} (in {encoding!r}): {suggest_names(op, OPERATIONS)}"
            )
    return tuple(OPERATIONS.index(op) for op in found.groups())


@cache
def list_official_cells() -> tuple[Cell, ...]:
    """The 15,625 cells in the official index order.

    The file holds, for each official index, the cell's place in the lexicographic product of the operations
    (first edge slowest), as 16-bit integers.
    """
    path = files("harness.spaces.nasbench201") / "order.npy"
    with path.open("rb") as stream:
        order: NDArray[np.uint16] = np.load(stream)
    digits = order.astype(np.int64)[:, None] // 5 ** np.arange(5, -1, -1) % 5
    return tuple(map(tuple, digits.tolist()))


@cache
def index_official_strings() -> dict[str, int]:
    """The official index of each of the 15,625 strings."""
    return {to_string(cell): index for index, cell in enumerate(list_official_cells())}


def _expand(cell: Cell) -> list[tuple[str, ...]]:
    """Each node as the sorted terms of its sum; an empty tuple is zero."""
    nodes: list[tuple[str, ...]] = [("0",)]
    for target in (1, 2, 3):
        terms: list[str] = []
        for op, (source, into) in zip(cell, EDGES, strict=True):
            if into != target or op == NONE or not nodes[source]:
                continue
            if op == SKIP:
                terms.extend(nodes[source])
            else:
                terms.append(f"({'+'.join(nodes[source])})@{OPERATIONS[op]}")
        nodes.append(tuple(sorted(terms)))
    return nodes


def canonicalize(cell: Cell) -> str:
    """The output node's expression with zeros propagated, skips contracted and sums flattened and sorted.

    Two cells with equal keys compute the same function when equal subexpressions share their weights and an
    operation of zero is zero. (A cell that uses one convolution twice and a cell with two convolutions of the same
    input have equal keys.)
    """
    return "+".join(_expand(cell)[3]) or "#"


def compute_published_key(cell: Cell) -> str:
    """The isomorphism key of the official code, `to_unique_str(True)`, including its treatment of zero nodes."""
    nodes = ["0"]
    for target in (1, 2, 3):
        terms = []
        for op, (source, into) in zip(cell, EDGES, strict=True):
            if into != target:
                continue
            if op == NONE or nodes[source] == "#":
                terms.append("#")
            elif op == SKIP:
                terms.append(nodes[source])
            else:
                terms.append(f"({nodes[source]})@{OPERATIONS[op]}")
        nodes.append("+".join(sorted(terms)))
    return nodes[3]


def keep_live_operations(cell: Cell) -> Cell:
    """The cell with `none` wherever an edge cannot influence the output (zero input, or no way to the output)."""
    ops = list(cell)
    nodes = _expand(cell)
    for edge, (source, _) in enumerate(EDGES):
        if not nodes[source]:
            ops[edge] = NONE
    for node in (2, 1):
        if all(ops[edge] == NONE for edge, (source, _) in enumerate(EDGES) if source == node):
            for edge, (_, target) in enumerate(EDGES):
                if target == node:
                    ops[edge] = NONE
    return tuple(ops)


def list_distinct_cells(cells: Sequence[Cell] | None = None) -> dict[str, Cell]:
    """One representative of every canonical key: the member with the fewest live operations, then the first."""
    best: dict[str, tuple[int, Cell]] = {}
    for cell in cells if cells is not None else itertools.product(range(5), repeat=6):
        key, live = canonicalize(cell), keep_live_operations(cell)
        cost = sum(op != NONE for op in live) + 10 * sum(op in (CONV1, CONV3) for op in live)
        if key not in best or cost < best[key][0]:
            best[key] = (cost, live)
    return {key: cell for key, (_, cell) in best.items()}
