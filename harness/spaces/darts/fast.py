"""The one-shot network of DARTS' spaces, computed fast: the same function of the same weights as the readable one.

All edges that leave a node read one tensor, so their ReLU and their poolings are computed once. Dilated convolutions
are computed where they are not dilated (see `depthwise.py`), up to the sum of a node's. The mixing weights of
convolutions are the scales of their batch norms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.spaces.blocks.fused import BatchNorms, Fast, average_pool, is_autocasting, make_channels_last
from harness.spaces.blocks.mix import Mix
from harness.spaces.blocks.saving import ConvolutionNorm
from harness.spaces.darts.depthwise import convolve_depthwise, put_together, take_apart
from harness.spaces.darts.genotype import EDGES, INPUTS, NODES
from harness.spaces.darts.operations import FactorizedReduction
from harness.spaces.darts.supernet import DARTSMixedCell, DARTSSupernet


class SharedNode:
    """A node that edges of one stride leave, and what they share. x: the channels of it that are mixed."""

    def __init__(self, x: Tensor, stride: int) -> None:
        self.x, self.stride = x, stride
        self.apart = stride == 1 and x.shape[2] % 2 == x.shape[3] % 2 == 0
        """Whether dilated convolutions are computed on the quarters of the image."""

    @cached_property
    def relu(self) -> Tensor:
        return F.relu(self.x)

    @cached_property
    def dilated(self) -> Tensor:
        """What dilated convolutions read."""
        if self.stride == 2:  # they skip every other pixel, and are not dilated on the rest
            return make_channels_last(self.relu[:, :, ::2, ::2])
        return take_apart(self.relu) if self.apart else self.relu

    @property
    def dilation(self) -> int:
        return 1 if self.stride == 2 or self.apart else 2

    @cached_property
    def max_pool(self) -> Tensor:
        return F.max_pool2d(self.x, 3, self.stride, 1)

    @cached_property
    def average_pool(self) -> Tensor:
        if self.stride == 1:
            return average_pool(self.x)
        return F.avg_pool2d(self.x, 3, 2, 1, count_include_pad=False)


@dataclass(frozen=True)
class Leaving:
    """An edge that leaves a node: its number, the node that it leads to, its operations by their names."""

    row: int
    target: int
    operations: tuple[tuple[str, nn.Module], ...]


class CellFan:
    """The edges that leave a node of a cell."""

    def __init__(self, cell: DARTSMixedCell, node: int) -> None:
        self.stride = 2 if cell.reduction and node < INPUTS else 1
        self.edges = [
            Leaving(row, target, tuple(zip(edge.names, edge.children(), strict=True)))
            for row, (edge, (source, target)) in enumerate(zip(cell.mixed_edges(), EDGES, strict=True))
            if source == node
        ]

    def norms_of(self, name: str) -> list[nn.BatchNorm2d]:
        """The batch norms behind a pooling, one an edge."""
        return [o[1] for edge in self.edges for n, o in edge.operations if n == name]  # type: ignore[index]


class Inbox:
    """What has come to a node so far. mixed: the mixed channels' sum, of which `quarters` is the part that is taken
    apart; beside: the other channels' sum; skips: that of auxiliary skips."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}

    def add(self, y: Tensor, to: str = "mixed") -> None:
        """y is the inbox's own from now on, unless it is beside: what comes later is written over it."""
        total = self.sums.get(to)
        if total is None:
            self.sums[to] = y
        else:
            shared = to == "beside" or total.dtype != y.dtype
            self.sums[to] = total + y if shared else total.add_(y)

    def add_scaled(self, x: Tensor, w: Tensor) -> None:
        """w x to the mixed channels, w a scalar."""
        if "mixed" not in self.sums:
            self.sums["mixed"] = x * w
            return
        total = self.sums["mixed"]
        self.sums["mixed"] = total.addcmul_(x, w) if total.dtype == x.dtype else torch.addcmul(total, x, w)

    def mixed(self) -> Tensor:
        if "quarters" in self.sums:
            self.add(put_together(self.sums.pop("quarters")))
        return self.sums["mixed"]


