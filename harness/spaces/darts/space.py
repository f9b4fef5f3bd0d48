"""DARTS' own space (Liu, Simonyan & Yang, ICLR 2019), and the reduced ones of it that show how searches fail.

An architecture is a normal and a reduction cell (see `genotype.py`). There is no table of their accuracies, and no
list of them all: a space of this size is searched, and what is found is trained.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from functools import cache, partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError, suggest_names
from harness.spaces.base import FIXED, Architecture, Choices, Networks, Preset, Rows, Space
from harness.spaces.blocks.weights import compute_mixing_weights
from harness.spaces.darts.genotype import (
    EDGES,
    INPUTS,
    NODES,
    Cell,
    Edge,
    Genotype,
    find_isomorph,
    find_row,
    order_edges,
    pair_edges,
    parse,
)
from harness.spaces.darts.records import Options, read_recorded_options
from harness.spaces.dialects import parse_index

NONE, SKIP, NOISE = "none", "skip_connect", "noise"
SHORT = {
    "max_pool_3x3": "max 3x3",
    "avg_pool_3x3": "avg 3x3",
    SKIP: "skip",
    "sep_conv_3x3": "sep 3x3",
    "sep_conv_5x5": "sep 5x5",
    "dil_conv_3x3": "dil 3x3",
    "dil_conv_5x5": "dil 5x5",
}
"""DARTS' seven operations, in its order, as a figure writes them."""
SEVEN = tuple(SHORT)
PARAMETER_FREE = (NONE, NOISE, SKIP, "max_pool_3x3", "avg_pool_3x3", "max_pool_5x5", "max_pool_7x7")


