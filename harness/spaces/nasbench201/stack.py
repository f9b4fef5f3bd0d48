"""Stacks of NAS-Bench-201 cells.

Skeleton (Dong & Yang 2020, section 2.1, with one cell a stage and a stem of stride 2): conv3x3-BN stem, stages of C,
2C, 4C channels with a stride-2 residual block between them, BN-ReLU, global average pooling, a linear classifier. BN
inside the cells has no affine part, so that an operation maps zero to zero and equivalent cells are the same function.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.spaces.base import Architecture
from harness.spaces.blocks.stacked import STAGES, Gather, Scatter, StackedNetworks, build_pooling_matrix
from harness.spaces.nasbench201.cell import (
    CONV1,
    CONV3,
    EDGES,
    POOL,
    SKIP,
    Cell,
    canonicalize,
    keep_live_operations,
    list_distinct_cells,
    parse_cell,
)

KERNEL = {CONV1: 1, CONV3: 3}


class NASBench201Stack(StackedNetworks):
    """A spec is a cell, the representative of its canonical key; any cells fit into one stack."""

    skeleton = "NAS-Bench-201's skeleton with one cell a stage and a stem of stride 2"
    same = (
        "Cells are one when their outputs' expressions agree after zeros are propagated, skips contracted, and sums "
        "flattened and sorted; so a cell that uses one convolution twice shares the value of one with two convolutions "
        "of the same input, and strings of one cell have one value, where the real benchmark trained each."
    )

    @staticmethod
    def specify(architecture: Architecture) -> Cell:
        return _list_representatives()[canonicalize(parse_cell(architecture.encoding))]

    @staticmethod
    def group(specs: Sequence[Cell], size: int) -> list[list[Cell]]:
        cells = sorted(specs)  # neighbors share more operations
        return [cells[i : i + size] for i in range(0, len(cells), size)]

    def _build(self, specs: Sequence[Cell]) -> None:
        live = [keep_live_operations(cell) for cell in specs]
        # groups[edge][operation] = the networks that run it there
        self.groups: list[dict[int, list[int]]] = [
            {op: [n for n in range(self.count) if live[n][edge] == op] for op in (SKIP, CONV1, CONV3, POOL)}
            for edge in range(len(EDGES))
        ]
        for stage in range(STAGES):
            width = self.channels * 2**stage
            if stage:
                name = f"reduce{stage}"
                self._conv_bn(f"{name}.a", self.count, width // 2, width, 3)
                self._conv_bn(f"{name}.b", self.count, width, width, 3)
                self._conv(f"{name}.down", self.count, width // 2, width, 1)
            for edge, groups in enumerate(self.groups):
                for op, networks in groups.items():
                    if op in KERNEL and networks:
                        name = f"cell{stage}.{edge}.{op}"
                        self._conv_bn(name, len(networks), width, width, KERNEL[op], affine=False)
        self._bn("last", self.count, width)
        self._index = {
            (edge, op): torch.tensor(networks, device=self.device)
            for edge, groups in enumerate(self.groups)
            for op, networks in groups.items()
            if networks
        }

    def _pool(self, x: Tensor, kernel: int, stride: int) -> Tensor:
        return torch.matmul(build_pooling_matrix(*self._size, kernel, stride).to(x), x)

    def _operation(self, stage: int, edge: int, op: int, x: Tensor) -> Tensor:
        """x: [n, channels, pixels, batch], the n networks that have this operation on this edge."""
        if op == SKIP:
            return x
        if op == POOL:
            return self._pool(x, 3, 1)
        return self._apply_conv_bn(f"cell{stage}.{edge}.{op}", F.relu(x))

    def _sum(self, arrived: list[tuple[Tensor, Tensor]]) -> Tensor:
        total: Tensor = Scatter.apply(  # type: ignore[no-untyped-call]
            self.count, [index for index, _ in arrived], *(part for _, part in arrived)
        )
        return total

    def _cell(self, stage: int, x: Tensor) -> Tensor:
        nodes = [x]
        inbox: dict[int, list[tuple[Tensor, Tensor]]] = {1: [], 2: [], 3: []}
        for source in range(3):
            out = [
                (edge, target, op, self._index[edge, op])
                for edge, (start, target) in enumerate(EDGES)
                if start == source
                for op, networks in self.groups[edge].items()
                if networks
            ]
            if out:
                parts = Gather.apply(nodes[source], *(index for *_, index in out))  # type: ignore[no-untyped-call]
                for (edge, target, op, index), part in zip(out, parts, strict=True):
                    inbox[target].append((index, self._operation(stage, edge, op, part)))
            arrived = inbox[source + 1]
            if arrived:
                nodes.append(self._sum(arrived))
            else:
                nodes.append(torch.zeros_like(x))
        return nodes[3]

    def _stages(self, x: Tensor) -> Tensor:
        for stage in range(STAGES):
            if stage:
                name = f"reduce{stage}"
                y = self._apply_conv_bn(f"{name}.a", F.relu(x), stride=2)
                x = self._pool(x, 2, 2)
                self._shrink(2)
                y = self._apply_conv_bn(f"{name}.b", F.relu(y))
                x = y + self._apply_conv(f"{name}.down", x)
            x = self._cell(stage, x)
        return F.relu(self._apply_bn("last", x))


@cache
def _list_representatives() -> dict[str, Cell]:
    return list_distinct_cells()