Leave = Callable[[CellFan, Tensor, Tensor, Sequence[Inbox], dict[int, Tensor]], None]
"""Sends what the edges of a node give to the inboxes of the nodes after it: of the node's mixed channels, the mixing
weights [14, operations], all inboxes, and the noise that edges have drawn."""


class FastDARTSSupernet(Fast, DARTSSupernet):
    """DARTS' one-shot network, computed as this module says."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.fans = [[CellFan(cell, node) for node in range(INPUTS + NODES - 1)] for cell in self.mixed()]

    def forward(self, x: Tensor, mix: Mix) -> Tensor:
        # drop-path drops the outputs of edges one by one, P-DARTS' dropout the pixels of skips
        drops = self.training and (self.path_dropout or self.skip_dropout)
        if self.reads or drops:
            return DARTSSupernet.forward(self, x, mix)
        norms = BatchNorms()
        x = make_channels_last(self.stem(make_channels_last(x)))

        def leave(fan: CellFan, y: Tensor, rows: Tensor, inboxes: Sequence[Inbox], noise: dict[int, Tensor]) -> None:
            apply_trained(fan, SharedNode(y, fan.stride), rows, inboxes, noise, norms=norms)

        x = self._through(x, mix, leave)
        norms.store()
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits

    def _through(self, x: Tensor, mix: Mix, leave: Leave) -> Tensor:
        rows = [iter(self.of_cells(tensor)) for tensor in mix]
        before = r = F.relu(x, inplace=True)
        for index, cell in enumerate(self.mixed()):
            inputs = [preprocess_input(cell.preprocess0, before), preprocess_input(cell.preprocess1, r)]
            y = self._cell(index, cell, inputs, next(rows[cell.reduction]), leave)
            if index < self.mixed_cells - 1:  # two cells read it, and both through ReLU
                before, r = r, F.relu(y, inplace=True)
        return y

    def _cell(self, index: int, cell: DARTSMixedCell, nodes: list[Tensor], rows: Tensor, leave: Leave) -> Tensor:
        inboxes = [Inbox() for _ in range(INPUTS + NODES)]
        noise = self._noise(cell, nodes[1])
        for node, fan in enumerate(self.fans[index]):
            if node >= INPUTS:
                nodes.append(self._received(inboxes[node]))
            leave(fan, self._inside(nodes[node]), rows, inboxes, noise)
            self._beside(index, fan, nodes[node], inboxes)
        nodes.append(self._received(inboxes[-1]))
        return torch.cat(nodes[INPUTS:], dim=1)

    def _noise(self, cell: DARTSMixedCell, x: Tensor) -> dict[int, Tensor]:
        """What the edges of a cell draw, by their numbers, in the order of the edges."""
        x = self._inside(x)[:, :, :: 1 + cell.reduction, :: 1 + cell.reduction]
        shape, dtype = x.shape, x.dtype
        noisy = [row for row, edge in enumerate(cell.mixed_edges()) if "noise" in edge.names]
        return {row: self.draw("noise", lambda g: torch.randn(shape, generator=g, dtype=dtype)) for row in noisy}

    def _inside(self, x: Tensor) -> Tensor:
        """The channels of a node that its edges mix."""
        return x.narrow(1, 0, x.shape[1] // self.partial_channels) if self.partial_channels > 1 else x

    def _beside(self, index: int, fan: CellFan, x: Tensor, inboxes: Sequence[Inbox]) -> None:
        """Send what is around the edges of a node: see `Supernet.around`."""
        if self.partial_channels > 1:
            inside = x.shape[1] // self.partial_channels
            rest = x.narrow(1, inside, x.shape[1] - inside)
            rest = F.max_pool2d(rest, 2) if fan.stride == 2 else rest
            for edge in fan.edges:
                inboxes[edge.target].add(rest, "beside")
        if self.auxiliary_skip:
            for edge in fan.edges:
                skip = self.auxiliary_of(index, edge.row)
                inboxes[edge.target].add(self.auxiliary_skip * skip(x), "skips")

    def _received(self, inbox: Inbox) -> Tensor:
        """The sum of what a node has received."""
        y = inbox.mixed()
        if self.partial_channels > 1:
            y = make_channels_last(self.shuffled(torch.cat([y, inbox.sums["beside"]], dim=1)))
        return y + inbox.sums["skips"] if self.auxiliary_skip else y


def preprocess_input(preprocessing: Any, r: Tensor) -> Tensor:
    """What a cell makes of an input, of whose ReLU r is the output."""
    if isinstance(preprocessing, FactorizedReduction):
        y: Tensor = preprocessing.bn(preprocessing.convolved(r))
        return y
    _, convolution, norm = preprocessing
    return norm(convolution(r))  # type: ignore[no-any-return]


def apply_trained(
    fan: CellFan,
    source: SharedNode,
    rows: Tensor,
    inboxes: Sequence[Inbox],
    noise: dict[int, Tensor],
    *,
    norms: BatchNorms,
) -> None:
    """`Leave` with the edges' weights, and batch norm in its own mode."""
    pools = {}
    for name, pooled in (("max_pool_3x3", "max_pool"), ("avg_pool_3x3", "average_pool")):
        if of_edges := fan.norms_of(name):
            pools[name] = norms.repeated(of_edges, getattr(source, pooled))
    for edge in fan.edges:
        inbox = inboxes[edge.target]
        for (name, operation), w in zip(edge.operations, rows[edge.row].unbind(), strict=True):
            if name in pools:
                inbox.add_scaled(next(pools[name]), w)
            elif name == "noise":
                inbox.add_scaled(noise[edge.row], w)
            elif isinstance(operation, nn.Identity):
                inbox.add_scaled(source.x, w)
            elif name == "skip_connect":
                inbox.add(apply_reduction(operation, source, w, norms))
            elif name.startswith("dil"):
                inbox.add(apply_dilated(operation, source, w, norms), "quarters" if source.apart else "mixed")
            elif name.startswith("sep"):
                inbox.add(apply_separable(operation, source, w, norms))
            elif name != "none":
                inbox.add_scaled(operation(source.x), w)


