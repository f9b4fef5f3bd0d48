"""NAS-Bench-1Shot1 (Zela, Siems & Hutter, ICLR 2020): three one-shot spaces inside NAS-Bench-101.

One cell: node 0 is its input, nodes 1..k are choice blocks with one of three operations each, the last node is its
output. A node n takes a fixed number of parents among the earlier nodes; the parents of the output are the nodes
that it concatenates. Nodes without a path to the output are legal and are pruned before the table is asked.

An encoding is written ``1:conv1x1-bn-relu(0)|2:maxpool3x3(0,1)|...|out(2,4)``: node, operation, parents.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from math import comb
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError, suggest_names
from harness.core.text import brief
from harness.spaces.base import SIDE_BY_SIDE, STACKS, Architecture, Choices, Enumerable, Networks, Preset, Rows, Space
from harness.spaces.dialects import parse_index, parse_literal, unwrap_text
from harness.spaces.nasbench1shot1.nasbench101 import (
    Parents,
    build_adjacency,
    find_live_nodes,
    hash_module,
    hash_specification,
)

OPERATIONS = ("maxpool3x3", "conv3x3-bn-relu", "conv1x1-bn-relu")
"""Column order of the architecture tensor."""


class NASBench1Shot1Preset(Preset):
    """What this space's presets differ in besides.

    bn_momentum: PyTorch's momentum of batch norm. Published: 0.997, TensorFlow's number for what PyTorch calls 0.003,
        so that the running statistics are those of the last batch and every eval-mode pass (validation accuracy, the
        SDARTS attack) depends on it. Fixed: PyTorch's default of 0.1; a literal 0.003 would leave the statistics at
        their initial values for hundreds of steps.
    pool_padding: padding of the stride-2 pooling. Published: 1, so that 32 pixels become 17 and 9 where NAS-Bench-101
        has 16 and 8. Fixed: 0.
    """

    bn_momentum: float = 0.1
    pool_padding: int = 0


class NASBench1Shot1(Enumerable):
    """Architecture tensors, in the published order: operations [k, 3]; parents of the output [1, k + 1]; parents of
    every node that has a choice [1, n], n ascending. The table key is the NAS-Bench-101 module hash of the pruned
    cell, which is also the canonical key.
    """

    source = "Zela, Siems & Hutter, NAS-Bench-1Shot1, ICLR 2020 (arXiv 2001.10422)"
    operations = OPERATIONS
    parameter_free = ("maxpool3x3",)
    short: ClassVar = {"conv3x3-bn-relu": "conv 3x3", "conv1x1-bn-relu": "conv 1x1", "maxpool3x3": "max 3x3"}
    default_cells = 9
    has = (*Space.has, STACKS, SIDE_BY_SIDE)
    presets: ClassVar = {
        "official": NASBench1Shot1Preset(
            bn_momentum=0.997, pool_padding=1, finite_difference_moves_bn=True, unevaluated_weights_move=True
        ),
        "fixed": NASBench1Shot1Preset(),
    }
    recipe: ClassVar = {"channels": 8, "stack": 24}  # the vertices of a cell share its channels
    parent_counts: ClassVar[tuple[int, ...]]
    """Number of parents of nodes 1..k, then of the output."""

    @classmethod
    def choice_nodes(cls) -> tuple[int, ...]:
        """Nodes that have more candidates than parents; the output is node k + 1."""
        return tuple(n for n, p in enumerate(cls.parent_counts, start=1) if p < n)

    @classmethod
    def _tensors(cls) -> tuple[Choices, ...]:
        *inner, output = cls.choice_nodes()
        nodes = tuple(f"node {node}" for node in range(1, output))
        sources = ("input", *nodes)

        def inputs(node: int, label: str) -> Choices:
            return Choices("inputs", (sources[:node],), (f"inputs of {label}",), cls.parent_counts[node - 1])

        choices = (inputs(node, f"node {node}") for node in inner)
        return Choices("operations", (OPERATIONS,) * (output - 1), nodes), inputs(output, "the output"), *choices

    def __init_subclass__(cls, **kwargs: Any) -> None:
        cls.tensors = cls._tensors()
        super().__init_subclass__(**kwargs)
        connectivities = 1
        for node, parents in enumerate(cls.parent_counts, start=1):
            connectivities *= comb(node, parents)
        cls.size = connectivities * 3 ** (len(cls.parent_counts) - 1)

    def networks(self) -> Networks:
        from harness.spaces.nasbench1shot1.fast import FastNASBench1Shot1Supernet
        from harness.spaces.nasbench1shot1.stack import NASBench101Stack
        from harness.spaces.nasbench1shot1.supernet import NASBench1Shot1Supernet
        from harness.spaces.nasbench1shot1.together import NASBench1Shot1SideBySide

        nodes = self.choice_nodes()
        readable, fast = (
            partial(kind, choice_nodes=nodes) for kind in (NASBench1Shot1Supernet, FastNASBench1Shot1Supernet)
        )
        return Networks(readable, fast, NASBench101Stack, together=NASBench1Shot1SideBySide)

    def derive(self, alphas: Rows) -> Architecture:
        operations, *rows = self.check_shapes(alphas)
        *inner, output = self.choice_nodes()
        parents = [tuple(range(n)) for n in range(1, output + 1)]
        for node, row, count in zip([output, *inner], rows, self.picks[1:], strict=True):
            top = np.argsort(-row[0], kind="stable")[:count]
            parents[node - 1] = tuple(sorted(int(i) for i in top))
        return self.architecture([int(i) for i in operations.argmax(axis=1)], tuple(parents))

    def architecture(self, operations: Sequence[int], parents: Parents) -> Architecture:
        names = tuple(OPERATIONS[i] for i in operations)
        blocks = [
            f"{node}:{name}({','.join(map(str, up))})"
            for node, (name, up) in enumerate(zip(names, parents, strict=False), start=1)
        ]
        encoding = "|".join([*blocks, f"out({','.join(map(str, parents[-1]))})"])
        return Architecture(encoding, hash_module(names, parents), names)

    def parse(self, encoding: str) -> Architecture:
        try:
            operations, parents = self._decode(encoding)
        except HarnessError:
            if (found := self._elsewhere(encoding)) is not None:
                return found
            raise
        return self.architecture([OPERATIONS.index(o) for o in operations], parents)

    def _elsewhere(self, text: str) -> Architecture | None:
        """The cell of a module hash, or of NAS-Bench-101's matrix and operations; None where a text is neither. Several
        encodings may have one hash, and are one cell: the first of them stands for it."""
        bare = unwrap_text(text)
        if (index := parse_index(bare)) is not None:
            return self.at(index)
        if re.fullmatch(r"[0-9a-f]{32}", bare):
            key: str | None = bare
        else:
            key = hash_specification(parse_literal(bare)) if bare.startswith("{") else None
            if key is None:
                inside = re.search(r"\b1:[\w-]+\(.*\bout\([\d, ]+\)", text)
                shorter = re.sub(r"\s+", "", inside[0]) if inside else text
                return None if shorter == text else self.parse(shorter)
        found = self.distinct_architectures().get(str(key))
        if found is None:
            raise HarnessError(f"the cell {brief(text)} of NAS-Bench-101, module hash {key}, is none of {self.name}")
        return found

    def _decode(self, encoding: str) -> tuple[tuple[str, ...], Parents]:
        k = len(self.parent_counts) - 1
        found = [re.fullmatch(r"(\w+)(?::([\w-]+))?\(([\d,]+)\)", block) for block in encoding.split("|")]
        heads = [m.group(1) if m else None for m in found]
        if heads != [*map(str, range(1, k + 1)), "out"]:
            raise HarnessError(
                f"{encoding!r} is no {self.name} architecture: write nodes 1..{k} and the output as "
                "1:conv1x1-bn-relu(0)|...|out(2,4)"
            )
        matches = [m for m in found if m]
        parents = tuple(tuple(sorted({int(i) for i in m.group(3).split(",") if i})) for m in matches)
        for node, (up, count) in enumerate(zip(parents, self.parent_counts, strict=True), start=1):
            if len(up) != count or max(up) >= node:
                which = "the output" if node == k + 1 else f"node {node}"
                raise HarnessError(
                    f"{which} of {encoding!r} needs {count} different parents below {node} in {self.name}, not {up}"
                )
        operations = tuple(m.group(2) or "" for m in matches[:-1])
        for op in operations:
            if op not in OPERATIONS:
                raise HarnessError(
                    f"{self.name} has no operation {op!r} (in {encoding!r}): {suggest_names(op, OPERATIONS)}"
                )
        return operations, parents

    def mix(self, architecture: Architecture) -> list[NDArray[np.float64]]:
        names, parents = self._decode(architecture.encoding)
        *inner, output = self.choice_nodes()
        rows = [np.eye(len(OPERATIONS))[[OPERATIONS.index(name) for name in names]]]
        for node in (output, *inner):
            row = np.zeros((1, node))
            row[0, list(parents[node - 1])] = 1.0
            rows.append(row)
        return rows

    def graph(self, architecture: Architecture) -> list[tuple[int, int, str]]:
        names, parents = self._decode(architecture.encoding)
        edges = [(up, node, "") for node, ups in enumerate(parents, start=1) for up in ups]
        return edges + [(node, node, name) for node, name in enumerate(names, start=1)]

    def matrix(self, architecture: Architecture) -> tuple[NDArray[np.int64], list[str]]:
        """The published 7x7 adjacency matrix and operation list (S1 and S2 carry the dummy node 5)."""
        operations, parents = self._decode(architecture.encoding)
        return build_adjacency(operations, parents)

    def recorded_decoding(self, case: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        derived = self.derive([np.asarray(a) for a in case["alphas"]])
        matrix, operations = self.matrix(derived)
        return {
            "adjacency": (matrix.tolist(), case["adjacency"]),
            "operations": (operations, case["ops"]),
            "module hash": (derived.key, case["module_hash"]),
        }

    @classmethod
    def of_record(cls, recorded: str, arrays: Mapping[str, Any]) -> Space | None:
        return cls() if cls.name.endswith(f".s{recorded}") else super().of_record(recorded, arrays)

    def canonical_key(self, architecture: Architecture) -> str:
        return architecture.key

    def connectivities(self) -> Iterator[Parents]:
        """Every choice of parents, in lexicographic order."""
        choices = [itertools.combinations(range(n), p) for n, p in enumerate(self.parent_counts, start=1)]
        return itertools.product(*choices)

    def enumerate(self) -> Iterator[Architecture]:
        """Every encoding: connectivities in lexicographic order, operations within (first node slowest)."""
        k = len(self.parent_counts) - 1
        for parents in self.connectivities():
            for operations in itertools.product(range(3), repeat=k):
                yield self.architecture(operations, parents)

    def distinct_architectures(self) -> dict[str, Architecture]:
        return self._distinct()

    @classmethod
    @cache
    def _distinct(cls) -> dict[str, Architecture]:
        """By module hash; complete, unlike the published generator.

        Operations of pruned nodes do not matter, so only one is tried for them.
        """
        self = cls()
        k = len(cls.parent_counts) - 1
        cells: dict[str, Architecture] = {}
        seen: set[tuple[Any, ...]] = set()
        for parents in self.connectivities():
            live = find_live_nodes(parents)
            edges = tuple((n, parents[n - 1]) for n in (*sorted(live), k + 1))
            for chosen in itertools.product(range(3), repeat=len(live)):
                operations = [0] * k
                for node, op in zip(sorted(live), chosen, strict=True):
                    operations[node - 1] = op
                spec = (edges, chosen)
                if spec not in seen:
                    seen.add(spec)
                    found = self.architecture(operations, parents)
                    cells.setdefault(found.key, found)
        return cells

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """The cells with another operation at one node, or with one parent of one node exchanged."""
        names, parents = self._decode(architecture.encoding)
        operations = [OPERATIONS.index(name) for name in names]
        found = []
        for node, own in enumerate(operations):
            others = [op for op in range(len(OPERATIONS)) if op != own]
            found += [self.architecture([*operations[:node], op, *operations[node + 1 :]], parents) for op in others]
        for place, up in enumerate(parents):
            for chosen in itertools.combinations(range(place + 1), len(up)):
                if len({*chosen} & {*up}) == len(up) - 1:
                    found.append(self.architecture(operations, (*parents[:place], chosen, *parents[place + 1 :])))
        return found

    def random(self, rng: np.random.Generator) -> Architecture:
        parents = tuple(
            tuple(sorted(int(i) for i in rng.choice(n, p, replace=False)))
            for n, p in enumerate(self.parent_counts, start=1)
        )
        return self.architecture([int(i) for i in rng.integers(0, 3, len(self.parent_counts) - 1)], parents)


class NASBench1Shot1S1(NASBench1Shot1):
    """Four choice blocks; nodes 3 and 4 choose two parents, the output two; node 2's parents are fixed."""

    name = "nasbench1shot1.s1"
    parent_counts = (1, 2, 2, 2, 2)
    distinct = 2_685


class NASBench1Shot1S2(NASBench1Shot1):
    """Four choice blocks; node 2 chooses one parent, nodes 3 and 4 two, the output three."""

    name = "nasbench1shot1.s2"
    parent_counts = (1, 1, 2, 2, 3)
    distinct = 7_773


class NASBench1Shot1S3(NASBench1Shot1):
    """Five choice blocks; nodes 2 and 3 choose one parent, nodes 4 and 5 two, the output two."""

    name = "nasbench1shot1.s3"
    parent_counts = (1, 1, 1, 2, 2, 2)
    distinct = 55_854
