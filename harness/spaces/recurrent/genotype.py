"""Recurrent cells, read and written as the field writes them.

``Genotype(recurrent=[('sigmoid', 0), ('relu', 1), ...], concat=range(1, 9))``

State 0 is made of the input and the previous hidden state. Node i makes state i + 1 of one earlier state by one
operation; the new hidden state is the mean of the states that `concat` names, which in a cell of the space are all but
state 0.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import Any

from harness.core.errors import HarnessError

NONE = "none"
OPERATIONS = (NONE, "tanh", "relu", "sigmoid", "identity")

Edge = tuple[str, int]
"""An operation and the state that it reads."""
Cell = tuple[Edge, ...]
"""An edge for each node in turn."""

LONGEST = 5_000
"""Characters of a text: no genotype has as many."""


def list_edges(nodes: int) -> list[tuple[int, int]]:
    """(state, node) of each row of an architecture tensor."""
    return [(state, node) for node in range(nodes) for state in range(node + 1)]


def find_row(state: int, node: int) -> int:
    """The row of an architecture tensor that stands for the edge of a state to a node."""
    return node * (node + 1) // 2 + state


def write(cell: Cell) -> str:
    """The genotype of a cell that puts out all of its nodes."""
    return f"Genotype(recurrent={list(cell)}, concat=range(1, {len(cell) + 1}))"


def describe_form(nodes: int) -> str:
    """What a genotype looks like, for an error."""
    return f"Genotype(recurrent=[('tanh', 0), ...], concat=range(1, {nodes + 1}))"


def parse(text: str, nodes: int) -> Cell:
    """The cell of a genotype; an error says what is wrong."""
    if len(text) > LONGEST:
        raise HarnessError(f"a text of {len(text):,} characters is no genotype: write it as {describe_form(nodes)}")
    try:
        call: Any = ast.parse(re.sub(r"^\s*\w+\s*=", "", text).strip(), mode="eval").body
        if call.func.id != "Genotype":
            raise ValueError("no genotype")
        values = dict(zip(("recurrent", "concat"), call.args, strict=False))
        values |= {keyword.arg: keyword.value for keyword in call.keywords}
        concat = read_states(values.pop("concat"))
        cell = ast.literal_eval(values.pop("recurrent"))
        if values:
            raise ValueError("something else")
    except HarnessError:
        raise
    except (SyntaxError, ValueError, AttributeError, KeyError, TypeError, RecursionError, MemoryError):
        raise HarnessError(f"{text!r} is no genotype of a recurrent cell: write it as {describe_form(nodes)}") from None
    if not (isinstance(cell, list | tuple) and len(cell) == nodes and all(map(is_edge, cell))):
        raise HarnessError(
            f"the cell of {text!r} is not a list of {nodes} pairs of an operation and a state: write it as "
            f"{describe_form(nodes)}"
        )
    if concat != [*range(1, nodes + 1)]:
        raise HarnessError(f"the cell of {text!r} does not put out the mean of its states 1 to {nodes}")
    for node, (_, state) in enumerate(cell):
        if not 0 <= state <= node:
            raise HarnessError(f"node {node} of {text!r} reads state {state}: it can read the states 0 to {node}")
    return tuple((operation, state) for operation, state in cell)


def read_states(written: ast.expr) -> list[int]:
    """Those of `range(1, 9)`, or of a list of numbers."""
    if isinstance(written, ast.Call) and getattr(written.func, "id", "") == "range":
        return [*range(*(ast.literal_eval(bound) for bound in written.args))[:LONGEST]]
    return [*ast.literal_eval(written)]


def is_edge(pair: Any) -> bool:
    """Whether this is an operation and a state."""
    return isinstance(pair, list | tuple) and [type(value) for value in pair] == [str, int]


@lru_cache(maxsize=65_536)
def find_isomorph(cell: Cell) -> Cell:
    """One and the same of all cells that differ in the numbers of their nodes alone.

    A cell is a tree whose root is state 0: the nodes that read one state are put into the order of their subtrees, and
    the nodes are then numbered along the tree.
    """
    children: list[list[int]] = [[] for _ in range(len(cell) + 1)]
    for node, (_, state) in enumerate(cell):
        children[state].append(node)

    shapes: dict[int, tuple[Any, ...]] = {}
    for node in reversed(range(len(cell))):
        shapes[node] = (cell[node][0], *sorted(shapes[child] for child in children[node + 1]))
    found: list[Edge] = []

    def number(state: int, new: int) -> None:
        for node in sorted(children[state], key=shapes.__getitem__):
            found.append((cell[node][0], new))
            number(node + 1, len(found))

    number(0, 0)
    return tuple(found)
