"""Cells of DARTS' form, read and written as the field writes them.

``Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), reduce=[...], reduce_concat=range(2, 6))``

A cell has two inputs, nodes 0 and 1 (the two cells before it), and four inner nodes, 2 to 5. Each inner node is the sum
of two operations on two different earlier nodes; the cell's output is all inner nodes, concatenated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.core.errors import HarnessError
from harness.spaces.darts import dialects
from harness.spaces.darts.dialects import KINDS, flatten_edges, read_cells
from harness.spaces.dialects import parse_literal, unwrap_text

INPUTS, NODES = dialects.INPUTS, dialects.NODES
EDGES = dialects.EDGES
"""(source, target) of each of the 14 rows of an architecture tensor."""

Edge = tuple[str, int]
"""An operation and the node that it reads."""
Cell = tuple[Edge, ...]
"""Two edges for each inner node in turn, in the order of the nodes that they read."""

LONG = 100
"""Numbers of a range, and hundreds of characters of a text, of which no genotype has as many."""

FORM = "Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), reduce=[...], reduce_concat=range(2, 6))"


@dataclass(frozen=True)
class Genotype:
    """A normal and a reduction cell."""

    normal: Cell
    reduce: Cell

    def __str__(self) -> str:
        concat = f"range({INPUTS}, {INPUTS + NODES})"
        normal, reduce = (list(cell) for cell in (self.normal, self.reduce))
        return f"Genotype(normal={normal}, normal_concat={concat}, reduce={reduce}, reduce_concat={concat})"

    @property
    def cells(self) -> tuple[Cell, Cell]:
        return self.normal, self.reduce


def pair_edges(cell: Cell) -> list[tuple[Edge, Edge]]:
    """The two edges of each inner node."""
    return list(zip(cell[::2], cell[1::2], strict=True))


def find_row(source: int, node: int) -> int:
    """The row of an architecture tensor that stands for the edge between two nodes."""
    return EDGES.index((source, node))


def order_edges(cell: Any) -> Cell:
    """The same cell with each node's edges in the order of the nodes that they read."""
    return tuple(edge for pair in pair_edges(cell) for edge in sorted(pair, key=lambda edge: edge[1]))


@lru_cache(maxsize=65_536)
def find_isomorph(cell: Cell) -> Cell:
    """One and the same of all cells that differ in the numbers of their inner nodes alone: the first in order."""

    def numbered(new: dict[int, int]) -> Cell:
        """The first of the cells in which the nodes that are numbered already have these numbers."""
        ready = {
            node: order_edges(tuple((op, new[source]) for op, source in pair))
            for node, pair in enumerate(pair_edges(cell), start=INPUTS)
            if node not in new and all(source in new for _, source in pair)
        }
        if not ready:
            return ()
        first = min(ready.values())
        return first + min(numbered(new | {node: len(new)}) for node, pair in ready.items() if pair == first)

    return numbered({node: node for node in range(INPUTS)})


def parse(text: str) -> Genotype:
    """The cells of a genotype in any notation of the field, of which each node's edges may come in any order; an error
    says what is wrong."""
    if len(text) > 100 * LONG:
        raise HarnessError(f"a text of {len(text):,} characters is no genotype: write it as {FORM}")
    bare = unwrap_text(text)
    value = parse_literal(bare) if bare.startswith(("Genotype", "{")) else None
    found = read_cells(value) if isinstance(value, dict) else dialects.read_numbered_cells(text)
    if found is None:
        raise HarnessError(f"{text!r} is no genotype: write it as {FORM}")
    concat = [found.pop(f"{kind}_concat", None) for kind in KINDS]
    if any(c is not None and list(c) != [*range(INPUTS, INPUTS + NODES)] for c in concat):
        raise HarnessError(f"the cells of {text!r} do not put out their nodes 2 to 5, as cells of DARTS' form do")
    return Genotype(*(_check_edges(flatten_edges(found[kind]), kind, text) for kind in KINDS))


def _check_edges(cell: Any, kind: str, text: str) -> Cell:
    """The edges of a cell in their order; an error names a wrong one."""
    if not (
        isinstance(cell, list | tuple)
        and len(cell) == 2 * NODES
        and all(isinstance(e, tuple) and [type(v) for v in e] == [str, int] for e in cell)
    ):
        raise HarnessError(
            f"the {kind} cell of {text!r} is not a list of {2 * NODES} pairs of an operation and a node, two for each "
            "inner node in turn"
        )
    for node, pair in enumerate(pair_edges(tuple(cell)), start=INPUTS):
        sources = [source for _, source in pair]
        if len({*sources}) < 2 or not all(0 <= source < node for source in sources):
            raise HarnessError(
                f"node {node} of the {kind} cell of {text!r} needs two different nodes below {node}, not {sources}"
            )
    return order_edges(tuple(cell))
