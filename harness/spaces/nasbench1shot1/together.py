"""One-shot networks of NAS-Bench-1Shot1 side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.spaces.blocks.mix import Mix
from harness.spaces.blocks.supernet import Supernet
from harness.spaces.blocks.together import (
    Folds,
    Member,
    SideBySide,
    Weights,
    move_channels_back,
    move_channels_last,
    shape_per_channel,
    sum_weighted,
)
from harness.spaces.nasbench1shot1.fast import FastNASBench1Shot1Supernet

Layers = Callable[[str, Tensor], Tensor]
"""Convolution, batch norm and ReLU of an input, by the name of their module."""


class Rows(NamedTuple):
    """Mixing weights of a cell, a value a channel: of the operations of each node, [3, ...]; of the input and the
    nodes in the output, [2, ...]; of the candidates of each node that has a choice."""

    operations: Sequence[Tensor]
    output: Tensor
    parents: Mapping[int, Tensor]


class NASBench1Shot1SideBySide(SideBySide):
    """See the module."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__(members)
        self.nodes = len(self.first.cells[0].nodes)

    @classmethod
    def covers(cls, net: Supernet, x: Tensor, mix: Mix) -> bool:
        """See the base, and `NASBench201SideBySide`."""
        return isinstance(net, FastNASBench1Shot1Supernet) and min(x.shape[2:]) > 7 and super().covers(net, x, mix)

    def layers(self, x: Tensor, mix: Mix, weights: Weights) -> Tensor:
        def run(name: str, x: Tensor) -> Tensor:
            return F.relu(self.norm(self.convolve(x, weights[f"{name}.0.weight"]), f"{name}.1", weights))

        y = self.convolve(F.relu(self._cells(run("stem", x), mix, run)), weights["last.1.weight"])
        return self.classified(self.norm(y, "last.2", weights), weights)

    def frozen_layers(self, weights: Weights, norms: Folds) -> Callable[[Tensor], Callable[[Mix], Tensor]]:
        def folded(name: str, place: int) -> tuple[Tensor, Tensor]:
            factor, shift = norms[f"{name}.{place + 1}"]
            return weights[f"{name}.{place}.weight"] * factor.view(-1, 1, 1, 1), shape_per_channel(shift)

        names = [name.removesuffix(".1") for name in self.norm_names if name != "last.2"]
        kernels = {name: folded(name, 0) for name in names}
        last, shift = folded("last", 1)

        def run(name: str, x: Tensor) -> Tensor:
            kernel, bias = kernels[name]
            return F.relu(self.convolve(x, kernel) + bias)

        def logits(entering: Tensor, mix: Mix) -> Tensor:
            y = self.convolve(F.relu(self._cells(entering, mix, run)), last)
            return self.classified(y + shift, weights)

        return lambda x: partial(logits, run("stem", x))

    def _cells(self, x: Tensor, mix: Mix, run: Layers) -> Tensor:
        factors = self.auxiliary_factors(x)
        for index, cell in enumerate(self.first.cells):
            x = self.first.pool(x) if index in self.first.reductions else x
            x = self._cell(x, f"cells.{index}", self._rows(mix, cell.projections[0][0].out_channels), run, factors)
        return x

    def _rows(self, mix: Mix, width: int) -> Rows:
        """The mixing weights of a cell of a width."""
        operations, output, *rows = mix
        inside = self.wide(operations, width // self.first.partial_channels)
        whole = self.wide(output[:, 0, 0], width * self.nodes)
        # of each network, one node's channels after the other's
        states = self.wide(output[:, 0, 1:], width).view(self.nodes, self.count, width).transpose(0, 1).flatten()
        parents = {n: self.wide(row[:, 0], width) for n, row in zip(self.first.inner_nodes, rows, strict=True)}
        return Rows(inside.unbind(), torch.stack([whole, states]), parents)

    def _cell(
        self,
        x: Tensor,
        name: str,
        mix: Rows,
        run: Layers,
        factors: Tensor | None,
    ) -> Tensor:
        """As `ChoiceCell.forward`."""
        states: list[Tensor] = []
        for node in range(self.nodes):
            candidates = [run(f"{name}.projections.{node}", x), *states]
            if node + 1 in mix.parents:
                total = sum_weighted(mix.parents[node + 1], *candidates)
            else:
                total = sum(candidates[1:], candidates[0])
            inside, block = self.inside(total), f"{name}.nodes.{node}"
            pooled = F.max_pool2d(inside, 3, stride=1, padding=1)
            convolved = (run(f"{block}.{layers}", inside) for layers in ("conv3x3", "conv1x1"))
            states.append(self.beside(sum_weighted(mix.operations[node], pooled, *convolved), total, factors))
        rest = run(f"{name}.projections.{self.nodes}", x)
        kept = move_channels_back(torch.cat([move_channels_last(state, self.count, 1) for state in states], dim=-2))
        return sum_weighted(mix.output, rest, kept)
