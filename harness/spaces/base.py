"""What every search space offers: from architecture logits to an architecture that a table can be asked about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError

Rows = Sequence[NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class Architecture:
    """A discrete architecture.

    encoding: the space's readable string, exact (parsing it gives this architecture back).
    key: what a benchmark table files it under (NAS-Bench-201: the string; NAS-Bench-101: the module hash).
    operations: the operation of every choice, in the space's order.
    """

    encoding: str
    key: str
    operations: tuple[str, ...]


class Space(ABC):
    """A search space. `alpha_shapes` are the shapes of the architecture tensors, one row a choice."""

    name: ClassVar[str] = ""
    source: ClassVar[str]
    operations: ClassVar[tuple[str, ...]]
    alpha_shapes: ClassVar[tuple[tuple[int, int], ...]]
    picks: ClassVar[tuple[int, ...]]
    """How many of its options a row of each architecture tensor takes: one operation, or several parents."""
    size: ClassVar[int]
    """Number of encodings that `enumerate` yields."""
    distinct: ClassVar[int]
    """Number of different canonical keys among them."""
    stack: ClassVar[str] = ""
    """Import path, "module:Class", of the `StackedNetworks` that train this space's architectures for a table."""
    recipe: ClassVar[dict[str, Any]] = {}
    """Fields of `tables.recipe.Recipe` that differ for this space."""

    @abstractmethod
    def derive(self, alphas: Rows) -> Architecture:
        """The architecture of the largest entries (logits or weights alike); ties go to the lower index."""

    @abstractmethod
    def parse(self, encoding: str) -> Architecture:
        """The architecture of a string; an error says which part is wrong."""

    @abstractmethod
    def mix(self, architecture: Architecture) -> list[NDArray[np.float64]]:
        """The architecture as mixing weights: one at what it takes, zero elsewhere; shapes as `alpha_shapes`."""

    @abstractmethod
    def graph(self, architecture: Architecture) -> list[tuple[int, int, str]]:
        """The cell to be drawn: edges (source, target, operation), nodes counted from the input, 0, to the output; an
        operation on a node is an edge from it to itself, and edges then have none ("")."""

    @abstractmethod
    def enumerate(self) -> Iterator[Architecture]:
        """Every encoding of the space, once, in a fixed order."""

    @abstractmethod
    def canonical_key(self, architecture: Architecture) -> str:
        """Equal for two encodings exactly when they are the same cell (the space says in which sense)."""

    @abstractmethod
    def distinct_architectures(self) -> dict[str, Architecture]:
        """One architecture of every canonical key."""

    @abstractmethod
    def random(self, rng: np.random.Generator) -> Architecture:
        """One encoding drawn uniformly."""

    @abstractmethod
    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        """The architectures that differ in one choice, in a fixed order."""

    def check_shapes(self, alphas: Rows) -> list[NDArray[np.floating[Any]]]:
        """The architecture tensors as arrays of the space's shapes, all finite."""
        arrays = [np.asarray(a) for a in alphas]
        shapes = tuple(a.shape for a in arrays)
        if shapes != self.alpha_shapes:
            raise HarnessError(f"{self.name} takes architecture tensors of shapes {self.alpha_shapes}, not {shapes}")
        if not all(np.isfinite(a).all() for a in arrays):
            raise HarnessError(f"the architecture tensors of {self.name} hold NaN or infinity: the search diverged")
        return arrays
