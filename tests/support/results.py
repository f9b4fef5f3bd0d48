"""Results that nobody computed: of given cells, and of given errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from harness.results.endpoints import Endpoints
from harness.results.frames import stack_tables
from harness.results.index import Read
from harness.results.runs import Runs
from harness.runs.apart import collect_settings
from harness.runs.execute import Planned
from harness.runs.preregistration import DECLARED, Declared
from harness.tables.catalog import open_table
from harness.tables.measure import Measure
from harness.tables.table import Table

TABLE = open_table("nasbench201.digits")


def made_up(ranks: dict[str, list[list[int]]], seconds: float = 1.0) -> Runs:
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
    return Runs(pd.DataFrame(epochs), pd.DataFrame(lookups), pd.DataFrame(timing), TABLE)


def of_errors(runs: Mapping[str, Mapping[int, Sequence[float]]]) -> Runs:
    """Results without a table, of runs that have these errors (%) after each epoch: {method: {seed: errors}}."""
    epochs, timing = [], []
    for method, seeds in runs.items():
        for seed, errors in seeds.items():
            for epoch, error in enumerate(errors):
                place = {"method": method, "seed": seed, "epoch": epoch}
                told = {"train_loss": 1.0, "search_valid_loss": 1.0, "alphas": [error], "architecture": f"{error}"}
                epochs.append(place | told | {"supernet_accuracy_pct": 100.0 - error})
                timing.append(place | {"wall_s": float(epoch)})
    return Runs(pd.DataFrame(epochs), pd.DataFrame(), pd.DataFrame(timing), None)


def finished(runs: Runs, declared: Declared | None = None, standing: str = DECLARED) -> Runs:
    """The same as if it had been read."""
    return replace(runs, name="made-up", declared=declared or Declared(), standing=standing)


def end(runs: Runs, declared: Declared, measure: Measure | None = None) -> Endpoints:
    """What they end at, compared as is declared here."""
    return replace(runs, declared=declared).endpoints(measure)


def read_finished(planned: Sequence[Planned], table: Table | None) -> Runs:
    """Those of the runs that are finished, without their study."""
    done = [p for p in planned if p.finished]
    reads = [Read(p.folder, p.folder.manifest(), p.run.method_name, p.run.number) for p in done]
    ids = {(p.run.method_name, p.run.number): p.run.id for p in done}
    settings = collect_settings(p.run for p in done)
    return Runs(**stack_tables(reads), table=table, space=planned[0].run.space, settings=settings, ids=ids)


def draw_ranks(rng: np.random.Generator, n: int, low: int, high: int) -> list[list[int]]:
    """Trajectories of four epochs of n runs."""
    return [[int(r) for r in rng.integers(low, high, 4)] for _ in range(n)]
