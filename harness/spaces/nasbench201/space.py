"""NAS-Bench-201 (Dong & Yang, ICLR 2020): a cell of four nodes, one of five operations on each of six edges.

Node 0 is the cell's input, node 3 its output; a node sums its incoming edges. The string
``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`` lists each node's incoming edges. NATS-Bench calls the space "tss".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError, suggest_names
from harness.core.text import brief
from harness.spaces.base import FIXED, STACKS, Architecture, Choices, Enumerable, Networks, Preset, Rows, Space
from harness.spaces.dialects import parse_index, unwrap_text
from harness.spaces.nasbench201 import dialects
from harness.spaces.nasbench201.dialects import extract_string, read

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP, CONV1, CONV3, POOL = range(5)
EDGES = dialects.EDGES
"""(source, target) of each row of the architecture tensor; the published name of the second is '2<-0'."""

PATTERN = re.compile(r"\|([^|~]+)~0\|\+\|([^|~]+)~0\|([^|~]+)~1\|\+\|([^|~]+)~0\|([^|~]+)~1\|([^|~]+)~2\|")

Cell = tuple[int, ...]
"""Six operation indices, one an edge."""


class NASBench201(Enumerable):
    """Architecture tensor: one [6, 5] array, edges in the order of `EDGES`, operations in that of `OPERATIONS`.

    The argmax of a row may be `none` (as published for this space). The table key is the string itself, because
    isomorphic cells were trained separately. `canonical_key` treats a node whose inputs are all zero as zero,
    contracts skip connections and ignores the order of sums: 4,930 classes. `compute_published_key` is that of the
    official code, which does not propagate zeros: 6,466 classes, of which 623 genuine ones are split.
    """

    name = "nasbench201"
    source = "Dong & Yang, NAS-Bench-201, ICLR 2020 (arXiv 2001.00326)"
    operations = OPERATIONS
    parameter_free = ("none", "skip_connect", "avg_pool_3x3")
    zero, skip = OPERATIONS[NONE], OPERATIONS[SKIP]
    short: ClassVar = {
        "skip_connect": "skip",
        "nor_conv_1x1": "conv 1x1",
        "nor_conv_3x3": "conv 3x3",
        "avg_pool_3x3": "avg 3x3",
    }
    tensors = (
        Choices(
            "operations",
            (OPERATIONS,) * 6,
            tuple(f"{target}<-{source}" for source, target in EDGES),
            nodes=tuple(target for _, target in EDGES),
        ),
    )
    recorded_cells = "N"
    has = (*Space.has, STACKS)
    default_cells = 5
    presets: ClassVar = {
        "official": Preset(clip_counts_alpha=True, finite_difference_moves_bn=True, unevaluated_weights_move=True),
        "fixed": FIXED,
    }
    size = 15_625
    distinct = 4_930
    published_classes = 6_466

    def networks(self) -> Networks:
        from harness.spaces.nasbench201.fast import FastNASBench201Supernet
        from harness.spaces.nasbench201.stack import NASBench201Stack
        from harness.spaces.nasbench201.supernet import NASBench201Supernet

        return Networks(NASBench201Supernet, FastNASBench201Supernet, NASBench201Stack)

    def derive(self, alphas: Rows) -> Architecture:
        (alpha,) = self.check_shapes(alphas)
        return build_architecture(tuple(int(i) for i in alpha.argmax(axis=1)))

    def parse(self, encoding: str) -> Architecture:
        if PATTERN.fullmatch(encoding) is None and (index := parse_index(unwrap_text(encoding))) is not None:
            six = read(encoding, to_string) if index >= self.size else None
            return self.at(index) if six is None else build_architecture(six)
        return build_architecture(parse_cell(encoding))

    def mix(self, architecture: Architecture) -> list[NDArray[np.float64]]:
        return [np.eye(len(OPERATIONS))[list(parse_cell(architecture.encoding))]]

    def graph(self, architecture: Architecture) -> list[tuple[int, int, str]]:
        return [(*edge, operation) for edge, operation in zip(EDGES, architecture.operations, strict=True)]

    def enumerate(self) -> Iterator[Architecture]:
        """All strings in the official index order (the order of the published files)."""
        return (build_architecture(cell) for cell in list_official_cells())

    def at(self, index: int) -> Architecture:
        """The architecture of an official index."""
        if not 0 <= index < self.size:
            raise HarnessError(f"there is no architecture {index} in {self.name}: its indices are 0..{self.size - 1}")
        return build_architecture(list_official_cells()[index])

    def index(self, encoding: str) -> int | None:
        """The official index of a string."""
        return index_official_strings()[encoding]

    def canonical_key(self, architecture: Architecture) -> str:
        return canonicalize(parse_cell(architecture.encoding))

    def distinct_architectures(self) -> dict[str, Architecture]:
        return {key: build_architecture(cell) for key, cell in list_distinct_cells().items()}

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        """The 24 cells with another operation on one edge."""
        cell = parse_cell(architecture.encoding)
        changes = [(edge, op) for edge in range(len(EDGES)) for op in range(len(OPERATIONS)) if op != cell[edge]]
        return [build_architecture((*cell[:edge], op, *cell[edge + 1 :])) for edge, op in changes]

    def random(self, rng: np.random.Generator) -> Architecture:
        return build_architecture(tuple(int(i) for i in rng.integers(0, len(OPERATIONS), len(EDGES))))


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
