"""DARTS' own space (Liu, Simonyan & Yang, ICLR 2019), and the reduced ones of it that show how searches fail.

An architecture is a normal and a reduction cell (see `genotype.py`). There is no table of their accuracies, and no
list of them all: a space of this size is searched, and what is found is trained.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import prod
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError, did_you_mean
from harness.spaces.base import Architecture, Rows, Space
from harness.spaces.darts.genotype import EDGES, INPUTS, NODES, Cell, Genotype, in_order, isomorph, pairs, parse, row

NONE = "none"

Options = tuple[tuple[str, ...], ...]
"""The operations of each of the 14 edges, equally many."""


class DARTSSpace(Space):
    """Architecture tensors: normal cell [14, operations], reduction cell [14, operations]; rows as `EDGES`, the columns
    of a row as `options` lists them.

    The published decoding: an edge is as strong as its largest mixing weight, an inner node keeps its two strongest
    edges, each with its strongest operation; `none` takes part in the softmax, not in the comparison. The canonical
    key, which is also the table key, is that of the cells whose inner nodes are numbered otherwise.
    """

    options: ClassVar[tuple[Options, Options]]
    picks = (1, 1)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.alpha_shapes = tuple((len(EDGES), len(rows[0])) for rows in cls.options)  # type: ignore[assignment]
        cls.operations = tuple(dict.fromkeys(op for rows in cls.options for edge in rows for op in edge))
        cls.size = prod(len(cls.choices(kind, node)) for kind in range(2) for node in range(INPUTS, INPUTS + NODES))

    def derive(self, alphas: Rows) -> Architecture:
        cells = []
        for kind, rows in enumerate(self.check_shapes(alphas)):
            strength = weights_of(rows)
            for edge, names in enumerate(self.options[kind]):
                if NONE in names:
                    strength[edge, names.index(NONE)] = -1.0
            cells.append(self._strongest(kind, strength))
        return self.architecture(Genotype(*cells))

    def _strongest(self, kind: int, strength: NDArray[np.floating[Any]]) -> Cell:
        """The two strongest edges of each node, of [14, operations]."""
        best, names = strength.argmax(axis=1), self.options[kind]
        chosen = []
        for node in range(INPUTS, INPUTS + NODES):
            edges = [row(source, node) for source in range(node)]
            top = np.argsort(-strength[edges].max(axis=1), kind="stable")[:2]
            chosen += [(names[edges[source]][best[edges[source]]], int(source)) for source in sorted(top)]
        return tuple(chosen)

    def architecture(self, genotype: Genotype) -> Architecture:
        key = str(Genotype(*map(isomorph, genotype.cells)))
        return Architecture(str(genotype), key, tuple(op for cell in genotype.cells for op, _ in cell))

    def parse(self, encoding: str) -> Architecture:
        genotype = parse(encoding)
        for kind, (name, cell) in enumerate(zip(("normal", "reduction"), genotype.cells, strict=True)):
            for place, (op, source) in enumerate(cell):
                node = INPUTS + place // 2
                known = self.kept_options(kind, row(source, node))
                if op not in known:
                    raise HarnessError(
                        f"{self.name} has no operation {op!r} between the nodes {source} and {node} of the {name} cell "
                        f"(in {encoding!r}): {did_you_mean(op, known)}"
                    )
        return self.architecture(genotype)

    def mix(self, architecture: Architecture) -> list[NDArray[np.float64]]:
        """One at the eight operations that each cell keeps; rows of the edges that it does not keep are zero."""
        found = [np.zeros(shape) for shape in self.alpha_shapes]
        for rows, names, cell in zip(found, self.options, parse(architecture.encoding).cells, strict=True):
            for place, (op, source) in enumerate(cell):
                edge = row(source, INPUTS + place // 2)
                rows[edge, names[edge].index(op)] = 1.0
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

    def kept_options(self, kind: int, edge: int) -> list[str]:
        """The operations of an edge that a cell may keep: all but `none`."""
        return [op for op in self.options[kind][edge] if op != NONE]

    @classmethod
    def choices(cls, kind: int, node: int) -> list[tuple[Any, ...]]:
        """Every pair of edges that a node can keep."""
        ways = [
            [(op, source) for op in cls.options[kind][row(source, node)] if op != NONE] for source in range(node)
        ]
        return [pair for a, b in itertools.combinations(ways, 2) for pair in itertools.product(a, b)]

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        """The cells in which one edge of one node is another one: another operation, another source, or both."""
        genotype, found = parse(architecture.encoding), []
        for kind, cell in enumerate(genotype.cells):
            for place, own in enumerate(pairs(cell)):
                for pair in self.choices(kind, INPUTS + place):
                    if len({*pair} & {*own}) == 1:
                        changed = in_order((*cell[: 2 * place], *pair, *cell[2 * place + 2 :]))
                        cells = (changed, genotype.reduce) if kind == 0 else (genotype.normal, changed)
                        found.append(self.architecture(Genotype(*cells)))
        return found

    def random(self, rng: np.random.Generator) -> Architecture:
        cells = []
        for kind in range(2):
            ways = (self.choices(kind, node) for node in range(INPUTS, INPUTS + NODES))
            cells.append(tuple(edge for pairs in ways for edge in pairs[rng.integers(len(pairs))]))
        return self.architecture(Genotype(*cells))

    def enumerate(self) -> Iterator[Architecture]:
        self._refuse()

    def distinct_architectures(self) -> dict[str, Architecture]:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise HarnessError(
            f"{self.name} has {self.size:.1e} architectures, which nobody can list: search it with a one-shot network, "
            "or take a space with a table"
        )


def weights_of(rows: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Mixing weights of logits, the softmax of each row, because edges are compared with each other; what is mixing
    weights already, rows that sum to one or are zero, stays."""
    sums = rows.sum(axis=1)
    if (rows >= 0).all() and (np.isclose(sums, 1, rtol=0, atol=1e-5) | (sums == 0)).all():
        return rows.copy()
    raised = np.exp(rows - rows.max(axis=1, keepdims=True))
    softmax: NDArray[np.floating[Any]] = raised / raised.sum(axis=1, keepdims=True)
    return softmax


