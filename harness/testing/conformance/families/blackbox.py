"""Searches that ask a table alone: what they ask for, of recorded draws and answers, and how they learn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.search.methods import Method, build_method
from harness.search.searchers.hyperband import Hyperband
from harness.search.searchers.table_search import TableSearch
from harness.spaces.base import Space
from harness.tables.measure import Measure
from harness.testing.conformance.families.derivation import find_recorded_space
from harness.testing.conformance.records import Found, QuantityCheck, Record

EVOLUTION = "regularized-evolution"
RUN = ("actions", "log_prob", "reward", "total_cost", "baseline", "alpha_after", "hyper", "best_step", "init/alpha/0")
MEASURE = Measure("recorded", "x-valid", 1)


class Answers:
    """A table of the recorded answers, in the order in which they were given: accuracies in %, costs in seconds."""

    validation, name = MEASURE, "recorded"

    def __init__(self, accuracies: Sequence[float], costs: Sequence[float]) -> None:
        self.accuracies, self.costs, self.asked = list(accuracies), list(costs), list[str]()

    def holds(self, what: Any) -> bool:
        return True

    def timed(self, measure: Measure) -> bool:
        return True

    def training_seconds(self, what: Any, measure: Measure, *, at: int) -> float:
        return self.costs[len(self.asked)]

    def lookup(self, what: Any, measure: Measure, *, at: int) -> float:
        self.asked.append(what.encoding)
        return self.accuracies[len(self.asked) - 1]


class RecordedDraws:
    """A generator that hands out recorded numbers, each from a range of the size that was drawn from."""

    def __init__(self, draws: Sequence[Sequence[Any]]) -> None:
        # a choice has its length and the place chosen, an integer its bounds, both inclusive
        self.left = [(d[1], d[2]) if d[0] == "choice" else (d[2] - d[1] + 1, d[3] - d[1]) for d in draws][::-1]

    def integers(self, low: int, high: int | None = None, size: int | None = None) -> Any:
        if size is not None:
            return np.array([self.integers(low, high) for _ in range(size)])
        count, place = self.left.pop()
        if count != (low if high is None else high - low):
            raise ValueError(f"one of {low} to {high} is drawn where the record has one of {count}")
        return place + (0 if high is None else low)


class Actions:
    """A generator that makes a policy begin at recorded logits and take recorded actions [draws, choices]."""

    def __init__(self, actions: NDArray[np.int64], logits: NDArray[np.float64], spread: float) -> None:
        self.left, self.normal = iter(actions), logits.ravel() / spread

    def standard_normal(self, size: int) -> Any:
        return self.normal[:size]

    def gumbel(self, size: tuple[int, int]) -> Any:
        return 1e9 * np.eye(size[1])[next(self.left)]


def can_replay(record: Record) -> bool:
    return find_replay(record) is not None


def find_replay(record: Record) -> Any:
    """What replays the record."""
    if record.has("run0/actions"):
        return replay_policy
    content = record.content if isinstance(record.content, dict) else {}
    first = next(iter(content.get("runs") or content.get("cases") or [{}]))
    if not isinstance(first, dict):
        return None
    return replay_evolution if "draws" in first else replay_brackets if "max_SH_iter" in first else None


def replay(record: Record) -> Iterator[QuantityCheck]:
    found = Found(record)
    find_replay(record)(record, found)
    yield from found.checks()


def run_table_search(
    space: Space, chosen: Method, answers: Answers, rng: Any, look: Any = lambda search: None
) -> TableSearch:
    """A search until its budget is spent; `look` at it after each evaluation."""
    table: Any = answers
    search = TableSearch(chosen.searcher, space, table, rng)
    look(search)
    while not search.over:
        before = len(answers.asked)
        search.train_epoch(0, lambda: None)
        if len(answers.asked) > before:
            look(search)
    return search


def replay_evolution(record: Record, found: Found) -> None:
    """Architectures are recorded by the operation of each edge."""
    space = find_recorded_space("nasbench201", record)
    choices = np.eye(len(record.meta["ops"]))
    for run in record.content["runs"]:
        told = run["evaluated"]
        fields = {"population": run["population"], "sample": run["sample_size"], "budget_s": run["time_budget"]}
        chosen = build_method(EVOLUTION, "official").override({EVOLUTION: fields})
        answers = Answers([e["accuracy"] for e in told], [e["cost"] for e in told])
        best: list[str] = []
        draws: Any = RecordedDraws(run["draws"])
        run_table_search(space, chosen, answers, draws, lambda s, best=best: best.append(s.incumbent.encoding))
        names = [space.derive([choices[e["arch"]]]).encoding for e in told]
        found.exactly("architectures asked for", answers.asked == names and not draws.left)
        numbers = [[*np.base_repr(number, len(choices)).zfill(len(told[0]["arch"]))] for number in run["best_so_far"]]
        found.exactly("best so far", best == [space.derive([choices[[int(d) for d in n]]]).encoding for n in numbers])


def replay_policy(record: Record, found: Found) -> None:
    for number in range(record.meta["runs"]):
        kept = {key: record.arrays[f"run{number}/{key}"] for key in RUN}
        hyper, space = json.loads(str(kept["hyper"])), find_recorded_space(record.meta["space"], record)
        fields = {"rate": hyper["lr"], "decay": hyper["ema_momentum"], "budget_s": hyper["time_budget"]}
        chosen = build_method(record.meta["method"], "official").override({record.meta["method"]: fields})
        costs = np.diff(kept["total_cost"], prepend=0.0)
        answers = Answers(kept["reward"], costs)
        logits, steps = [kept["init/alpha/0"]], list[float]()

        def look(search: TableSearch, logits: Any = logits, steps: Any = steps) -> None:
            own = search.numbers
            steps.append(own["baseline"][0] / own["baseline"][1])
            logits.append(np.array(own["logits"]).reshape(logits[0].shape))

        rng = Actions(kept["actions"], logits[0], chosen.searcher.initial)
        search = run_table_search(space, chosen, answers, rng, look)
        found.add("baselines", np.array(steps), kept["baseline"])
        found.add("alpha after each step", np.array(logits[1:]), kept["alpha_after"])
        logs = np.array(logits[:-1]) - np.log(np.exp(logits[:-1]).sum(axis=-1, keepdims=True))
        taken = np.take_along_axis(logs, kept["actions"][..., None], axis=-1)[..., 0]
        found.add("log probabilities", taken, kept["log_prob"])
        best = answers.asked[int(kept["best_step"])]
        found.exactly("best architecture", search.derive().encoding == best)


def replay_brackets(record: Record, found: Found) -> None:
    for case in record.content["cases"]:
        own = Hyperband(eta=case["eta"])
        budgets = own.budgets(case["min_budget"], case["max_budget"])
        found.add("budgets", np.array(budgets), case["all_budgets"])
        for number, told in enumerate(case["iterations"]):
            most = len(budgets) - 1
            sizes = own.sizes(most, most - number % len(budgets))
            found.exactly("sizes of the rungs", sizes == told["num_configs"])
            found.add("budgets of the rungs", np.array(budgets[-len(sizes) :]), told["budgets"])
