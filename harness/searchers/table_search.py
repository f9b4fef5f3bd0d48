"""Searches that train nothing: they ask the table for validation accuracies, one evaluation after another."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import Field

from harness.errors import HarnessError
from harness.registry import Plugin
from harness.spaces.base import Architecture, Space
from harness.streams import Streams, derive_seed
from harness.tables.table import Table

Scored = tuple[Architecture, float]
"""An architecture and its validation accuracy in %."""


class TableSearcher(Plugin):
    """The incumbent is the best so far by the table's validation, never by its test.

    evaluations_per_epoch: architectures asked for in each epoch of the trajectory; one is asked for in epoch 0.
    """

    evaluations_per_epoch: int = Field(1, ge=1)

    def start(self, space: Space, table: Table, streams: Streams) -> TableSearch:
        if table.validation is None:
            raise HarnessError(
                f"{self.name} chooses by validation accuracy, and table {table.name!r} declares none: "
                "add the table with --validation"
            )
        return TableSearch(self, space, table, derive_seed(streams.seed, "candidates"))

    @abstractmethod
    def propose(self, search: TableSearch) -> Architecture:
        """The next architecture to ask for; draws from `search.rng` alone."""

    def learn(self, search: TableSearch, scored: Scored) -> None:
        """Keep in `search.memory` what later proposals need."""


class TableSearch:
    """A search in progress: the incumbent, the generator, and the searcher's memory (lists of scored architectures)."""

    def __init__(self, searcher: TableSearcher, space: Space, table: Table, seed: int) -> None:
        assert table.validation is not None
        self.validation = table.validation
        self.searcher, self.space, self.table = searcher, space, table
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.memory: dict[str, list[Scored]] = {}
        self.incumbent, self.score = self._ask()

    def _ask(self) -> Scored:
        candidate = self.searcher.propose(self)
        scored = candidate, float(self.table.lookup(candidate, *self.validation))
        self.searcher.learn(self, scored)
        return scored

    def train_epoch(self, epoch: int, on_step: Callable[[], None]) -> dict[str, float]:
        for _ in range(self.searcher.evaluations_per_epoch):
            candidate, score = self._ask()
            # a missing validation value (NaN) never replaces the incumbent, and never stays one
            if score > self.score or np.isnan(self.score):
                self.incumbent, self.score = candidate, score
            on_step()
        return {"train_loss": float("nan")}

    def evaluate(self) -> dict[str, float]:
        return {"search_valid_loss": float("nan"), "supernet_accuracy_pct": float("nan")}

    def derive(self) -> Architecture:
        return self.incumbent

    def state_dict(self) -> dict[str, Any]:
        return {
            "incumbent": self.incumbent.encoding,
            "score": self.score,
            # text, because the generator's 128-bit integers fit no tensor
            "rng": json.dumps(self.rng.bit_generator.state),
            "memory": {name: [(a.encoding, s) for a, s in kept] for name, kept in self.memory.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.incumbent, self.score = self.space.parse(state["incumbent"]), state["score"]
        self.rng.bit_generator.state = json.loads(state["rng"])
        self.memory = {name: [(self.space.parse(e), s) for e, s in kept] for name, kept in state["memory"].items()}
