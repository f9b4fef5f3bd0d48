"""Stacks of NAS-Bench-101 cells, as NAS-Bench-1Shot1 derives them.

Skeleton (Ying et al. 2019, section 2.1, with one cell a stage and a stem of stride 2): conv3x3-BN-ReLU stem, stages of
C, 2C, 4C channels with a max pooling of stride 2 between them, global average pooling, a linear classifier. A vertex
adds its inputs, those from the cell's input through a 1x1 projection; the output concatenates, so that the vertices
that feed it share its channels (the published rule for channel counts).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from harness.spaces.base import Architecture
from harness.spaces.blocks.stacked import STAGES, Gather, Scatter, StackedNetworks, pool_max
from harness.spaces.nasbench1shot1.nasbench101 import NB101_OPERATIONS, Matrix, decode, prune_cell

Cell = tuple[Matrix, tuple[int, ...]]
"""Adjacency matrix and, for each inner vertex, the index of its operation in `NB101_OPERATIONS`."""

CONV3, CONV1, POOL = range(3)
KERNEL = {CONV3: 3, CONV1: 1}


class NASBench101Stack(StackedNetworks):
    """A spec is the pruned cell, vertices in the smallest of their orders; one stack has one adjacency matrix."""

    skeleton = "NAS-Bench-101's skeleton with one cell a stage and a stem of stride 2"
    same = "Cells are one when NAS-Bench-101 files them under one module hash: isomorphic after pruning."

    @staticmethod
    def specify(architecture: Architecture) -> Cell:
        return find_smallest_order(*prune_cell(*decode(architecture.encoding)))

    @staticmethod
    def group(specs: Sequence[Cell], size: int) -> list[list[Cell]]:
        shapes: dict[Matrix, list[Cell]] = defaultdict(list)
        for cell in sorted(specs):
            shapes[cell[0]].append(cell)
        return [cells[i : i + size] for cells in shapes.values() for i in range(0, len(cells), size)]

    def _build(self, specs: Sequence[Cell]) -> None:
        from nasbench_pytorch.model.model import compute_vertex_channels

        (self.matrix,) = {matrix for matrix, _ in specs}
        self.vertices = range(1, len(self.matrix) - 1)
        # groups[vertex][operation] = the networks that run it there
        self.groups = {
            v: {op: [n for n, (_, ops) in enumerate(specs) if ops[v - 1] == op] for op in (CONV3, CONV1, POOL)}
            for v in self.vertices
        }
        self._index = {
            (v, op): torch.tensor(networks, device=self.device)
            for v, groups in self.groups.items()
            for op, networks in groups.items()
        }
        self.widths = []
        for stage in range(STAGES):
            width = self.channels * 2**stage
            cin = max(self.channels, width // 2)
            self.widths.append(compute_vertex_channels(cin, width, np.array(self.matrix)))
            for v, size in enumerate(self.widths[stage]):
                if self.matrix[0][v]:
                    self._conv_bn(f"cell{stage}.{v}.in", self.count, cin, size, 1)
            for v, groups in self.groups.items():
                size = self.widths[stage][v]
                for op, networks in groups.items():
                    if op in KERNEL and networks:
                        self._conv_bn(f"cell{stage}.{v}.{op}", len(networks), size, size, KERNEL[op])

    def _vertex(self, stage: int, v: int, x: Tensor) -> Tensor:
        """Every network's own operation at vertex v."""
        present = [op for op, networks in self.groups[v].items() if networks]
        indices = [self._index[v, op] for op in present]
        parts = Gather.apply(x, *indices)  # type: ignore[no-untyped-call]
        done = [
            pool_max(part, *self._size, 3, 1)
            if op == POOL
            else F.relu(self._apply_conv_bn(f"cell{stage}.{v}.{op}", part))
            for op, part in zip(present, parts, strict=True)
        ]
        out: Tensor = Scatter.apply(self.count, indices, *done)  # type: ignore[no-untyped-call]
        return out

    def _cell(self, stage: int, x: Tensor) -> Tensor:
        last = len(self.matrix) - 1
        nodes: dict[int, Tensor] = {}
        for v in self.vertices:
            size = self.widths[stage][v]
            inputs = [nodes[u][:, :size] for u in range(1, v) if self.matrix[u][v]]
            if self.matrix[0][v]:
                inputs.append(F.relu(self._apply_conv_bn(f"cell{stage}.{v}.in", x)))
            total = inputs[0]
            for more in inputs[1:]:
                total = total + more
            nodes[v] = self._vertex(stage, v, total)
        joined = [nodes[v] for v in self.vertices if self.matrix[v][last]]
        parts = [torch.cat(joined, dim=1)] if joined else []
        if self.matrix[0][last]:
            parts.append(F.relu(self._apply_conv_bn(f"cell{stage}.{last}.in", x)))
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    def _stages(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        for stage in range(STAGES):
            if stage:
                x = pool_max(x, *self._size, 2, 2)
                self._shrink(2)
            x = self._cell(stage, x)
        return x


def find_smallest_order(matrix: Matrix, operations: Sequence[str]) -> Cell:
    """The cell with its inner vertices in that topological order whose matrix and operations are smallest, so that
    isomorphic cells are trained as one and the same network."""
    labels = [NB101_OPERATIONS.index(op) for op in operations]
    size = len(matrix)
    found = []
    for inner in itertools.permutations(range(1, size - 1)):
        order = (0, *inner, size - 1)
        moved = tuple(tuple(matrix[a][b] for b in order) for a in order)
        if all(not moved[a][b] for a in range(size) for b in range(a + 1)):
            found.append((moved, tuple(labels[v - 1] for v in inner)))
    return min(found)
