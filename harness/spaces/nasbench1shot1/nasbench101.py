"""NAS-Bench-101's graphs, as NAS-Bench-1Shot1's cells become them: pruning, adjacency, and the module hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

NB101_OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""Order of operation labels in NAS-Bench-101's module hash."""
VERTICES = 7

Parents = tuple[tuple[int, ...], ...]
"""Parents of nodes 1..k and of the output, each ascending."""
Matrix = tuple[tuple[int, ...], ...]


def find_live_nodes(parents: Parents) -> set[int]:
    """The choice blocks (1..k) from which the output can be reached."""
    live: set[int] = set()
    frontier = [len(parents)]
    while frontier:
        for up in parents[frontier.pop() - 1]:
            if up and up not in live:
                live.add(up)
                frontier.append(up)
    return live


def build_adjacency(operations: Sequence[str], parents: Parents) -> tuple[NDArray[np.int64], list[str]]:
    """The 7x7 upper-triangular matrix and the operation list, as the published decoder gives them.

    Edges are kept only where they lead to the output. A space of four blocks gets an unconnected dummy vertex 5
    (labeled conv1x1-bn-relu), so that its matrix has NAS-Bench-101's seven vertices.
    """
    k = len(operations)
    output = VERTICES - 1
    matrix = np.zeros((VERTICES, VERTICES), dtype=np.int64)
    for node in (*find_live_nodes(parents), k + 1):
        for up in parents[node - 1]:
            matrix[up, output if node == k + 1 else node] = 1
    dummies = ["conv1x1-bn-relu"] * (VERTICES - 2 - k)
    return matrix, ["input", *operations, *dummies, "output"]


def decode(encoding: str) -> tuple[tuple[str, ...], Parents]:
    """Operations and parents of an encoding that is known to be right."""
    found = re.findall(r"(?:\d+:([\w-]+)|out)\(([\d,]+)\)", encoding)
    return tuple(op for op, _ in found[:-1]), tuple(tuple(map(int, up.split(","))) for _, up in found)


def prune_cell(operations: Sequence[str], parents: Parents) -> tuple[Matrix, tuple[str, ...]]:
    """Adjacency matrix and inner operations of the cell that NAS-Bench-101 trained, without its dead vertices."""
    output = len(parents)
    kept = (0, *sorted(find_live_nodes(parents)), output)
    matrix = tuple(tuple(int(b > 0 and a in parents[b - 1]) for b in kept) for a in kept)
    return matrix, tuple(operations[node - 1] for node in kept[1:-1])


@lru_cache(maxsize=65_536)
def hash_module(operations: tuple[str, ...], parents: Parents) -> str:
    """The isomorphism-invariant MD5 by which NAS-Bench-101 files the pruned cell."""
    return hash_graph(*prune_cell(operations, parents))


def hash_graph(matrix: Matrix, inner: Sequence[str]) -> str:
    """The MD5 of a graph without dead vertices (`graph_util.hash_module`): as many rounds as there are vertices, in
    which each one's hash takes in those of its neighbors."""
    vertices = range(len(matrix))
    labels = (-1, *(NB101_OPERATIONS.index(op) for op in inner), -2)
    into = [[a for a in vertices if matrix[a][b]] for b in vertices]
    out = [[b for b in vertices if matrix[a][b]] for a in vertices]
    hashes = [_hash_md5(str((len(out[v]), len(into[v]), labels[v]))) for v in vertices]
    for _ in vertices:
        hashes = [
            _hash_md5(f"{_join_hashes(hashes, into[v])}|{_join_hashes(hashes, out[v])}|{hashes[v]}") for v in vertices
        ]
    return _hash_md5(str(sorted(hashes)))


def hash_specification(value: Any) -> str | None:
    """The module hash of NAS-Bench-101's own form of a cell: {"matrix": [[..]], "ops": ["input", .., "output"]}, also
    with its table's names `module_adjacency`, `module_operations`; None where a value is none."""
    if not isinstance(value, dict):
        return None
    matrix = value.get("matrix", value.get("module_adjacency", value.get("adjacency", value.get("original_matrix"))))
    ops = value.get("ops", value.get("module_operations", value.get("operations", value.get("original_ops"))))
    if (
        not (isinstance(matrix, list | tuple) and isinstance(ops, list | tuple))
        or not 2 <= len(matrix) == len(ops) <= VERTICES
    ):
        return None
    if any(not isinstance(row, list | tuple) or len(row) != len(ops) or not {*row} <= {0, 1} for row in matrix):
        return None
    if any(matrix[a][b] for a in range(len(ops)) for b in range(a + 1)) or not {*ops[1:-1]} <= {*NB101_OPERATIONS}:
        return None
    last = len(ops) - 1
    forward, back = {0}, {last}
    for node in range(1, len(ops)):
        if any(matrix[up][node] for up in forward):
            forward.add(node)
    for node in range(last - 1, -1, -1):
        if any(matrix[node][down] for down in back):
            back.add(node)
    kept = sorted(forward & back)
    if not {0, last} <= {*kept}:
        return None
    return hash_graph(tuple(tuple(matrix[a][b] for b in kept) for a in kept), [ops[v] for v in kept[1:-1]])


def _join_hashes(hashes: list[str], vertices: list[int]) -> str:
    return "".join(sorted(hashes[v] for v in vertices))


def _hash_md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