def make_scales(norm: nn.BatchNorm2d, w: Tensor) -> Tensor:
    """A scalar as a batch norm's scales. (PyTorch's gradients are wrong where they are an expanded tensor.)"""
    return w.repeat(norm.num_features)


def normalize_convolution(
    norm: nn.BatchNorm2d, x: Tensor, weight: Tensor, w: Tensor | None, norms: BatchNorms
) -> Tensor:
    """batch_norm(convolution(x)), 1x1, with the scales w. In train mode the convolution is computed again in the
    backward pass: its output is as large as its input, and takes little to compute."""
    if not norm.training or is_autocasting(x):
        return norms([norm], F.conv2d(x, weight), w, None)
    return ConvolutionNorm.apply(x, weight, w, norms.fresh([norm]), norm.eps)  # type: ignore[no-untyped-call, no-any-return]


def apply_reduction(operation: Any, source: SharedNode, w: Tensor, norms: BatchNorms) -> Tensor:
    """A skip connection that shrinks, times its mixing weight."""
    return norms([operation.bn], operation.convolved(source.relu), make_scales(operation.bn, w), None)


def apply_dilated(operation: Any, source: SharedNode, w: Tensor, norms: BatchNorms) -> Tensor:
    """A dilated convolution times its mixing weight, where `source` has dilated convolutions computed."""
    _, spatial, pointwise, norm = operation
    y = convolve_depthwise(source.dilated, spatial.weight, source.dilation)
    return normalize_convolution(norm, y, pointwise.weight, make_scales(norm, w), norms)


def apply_separable(operation: Any, source: SharedNode, w: Tensor, norms: BatchNorms) -> Tensor:
    """A separable convolution times its mixing weight."""
    _, spatial, pointwise, norm, _, again, pointwise_again, last = operation
    first = spatial(source.relu) if source.stride == 2 else convolve_depthwise(source.relu, spatial.weight)
    r = F.relu(normalize_convolution(norm, first, pointwise.weight, None, norms), inplace=True)
    return normalize_convolution(
        last, convolve_depthwise(r, again.weight), pointwise_again.weight, make_scales(last, w), norms
    )
