"""Searches that train nothing: they ask the table for validation accuracies, one evaluation after another, and pay on
the table's simulated clock."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.registry import Plugin
from harness.core.streams import Streams
from harness.spaces.base import Architecture, Space
from harness.tables.measure import Measure
from harness.tables.table import Table

Scored = tuple[Architecture, float]
"""An architecture and its validation accuracy in %."""


class TableSearcher(Plugin):
    """The incumbent is the best so far by the table's validation, never by its test."""

    later: ClassVar[tuple[str, ...]] = ("overruns",)
    evaluations_per_epoch: int = Field(1, ge=1)
    """Architectures asked for in each epoch of the trajectory; one is asked for in epoch 0."""
    schedule: int | None = Field(None, ge=1)
    """Epochs of the schedule that is asked (NAS-Bench-201: 12), where it is not that of the table's validation."""
    budget_s: float | None = Field(None, gt=0)
    """Simulated seconds, and epochs of training, that the search may spend; an evaluation that would end later is not
    made, and the search is over. The literature's: 12,000 s (NAS-Bench-201); 20,000, 40,000 and 120,000 s (NATS-Bench
    on CIFAR-10, CIFAR-100, ImageNet16-120)."""
    budget_epochs: int | None = Field(None, ge=1)
    """Simulated seconds, and epochs of training, that the search may spend; an evaluation that would end later is not
    made, and the search is over. The literature's: 12,000 s (NAS-Bench-201); 20,000, 40,000 and 120,000 s (NATS-Bench
    on CIFAR-10, CIFAR-100, ImageNet16-120)."""
    overruns: bool = False
    """The evaluation that reaches the budget, or passes it, is still made, as in NATS-Bench's scripts."""

    def start(self, space: Space, table: Table, streams: Streams) -> TableSearch:
        if table.validation is None:
            raise HarnessError(
                f"{self.name} chooses by validation accuracy, and table {table.name!r} declares none: "
                "add the table with --validation"
            )
        generator = np.random.Generator(np.random.PCG64(streams.derived("candidates")))
        return TableSearch(self, space, table, generator)

    @abstractmethod
    def propose(self, search: TableSearch) -> Architecture:
        """The next architecture to ask for; draws from `search.rng` alone."""

    def next(self, search: TableSearch) -> tuple[Architecture, int]:
        """What to ask for next: an architecture, and after how many epochs of its training."""
        return self.propose(search), search.measure.epochs

    def learn(self, search: TableSearch, scored: Scored, at: int) -> None:
        """Keep in `search.memory` or `search.numbers` what later proposals need. at: the epoch asked for."""


class TableSearch:
    """A search in progress: the incumbent, the generator, what was spent, and the searcher's memory.

    memory: lists of scored architectures; numbers: plain numbers and lists of them. measure: what is asked for.
    """

    def __init__(self, searcher: TableSearcher, space: Space, table: Table, rng: np.random.Generator) -> None:
        assert table.validation is not None
        self.searcher, self.space, self.table = searcher, space, table
        self.measure = table.validation
        if searcher.schedule is not None:
            self.measure = Measure(*self.measure[:2], searcher.schedule)
            table.trials(self.measure)  # refuses, with what there is, a schedule that the table does not have
        self.timed = table.timed(self.measure)
        if searcher.budget_s is not None and not self.timed:
            raise HarnessError(
                f"table {table.name!r} has no seconds of {self.measure}: {searcher.name} can be given budget_epochs "
                "there, not budget_s"
            )
        self.rng = rng
        self.memory: dict[str, list[Scored]] = {}
        self.numbers: dict[str, Any] = {}
        self._seconds, self.spent_epochs = 0.0, 0
        self.over = False
        self.incumbent: Architecture | None = None
        self.score, self.reached = float("nan"), 0
        self._ask()
        if self.incumbent is None:
            raise HarnessError(f"the budget of {searcher.name} does not pay for a single evaluation: raise it")

    @property
    def spent_s(self) -> float:
        """Simulated seconds so far; NaN where the table has none."""
        return self._seconds if self.timed else float("nan")

    def _ask(self) -> None:
        """Make the next evaluation, if the budget pays for it."""
        if self.searcher.overruns and self._spent(0.0, 0, reached=True):
            self.over = True
            return
        candidate, at = self.searcher.next(self)
        known = self.table.holds(candidate)  # a table of a part of its space has no value of the rest, and no seconds
        cost = self.table.training_seconds(candidate, self.measure, at=at) if self.timed and known else 0.0
        self.over = not self.searcher.overruns and self._spent(cost, at, reached=False)
        if self.over:
            return
        self._seconds += cost
        self.spent_epochs += at
        scored = candidate, float(self.table.lookup(candidate, self.measure, at=at)) if known else float("nan")
        self.searcher.learn(self, scored, at)
        # judged by the longest training; a missing value (NaN) never replaces the incumbent, and never stays one
        if at > self.reached or (at == self.reached and (scored[1] > self.score or np.isnan(self.score))):
            (self.incumbent, self.score), self.reached = scored, at

    def _spent(self, seconds: float, epochs: int, *, reached: bool) -> bool:
        """Whether so much more passes a budget, or, where that is asked, reaches it."""
        own = self.searcher
        pairs = ((self._seconds + seconds, own.budget_s), (self.spent_epochs + epochs, own.budget_epochs))
        return any(b is not None and (spent >= b if reached else spent > b) for spent, b in pairs)

    def train_epoch(self, epoch: int, on_step: Callable[[], None]) -> dict[str, float]:
        for _ in range(self.searcher.evaluations_per_epoch):
            if not self.over:
                self._ask()
            on_step()
        return {"train_loss": float("nan")}

    def evaluated_columns(self) -> tuple[str, ...]:
        return "search_valid_loss", "supernet_accuracy_pct"

    def evaluate(self, count: int | None = None) -> dict[str, float]:
        return dict.fromkeys(self.evaluated_columns(), float("nan"))

    def derive(self) -> Architecture:
        assert self.incumbent is not None
        return self.incumbent

    def select(self) -> Architecture:
        return self.derive()

    def state_dict(self) -> dict[str, Any]:
        return {
            "incumbent": self.derive().encoding,
            "score": self.score,
            "reached": self.reached,
            "spent": (self._seconds, self.spent_epochs),
            "over": self.over,
            # text, because the generator's 128-bit integers fit no tensor
            "rng": json.dumps(self.rng.bit_generator.state),
            "memory": {name: [(a.encoding, s) for a, s in kept] for name, kept in self.memory.items()},
            "numbers": self.numbers,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.incumbent, self.score = self.space.parse(state["incumbent"]), state["score"]
        self.reached, self.over, self.numbers = state["reached"], state["over"], state["numbers"]
        self._seconds, self.spent_epochs = state["spent"]
        self.rng.bit_generator.state = json.loads(state["rng"])
        self.memory = {name: [(self.space.parse(e), s) for e, s in kept] for name, kept in state["memory"].items()}