class DARTSSpace(Space):
    """Architecture tensors: normal cell [14, operations], reduction cell [14, operations]; rows as `EDGES`, the columns
    of a row as its options list them.

    The published decoding: an edge is as strong as its largest mixing weight, an inner node keeps its two strongest
    edges, each with its strongest operation; `none` takes part in the softmax, not in the comparison. The canonical
    key, which is also the table key, is that of the cells whose inner nodes are numbered otherwise.
    """

    default_cells = 8
    least_cells = 3
    presets: ClassVar = {"official": Preset(finite_difference_moves_bn=True), "fixed": FIXED}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        cls.operations = tuple(dict.fromkeys(op for t in cls.tensors for row in t.options for op in row))
        cls.parameter_free = tuple(op for op in cls.operations if op in PARAMETER_FREE)
        cls.zero, cls.skip = (op if op in cls.operations else None for op in (NONE, SKIP))
        cls.short = {op: brief for op, brief in SHORT.items() if op in cls.operations}
        super().__init_subclass__(**kwargs)

    def networks(self) -> Networks:
        from harness.spaces.darts.derived import DerivedNetwork
        from harness.spaces.darts.fast import FastDARTSSupernet
        from harness.spaces.darts.supernet import DARTSSupernet

        options = tuple(tensor.options for tensor in self.tensors)
        return Networks(
            partial(DARTSSupernet, options=options),
            partial(FastDARTSSupernet, options=options),
            derived=DerivedNetwork,
        )

    def derive(self, alphas: Rows) -> Architecture:
        return self.strongest([compute_mixing_weights(rows) for rows in self.check_shapes(alphas)])

    def strongest(self, strengths: Rows) -> Architecture:
        cells = []
        for kind, rows in enumerate(self.check_shapes(strengths)):
            strength = rows.copy()
            for edge, names in enumerate(self.tensors[kind].options):
                if NONE in names:
                    strength[edge, names.index(NONE)] = -np.inf
            cells.append(self._strongest(kind, strength))
        return self.architecture(Genotype(*cells))

    def _strongest(self, kind: int, strength: NDArray[np.floating[Any]]) -> Cell:
        """The two strongest edges of each node, of [14, operations]."""
        best, names = strength.argmax(axis=1), self.tensors[kind].options
        chosen = []
        nodes = [node for node in range(INPUTS, INPUTS + NODES) if find_row(node - 1, node) < len(strength)]
        for node in nodes:
            edges = [find_row(source, node) for source in range(node)]
            top = np.argsort(-strength[edges].max(axis=1), kind="stable")[:2]
            chosen += [(names[edges[source]][best[edges[source]]], int(source)) for source in sorted(top)]
        return tuple(chosen)

    def architecture(self, genotype: Genotype) -> Architecture:
        key = str(Genotype(*map(find_isomorph, genotype.cells)))
        return Architecture(str(genotype), key, tuple(op for cell in genotype.cells for op, _ in cell))

    def parse(self, encoding: str) -> Architecture:
        if (index := parse_index(encoding)) is not None:
            return self.at(index)
        genotype = parse(encoding)
        for kind, (name, cell) in enumerate(zip(("normal", "reduction"), genotype.cells, strict=True)):
            for place, (op, source) in enumerate(cell):
                node = INPUTS + place // 2
                known = [op for op in self.tensors[kind].options[find_row(source, node)] if op != NONE]
                if op not in known:
                    raise HarnessError(
                        f"{self.name} has no operation {op!r} between the nodes {source} and {node} of the {name} cell "
                        f"(in {encoding!r}): {suggest_names(op, known)}"
                    )
        return self.architecture(genotype)

    @classmethod
    def of_record(cls, recorded: str, arrays: Mapping[str, Any]) -> Space | None:
        """Records of "darts" say which operations an edge has, and which of them are left."""
        if recorded != "darts":
            return super().of_record(recorded, arrays)
        every, left = read_recorded_options(arrays)
        if every != tuple(tensor.options for tensor in cls.tensors):
            return None
        # the class of a stage of a search, which no registry knows
        stage: Any = cls if left == every else type("Stage", (cls,), {"tensors": repeat_for_both_cells(*left)})
        found: Space = stage()
        return found

    def with_rows(self, rows: int) -> Space:
        """The same with the first edges alone, so many of each cell: cells of fewer nodes, as some records have."""
        if rows == len(EDGES):
            return self
        normal, reduction = (tensor.options[:rows] for tensor in self.tensors)
        found: Space = type("Short", (type(self),), {"tensors": repeat_for_both_cells(normal, reduction)})()
        return found

    def recorded_encoding(self, genotype: str) -> str:
        """From the JSON text of {"normal": [[operation, node], ...], "reduce": [...]}."""
        return self._recorded(json.loads(genotype)).encoding

    def recorded_decoding(self, case: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        derived = self.derive([np.asarray(a) for a in case["alphas"]])
        return {"architectures": (derived, self._recorded(case))}

    def _recorded(self, cells: dict[str, Any]) -> Architecture:
        return self.architecture(Genotype(*(order_edges(tuple(map(tuple, cells[k]))) for k in ("normal", "reduce"))))

    def mix(self, architecture: Architecture) -> list[NDArray[np.float64]]:
        """One at the eight operations that each cell keeps; rows of the edges that it does not keep are zero."""
        found = [np.zeros(shape) for shape in self.alpha_shapes]
        for rows, tensor, cell in zip(found, self.tensors, parse(architecture.encoding).cells, strict=True):
            for place, (op, source) in enumerate(cell):
                edge = find_row(source, INPUTS + place // 2)
                rows[edge, tensor.options[edge].index(op)] = 1.0
        return found

    def graph(self, architecture: Architecture) -> list[tuple[int, int, str]]:
        """Both cells, the nodes of the reduction cell counted on from the normal one's output."""
        edges, output = [], INPUTS + NODES
        for kind, cell in enumerate(parse(architecture.encoding).cells):
            first = kind * (output + 1)
            edges += [(first + source, first + INPUTS + place // 2, op) for place, (op, source) in enumerate(cell)]
            edges += [(first + node, first + output, "") for node in range(INPUTS, output)]
        return edges

    def canonical_key(self, architecture: Architecture) -> str:
        return architecture.key

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """The cells in which one edge of one node is another one: another operation, another source, or both."""
        genotype, found = parse(architecture.encoding), []
        for kind, cell in enumerate(genotype.cells):
            for place, own in enumerate(pair_edges(cell)):
                for pair in list_choices(self.tensors[kind].options, INPUTS + place):
                    if len({*pair} & {*own}) == 1:
                        changed = order_edges((*cell[: 2 * place], *pair, *cell[2 * place + 2 :]))
                        cells = (changed, genotype.reduce) if kind == 0 else (genotype.normal, changed)
                        found.append(self.architecture(Genotype(*cells)))
        return found

    def random(self, rng: np.random.Generator) -> Architecture:
        cells = []
        for tensor in self.tensors:
            ways = (list_choices(tensor.options, node) for node in range(INPUTS, INPUTS + NODES))
            cells.append(tuple(edge for pairs in ways for edge in pairs[rng.integers(len(pairs))]))
        return self.architecture(Genotype(*cells))


@cache
def list_choices(options: Options, node: int) -> tuple[tuple[Edge, ...], ...]:
    """Every pair of edges that a node can keep, of any operations but `none`."""
    ways = [[(op, source) for op in options[find_row(source, node)] if op != NONE] for source in range(node)]
    return tuple(pair for a, b in itertools.combinations(ways, 2) for pair in itertools.product(a, b))


def repeat_for_both_cells(normal: Options, reduction: Options) -> tuple[Choices, Choices]:
    """Those of the operations of each edge of both cells."""
    edges = EDGES[: len(normal)]
    labels, nodes = tuple(f"{node}<-{source}" for source, node in edges), tuple(node for _, node in edges)
    return (
        Choices("operations", normal, labels, cell="normal cell", nodes=nodes, keeps=2),
        Choices("operations", reduction, labels, cell="reduction cell", nodes=nodes, keeps=2),
    )


def repeat_everywhere(*operations: str) -> tuple[Choices, Choices]:
    """The same operations on every edge of both cells."""
    return repeat_for_both_cells((operations,) * len(EDGES), (operations,) * len(EDGES))


def parse_letters(text: str) -> Options:
    """A row for each edge of two operations, each written as a letter."""
    names = dict(zip("mascCdD", SEVEN, strict=True))
    return tuple(tuple(names[letter] for letter in pair) for pair in text.split())


class DARTSFull(DARTSSpace):
    """DARTS' seven operations, without `none`: SmoothDARTS' s5."""

    name = "darts.full"
    source = "Liu, Simonyan & Yang, DARTS, ICLR 2019 (arXiv 1806.09055)"
    tensors = repeat_everywhere(*SEVEN)

    @classmethod
    def of_record(cls, recorded: str, arrays: Mapping[str, Any]) -> Space | None:
        return cls() if recorded == "darts_s5" else super().of_record(recorded, arrays)


class FullNone(DARTSSpace):
    """DARTS' eight operations: `none` takes part in the mix, and is never kept."""

    name = "darts.full-none"
    source = DARTSFull.source
    tensors = repeat_everywhere(NONE, *SEVEN)


REDUCED = "Zela et al., Understanding and Robustifying DARTS, ICLR 2020 (arXiv 1909.09656)"


class DARTSS1(DARTSSpace):
    """Two operations an edge, other ones on every edge: what searches of the full space rate highest."""

    name = "darts.s1"
    source = REDUCED
    tensors = repeat_for_both_cells(
        parse_letters("sd sD  sD sc sd  ms sc sc sd  sc ms sd dD dD"),
        parse_letters("ma md  ma ma sD  ma mc sd sD  ma ma sD sD sD"),
    )


class DARTSS2(DARTSSpace):
    """A skip connection or a separable convolution."""

    name = "darts.s2"
    source = REDUCED
    tensors = repeat_everywhere(SKIP, "sep_conv_3x3")


class DARTSS3(DARTSSpace):
    """As S2, and `none`."""

    name = "darts.s3"
    source = REDUCED
    tensors = repeat_everywhere(NONE, SKIP, "sep_conv_3x3")


class S4(DARTSSpace):
    """Noise or a separable convolution: noise never helps, and searches choose it."""

    name = "darts.s4"
    source = REDUCED
    tensors = repeat_everywhere(NOISE, "sep_conv_3x3")