def everywhere(*operations: str) -> tuple[Options, Options]:
    """The same operations on every edge of both cells."""
    rows = (operations,) * len(EDGES)
    return rows, rows


SEVEN = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)


class Full(DARTSSpace):
    """DARTS' seven operations, without `none`: SmoothDARTS' s5."""

    name = "darts.full"
    source = "Liu, Simonyan & Yang, DARTS, ICLR 2019 (arXiv 1806.09055)"
    options = everywhere(*SEVEN)


class FullNone(DARTSSpace):
    """DARTS' eight operations: `none` takes part in the mix, and is never kept."""

    name = "darts.full-none"
    source = Full.source
    options = everywhere(NONE, *SEVEN)


REDUCED = "Zela et al., Understanding and Robustifying DARTS, ICLR 2020 (arXiv 1909.09656)"


def edges(text: str) -> Options:
    """A row for each edge of two operations, written by their initials."""
    names = {
        "s": "skip_connect",
        "d": "dil_conv_3x3",
        "D": "dil_conv_5x5",
        "c": "sep_conv_3x3",
        "m": "max_pool_3x3",
        "a": "avg_pool_3x3",
    }
    return tuple(tuple(names[letter] for letter in pair) for pair in text.split())


class S1(DARTSSpace):
    """Two operations an edge, other ones on every edge: the best two of a search of DARTS."""

    name = "darts.s1"
    source = REDUCED
    options = (
        edges("sd sD  sD sc sd  ms sc sc sd  sc ms sd dD dD"),
        edges("ma md  ma ma sD  ma mc sd sD  ma ma sD sD sD"),
    )


class S2(DARTSSpace):
    """A skip connection or a separable convolution."""

    name = "darts.s2"
    source = REDUCED
    options = everywhere("skip_connect", "sep_conv_3x3")


class S3(DARTSSpace):
    """As S2, and `none`."""

    name = "darts.s3"
    source = REDUCED
    options = everywhere(NONE, "skip_connect", "sep_conv_3x3")


class S4(DARTSSpace):
    """Noise or a separable convolution: noise never helps, and searches choose it."""

    name = "darts.s4"
    source = REDUCED
    options = everywhere("noise", "sep_conv_3x3")
