"""NAS-Bench-201 (Dong & Yang, ICLR 2020): a cell of four nodes, one of five operations on each of six edges.

Node 0 is the cell's input, node 3 its output; a node sums its incoming edges. The string
``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`` lists each node's incoming edges. NATS-Bench calls the space "tss".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.spaces.base import (
    FIXED,
    SIDE_BY_SIDE,
    STACKS,
    Architecture,
    Choices,
    Enumerable,
    Networks,
    Preset,
    Rows,
    Space,
)
from harness.spaces.dialects import parse_index, unwrap_text
from harness.spaces.nasbench201.cell import (
    EDGES,
    NONE,
    OPERATIONS,
    PATTERN,
    SKIP,
    build_architecture,
    canonicalize,
    index_official_strings,
    list_distinct_cells,
    list_official_cells,
    parse_cell,
    to_string,
)
from harness.spaces.nasbench201.dialects import read


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
    has = (*Space.has, STACKS, SIDE_BY_SIDE)
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
        from harness.spaces.nasbench201.together import NASBench201SideBySide

        return Networks(NASBench201Supernet, FastNASBench201Supernet, NASBench201Stack, together=NASBench201SideBySide)

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

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """The 24 cells with another operation on one edge."""
        cell = parse_cell(architecture.encoding)
        changes = [(edge, op) for edge in range(len(EDGES)) for op in range(len(OPERATIONS)) if op != cell[edge]]
        return [build_architecture((*cell[:edge], op, *cell[edge + 1 :])) for edge, op in changes]

    def random(self, rng: np.random.Generator) -> Architecture:
        return build_architecture(tuple(int(i) for i in rng.integers(0, len(OPERATIONS), len(EDGES))))
