"""A search space with its network: three edges between three nodes, one of three operations on each."""

import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from harness.core.errors import HarnessError, suggest_names
from harness.spaces.base import Architecture, Choices, Enumerable, Networks

OPERATIONS = ("zero", "identity", "convolution")
EDGES = ((0, 1), (0, 2), (1, 2))


class Triangle(Enumerable):
    """Node 0 is the input, node 2 the output; a node sums its edges. Written zero/identity/convolution."""

    name = "triangle"
    source = "an example"
    operations = OPERATIONS
    parameter_free = ("zero", "identity")
    zero, skip = "zero", "identity"
    short: ClassVar = {"convolution": "conv"}
    tensors = (Choices("operations", (OPERATIONS,) * 3, ("1<-0", "2<-0", "2<-1")),)
    default_cells = 2
    size = distinct = 27

    def networks(self) -> Networks:
        return Networks(triangle_network)

    def derive(self, alphas: Any) -> Architecture:
        (rows,) = self.check_shapes(alphas)
        return architecture(OPERATIONS[i] for i in rows.argmax(axis=1))

    def parse(self, encoding: str) -> Architecture:
        names = encoding.split("/")
        for name in names:
            if name not in OPERATIONS:
                raise HarnessError(f"triangle has no operation {name!r}: {suggest_names(name, OPERATIONS)}")
        if len(names) != len(EDGES):
            raise HarnessError(
                f"{encoding!r} is no triangle: write three operations, such as zero/identity/convolution"
            )
        return architecture(names)

    def mix(self, architecture: Architecture) -> list[Any]:
        return [np.eye(3)[[OPERATIONS.index(name) for name in architecture.operations]]]

    def graph(self, architecture: Architecture) -> list[tuple[int, int, str]]:
        return [(*edge, name) for edge, name in zip(EDGES, architecture.operations, strict=True)]

    def canonical_key(self, architecture: Architecture) -> str:
        return architecture.key

    def enumerate(self) -> Iterator[Architecture]:
        return (architecture(names) for names in itertools.product(OPERATIONS, repeat=3))

    def distinct_architectures(self) -> dict[str, Architecture]:
        return {a.key: a for a in self.enumerate()}

    def random(self, rng: np.random.Generator) -> Architecture:
        return architecture(OPERATIONS[i] for i in rng.integers(0, 3, 3))

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        names = architecture.operations
        return [
            self.parse("/".join((*names[:edge], other, *names[edge + 1 :])))
            for edge in range(3)
            for other in OPERATIONS
            if other != names[edge]
        ]


def architecture(names: Any) -> Architecture:
    chosen = tuple(names)
    return Architecture("/".join(chosen), "/".join(chosen), chosen)


def triangle_network(**sizes: Any) -> Any:
    """The one-shot network; torch is imported only when one is built."""
    from torch import nn

    from harness.spaces.blocks.supernet import MixedOperation, ReluConvBn, Supernet

    class Edge(MixedOperation):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.convolution = ReluConvBn(channels, channels, 3)

        def forward(self, x: Any, weights: Any) -> Any:
            return weights[1] * x + weights[2] * self.convolution(x)

    class Network(Supernet):
        """`cells` triangles of `channels` channels."""

        def __init__(
            self, *, channels: int, cells: int, classes: int, image_channels: int, partial_channels: int = 1
        ) -> None:
            super().__init__()
            self.mixed_cells, self.partial_channels = cells, partial_channels
            self.stem = nn.Sequential(
                nn.Conv2d(image_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
            )
            inside = channels // partial_channels
            self.cells = nn.ModuleList(nn.ModuleList(Edge(inside) for _ in EDGES) for _ in range(cells))
            self.classifier = nn.Linear(channels, classes)

        def forward(self, x: Any, mix: Any) -> Any:
            x = self.stem(x)
            for edges, rows in zip(self.cells, self.of_cells(mix[0]), strict=True):
                first = self.around(edges[0], x, rows[0])
                x = self.around(edges[1], x, rows[1]) + self.around(edges[2], first, rows[2])
            return self.classifier(x.relu().mean((2, 3)))

    return Network(**sizes)
