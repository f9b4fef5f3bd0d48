"""The notations in which the field writes cells of DARTS' form, brought to (operation, source) pairs of both cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from harness.core.errors import HarnessError
from harness.spaces.dialects import parse_literal, unwrap_text

INPUTS, NODES = 2, 4
EDGES = tuple((source, node) for node in range(INPUTS, INPUTS + NODES) for source in range(node))
"""(source, target) of each of the 14 rows of an architecture tensor."""
KINDS = ("normal", "reduce")
ORDER = ("normal", "normal_concat", "reduce", "reduce_concat")
"""A genotype's fields, where they are given without names."""
ALIASES = {
    "maxpool": "max_pool_3x3",
    "avgpool": "avg_pool_3x3",
    "skipconnect": "skip_connect",
    "sepconv3x3": "sep_conv_3x3",
    "sepconv5x5": "sep_conv_5x5",
    "dilconv3x3": "dil_conv_3x3",
    "dilconv5x5": "dil_conv_5x5",
}
"""NNI's first names of the operations."""
LISTED = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NUMBERED = {"indices": ("none", *LISTED), "naslib": LISTED}
"""Operations by their number: in DARTS' list (RandomNAS), and in NASLib's and naszilla's, which has no `none`."""
MARKED = re.compile(r"(naslib|indices)\s*:\s*(.+)", re.DOTALL)
OPERATION = re.compile(r"(normal|reduce)/op_(\d)_(\d)")
SWITCH = re.compile(r"(normal|reduce)_n(\d)_p(\d)")
LETTERED = re.compile(r"(normal|reduce)_(\d)_op_([xy])")
SURROGATE = re.compile(r"(?:.*:)?edge_(normal|reduce)_(\d+)")


def read_cells(value: dict[Any, Any]) -> dict[str, Any] | None:
    """`normal` and `reduce` of a value, with `normal_concat` and `reduce_concat` where it says them; None where it is
    no genotype: a dictionary of these names or a call of a namedtuple, NNI's and NAS-Bench-301's dictionaries."""
    given = {ORDER[key] if isinstance(key, int) and key < len(ORDER) else key: v for key, v in value.items()}
    if set(KINDS) <= set(given) <= set(ORDER):
        return given
    keys = [key for key in given if isinstance(key, str)]
    for pattern, reader in (
        (OPERATION, _read_nni),
        (SWITCH, _read_switches),
        (LETTERED, _read_lettered),
        (SURROGATE, _read_surrogate),
    ):
        if any(pattern.fullmatch(key) for key in keys):
            try:
                return reader({key: given[key] for key in keys})
            except HarnessError:
                raise
            except (KeyError, ValueError, TypeError, IndexError):
                return None
    return None


def read_numbered_cells(text: str) -> dict[str, Any] | None:
    """`normal` and `reduce` of two cells of (source, number of an operation) pairs; None where a text is none.

    Raises:
        HarnessError: it does not say, and its numbers do not, in which list operations are counted.
    """
    marked = MARKED.fullmatch(text.strip())
    bare = marked[2] if marked else unwrap_text(text)
    value = parse_literal(bare) if bare.startswith(("(", "[")) else None
    if not (isinstance(value, list | tuple) and len(value) == len(KINDS)):
        return None
    cells = [flatten_edges(cell) for cell in value]
    if any(
        not isinstance(cell, list | tuple)
        or len(cell) != 2 * NODES
        or any([type(v) for v in edge] != [int, int] for edge in cell)
        for cell in cells
    ):
        return None
    read = {
        name: {
            kind: [(operations[number], source) for source, number in cell]
            for kind, cell in zip(KINDS, cells, strict=True)
        }
        for name, operations in NUMBERED.items()
        if (marked is None or marked[1] == name)
        and all(0 <= number < len(operations) for cell in cells for _, number in cell)
    }
    if len(read) > 1:
        could = " or ".join(f"{name}: before it ({found['normal'][0][0]} first)" for name, found in read.items())
        raise HarnessError(f"{text!r} can be two genotypes, as lists of operations are counted: write {could}")
    return next(iter(read.values()), None)


