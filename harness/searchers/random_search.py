"""Random search over a table: the floor that a differentiable search has to beat."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import Field

from harness.errors import HarnessError
from harness.registry import Plugin
from harness.spaces.base import Architecture, Space
from harness.streams import Streams, derive_seed
from harness.tables.table import Table


class RandomSearch(Plugin):
    """Draw architectures uniformly from the space; the incumbent is the best so far by the table's validation.

    evaluations_per_epoch: architectures drawn for each epoch of the trajectory; one is drawn for epoch 0. The
    incumbent is never chosen by test accuracy.
    """

    name = "random-search"
    evaluations_per_epoch: int = Field(1, ge=1)

    def start(self, space: Space, table: Table, streams: Streams) -> RandomSearchProcess:
        if table.validation is None:
            raise HarnessError(
                f"random-search chooses by validation accuracy, and table {table.name!r} declares none: "
                "add the table with --validation"
            )
        return RandomSearchProcess(self.evaluations_per_epoch, space, table, derive_seed(streams.seed, "candidates"))


class RandomSearchProcess:
    """The draws so far, and the incumbent."""

    def __init__(self, evaluations: int, space: Space, table: Table, seed: int) -> None:
        assert table.validation is not None
        self.validation = table.validation
        self.evaluations, self.space, self.table = evaluations, space, table
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.incumbent, self.score = self._draw()

    def _draw(self) -> tuple[Architecture, float]:
        architecture = self.space.random(self.rng)
        return architecture, float(self.table.lookup(architecture, *self.validation))

    def train_epoch(self, epoch: int, on_step: Callable[[], None]) -> dict[str, float]:
        for _ in range(self.evaluations):
            candidate, score = self._draw()
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
        # text, because the generator's 128-bit integers fit no tensor
        rng = json.dumps(self.rng.bit_generator.state)
        return {"incumbent": self.incumbent.encoding, "score": self.score, "rng": rng}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.incumbent, self.score = self.space.parse(state["incumbent"]), state["score"]
        self.rng.bit_generator.state = json.loads(state["rng"])
