"""NAS-Bench-201's cells in the other notations of the field, as six operation indices, one an edge in the string's
order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from harness.core.errors import HarnessError
from harness.spaces.dialects import parse_literal, unwrap_text

Cell = tuple[int, ...]
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target), in the string's order."""
ALIASES: dict[str, int] = {
    **dict.fromkeys(("none", "zero", "zeroize"), 0),
    **dict.fromkeys(("skip_connect", "skip", "identity", "skipconnect"), 1),
    **dict.fromkeys(("nor_conv_1x1", "conv_1x1", "conv1x1", "nor_conv1x1"), 2),
    **dict.fromkeys(("nor_conv_3x3", "conv_3x3", "conv3x3", "nor_conv3x3"), 3),
    **dict.fromkeys(("avg_pool_3x3", "avgpool", "avg_pool", "avgpool3x3", "avg_pool3x3"), 4),
}
"""Names of the operations in the benchmark's own code, in NNI's and in others'."""
NASLIB_OPERATIONS = (1, 0, 3, 2, 4)
"""NASLib counts skip, none, 3x3, 1x1, pooling."""
NASLIB_EDGES = (0, 1, 3, 2, 4, 5)
"""NASLib's edges 0>1 0>2 0>3 1>2 1>3 2>3, by their places in the string."""
STRUCTURE = re.compile(r"Structure\(\s*\d+ nodes with (.+)\)")
MARKED = re.compile(r"(naslib|indices)\s*:\s*(.+)")
SIX = re.compile(r"[(\[]?\s*[0-4](?:[\s,;]*[0-4]){5}\s*,?\s*[)\]]?")
"""Six operation indices, with or without anything between them."""


def extract_string(text: str) -> str:
    """The string in `Structure(4 nodes with ..)`, in a line of a log, or with blanks; a text without any, as it is."""
    found = STRUCTURE.fullmatch(unwrap_text(text))
    return re.sub(r"\s+", "", found[1] if found else unwrap_text(text))


def read(text: str, to_string: Any) -> Cell | None:
    """The cell of a text that is not the string itself; None where it is in no notation that is known.

    Raises:
        HarnessError: it is a cell in more than one notation, and not the same in all of them.
    """
    bare = unwrap_text(text)
    if marked := MARKED.fullmatch(text.strip()) or MARKED.fullmatch(bare):
        six = _read_six(marked[2])
        return six and (convert_naslib(six) if marked[1] == "naslib" else six)
    if (six := _read_six(bare)) is not None:
        return _choose_notation(text, six, to_string)
    value = parse_literal(bare)
    if isinstance(value, dict):
        return _read_edges(value)
    if isinstance(value, list | tuple):
        return _read_matrix(value) or _read_pairs(value)
    return None


def convert_naslib(six: Sequence[int]) -> Cell:
    """The cell of NASLib's tuple, which counts edges and operations in another order."""
    cell = [0] * len(EDGES)
    for place, operation in zip(NASLIB_EDGES, six, strict=True):
        cell[place] = NASLIB_OPERATIONS[operation]
    return tuple(cell)


def _read_six(text: str) -> Cell | None:
    return tuple(map(int, re.findall(r"\d", text))) if SIX.fullmatch(text) else None


def _choose_notation(text: str, six: Cell, to_string: Any) -> Cell:
    """Six numbers, which two notations write alike."""
    other = convert_naslib(six)
    if six == other:
        return six
    shown = f"({', '.join(map(str, six))})"
    raise HarnessError(
        f"{text!r} can be two cells: operations in the order of the string, {to_string(six)}, or NASLib's tuple, "
        f"{to_string(other)}: write indices:{shown} or naslib:{shown}"
        + ("" if not text.strip().isdigit() else "; a published index has no leading zeros, and is at most 15624")
    )


def _read_edges(value: dict[Any, Any]) -> Cell | None:
    """{'0_1': 'conv_1x1', ..} as NNI, {'1<-0': ..} as NATS-Bench's configurations, {(0, 1): ..}."""
    found: dict[tuple[int, ...], int] = {}
    for key, operation in value.items():
        nodes = tuple(sorted(map(int, re.findall(r"\d+", str(key)))))
        if nodes not in EDGES or nodes in found or operation not in ALIASES:
            return None
        found[nodes] = ALIASES[operation]
    return tuple(found[edge] for edge in EDGES) if len(found) == len(EDGES) else None


def _read_matrix(value: Sequence[Any]) -> Cell | None:
    """A matrix of nodes, [4, 4], of operation indices on one side of the diagonal, as the official API's `str2matrix`;
    or [6, 5], a row an edge with a one at its operation."""
    rows = [list(row) if isinstance(row, list | tuple) else [] for row in value]
    if any(type(v) not in (int, float) or v != int(v) for row in rows for v in row):
        return None
    whole = [[int(v) for v in row] for row in rows]
    if [len(row) for row in whole] == [5] * 6 and all(sorted(row) == [0, 0, 0, 0, 1] for row in whole):
        return tuple(row.index(1) for row in whole)
    if [len(row) for row in whole] != [4] * 4 or not all(0 <= v < 5 for row in whole for v in row):
        return None
    below = tuple(whole[target][source] for source, target in EDGES)
    above = tuple(whole[source][target] for source, target in EDGES)
    if any(whole[n][n] for n in range(4)) or (any(below) and any(above)):
        return None
    return below if any(below) else above


def _read_pairs(value: Sequence[Any]) -> Cell | None:
    """[(operation, source), ..], node by node, flat or a list for each node."""
    if len(value) == 3 and all(isinstance(node, list | tuple) for node in value):
        if [len(node) for node in value] != [1, 2, 3]:
            return None
        value = [pair for node in value for pair in node]
    found: dict[tuple[int, int], int] = {}
    targets = [target for _, target in EDGES]
    if len(value) != len(EDGES):
        return None
    for target, pair in zip(targets, value, strict=True):
        if not (isinstance(pair, list | tuple) and len(pair) == 2):
            return None
        operation, source = pair if isinstance(pair[0], str) else reversed(pair)
        if operation not in ALIASES or (source, target) not in EDGES or (source, target) in found:
            return None
        found[source, target] = ALIASES[operation]
    return tuple(found[edge] for edge in EDGES)
