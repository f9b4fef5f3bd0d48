"""Results that nobody computed: of given cells, and of given errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from harness.results.frames import Results
from harness.results.load import Finished
from harness.runs.preregistration import DECLARED, Declared
from harness.tables.catalog import open_table

TABLE = open_table("nasbench201.digits")


def made_up(ranks: dict[str, list[list[int]]], seconds: float = 1.0) -> Results:
    """Results of runs that derive, epoch by epoch, the architectures of these ranks in the table (0: the best)."""
    order = np.argsort(-TABLE.row_values(TABLE.test), kind="stable")
    epochs, lookups, timing = [], [], []
    for method, runs in ranks.items():
        for seed, trajectory in enumerate(runs):
            for epoch, rank in enumerate(trajectory):
                place = {"method": method, "seed": seed, "epoch": epoch}
                architecture = TABLE.space.parse(TABLE.encoding(int(order[rank])))
                counts = {f"count_{o}": architecture.operations.count(o) for o in TABLE.space.operations}
                losses = {"train_loss": 1 / (epoch + 1), "search_valid_loss": 1.0, "alphas": [float(rank)] * 30}
                accuracy = {"supernet_accuracy_pct": float(100 - rank % 97)}
                epochs.append(place | losses | accuracy | counts | {"architecture": architecture.encoding})
                for column, value in TABLE.all_values(architecture):
                    told = {"dataset": column.dataset, "split": column.split, "table_epochs": column.epochs}
                    lookups.append(place | told | {"trial": str(column.trial), "accuracy_pct": value})
                timing.append(place | {"wall_s": seconds * epoch})
    return Results(pd.DataFrame(epochs), pd.DataFrame(lookups), pd.DataFrame(timing), TABLE)


def of_errors(runs: Mapping[str, Mapping[int, Sequence[float]]]) -> Results:
    """Results without a table, of runs that have these errors (%) after each epoch: {method: {seed: errors}}."""
    epochs, timing = [], []
    for method, seeds in runs.items():
        for seed, errors in seeds.items():
            for epoch, error in enumerate(errors):
                place = {"method": method, "seed": seed, "epoch": epoch}
                told = {"train_loss": 1.0, "search_valid_loss": 1.0, "alphas": [error], "architecture": f"{error}"}
                epochs.append(place | told | {"supernet_accuracy_pct": 100.0 - error})
                timing.append(place | {"wall_s": float(epoch)})
    return Results(pd.DataFrame(epochs), pd.DataFrame(), pd.DataFrame(timing), None)


def finished(results: Results, declared: Declared | None = None, standing: str = DECLARED) -> Finished:
    """The same as if it had been read."""
    return Finished("made-up", Path(), results, 0, declared or Declared(), standing, Path(), [])


def draw_ranks(rng: np.random.Generator, n: int, low: int, high: int) -> list[list[int]]:
    """Trajectories of four epochs of n runs."""
    return [[int(r) for r in rng.integers(low, high, 4)] for _ in range(n)]