def flatten_edges(cell: Any) -> Any:
    """The edges of a cell as (operation, source), node by node; what is in no notation that is known, as it is.

    Read are lists of pairs, of pairs of pairs or of lists a node, (source, operation), and triples: (operation, target,
    source) as FairDARTS', (operation, source, target), (operation, source, weight).
    """
    if not isinstance(cell, list | tuple):
        return cell
    if cell and all(isinstance(node, list | tuple) and node and isinstance(node[0], list | tuple) for node in cell):
        if len(cell) != NODES or any(len(node) != 2 for node in cell):
            return cell
        cell = [edge for node in cell for edge in node]
    if not all(isinstance(edge, list | tuple) for edge in cell):
        return cell
    edges = [tuple(edge) for edge in cell]
    if all(len(e) == 2 and isinstance(e[1], str) for e in edges):
        return [(op, source) for source, op in edges]
    if all(len(e) == 3 and isinstance(e[0], str) for e in edges):
        return _convert_triples(edges)
    return edges


def _convert_triples(edges: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
    targets = [INPUTS + place // 2 for place in range(len(edges))]
    if all(isinstance(e[2], float) for e in edges):
        return [(op, source) for op, source, _ in edges]
    if [e[1] for e in edges] == targets:
        return [(op, source) for op, _, source in edges]
    if [e[2] for e in edges] == targets:
        return [(op, source) for op, source, _ in edges]
    return edges


def _name_operation(operation: Any) -> str:
    if not isinstance(operation, str):
        raise TypeError("no operation")
    return ALIASES.get(operation, operation)


def _unwrap_source(value: Any) -> int:
    """A source that may stand in a list of one."""
    (source,) = value if isinstance(value, list | tuple) else (value,)
    if type(source) is not int:
        raise TypeError("no node")
    return source


def _read_nni(value: dict[str, Any]) -> dict[str, Any]:
    """NNI 2 and 3: {"normal/op_2_0": "sep_conv_3x3", "normal/input_2_0": 0, ..}."""
    return {
        kind: [
            (_name_operation(value[f"{kind}/op_{node}_{place}"]), _unwrap_source(value[f"{kind}/input_{node}_{place}"]))
            for node in range(INPUTS, INPUTS + NODES)
            for place in range(2)
        ]
        for kind in KINDS
    }


def _read_switches(value: dict[str, Any]) -> dict[str, Any]:
    """NNI 1: {"normal_n2_p0": "sepconv3x3", .., "normal_n2_switch": ["normal_n2_p0", "normal_n2_p1"], ..}."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        edges = []
        for node in range(INPUTS, INPUTS + NODES):
            chosen = value.get(f"{kind}_n{node}_switch")
            if chosen is None:
                chosen = [f"{kind}_n{node}_p{p}" for p in range(node) if value.get(f"{kind}_n{node}_p{p}")]
            for name in chosen:
                operation = value[name]
                (only,) = operation if isinstance(operation, list | tuple) else (operation,)
                edges.append((_name_operation(only), int(name.rpartition("_p")[2])))
        found[kind] = edges
    return found


def _read_lettered(value: dict[str, Any]) -> dict[str, Any]:
    """NNI's NDS: {"normal_0_op_x": "sep_conv_3x3", "normal_0_input_x": 0, "normal_0_op_y": .., ..}."""
    return {
        kind: [
            (
                _name_operation(value[f"{kind}_{node}_op_{letter}"]),
                _unwrap_source(value[f"{kind}_{node}_input_{letter}"]),
            )
            for node in range(NODES)
            for letter in "xy"
        ]
        for kind in KINDS
    } | {f"{kind}_concat": value[f"{kind}_concat"] for kind in KINDS if f"{kind}_concat" in value}


def _read_surrogate(value: dict[str, Any]) -> dict[str, Any]:
    """NAS-Bench-301's configurations: {"..:edge_normal_0": "sep_conv_3x3", "..:inputs_node_normal_3": "0_1", ..}."""
    short = {key.rpartition(":")[2]: v for key, v in value.items()}
    found: dict[str, Any] = {}
    for kind in KINDS:
        edges = []
        for node in range(INPUTS, INPUTS + NODES):
            told = short.get(f"inputs_node_{kind}_{node}", "0_1" if node == INPUTS else None)
            sources = [int(s) for s in str(told).split("_")]
            edges += [(_name_operation(short[f"edge_{kind}_{EDGES.index((s, node))}"]), s) for s in sources]
        found[kind] = edges
    return found
