"""NAS-Bench-201's and NATS-Bench's files as their own packages read them, to hold a converted table against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, get_args

from harness.core.errors import HarnessError
from harness.tables.formats.base import HeldNumber
from harness.tables.measure import Quantity
from harness.tables.table import Table

SCHEDULES = {"12": 12, "200": 200}
"""Epochs of a schedule, by its name in the packages."""
SPLITS = {
    "cifar10-valid": {"train": "train", "valid": "x-valid", "test": "ori-test"},
    "cifar10": {"train": "train", "test": "ori-test"},
    "cifar100": {"train": "train", "valid": "x-valid", "test": "x-test", "valtest": "ori-test"},
    "ImageNet16-120": {"train": "train", "valid": "x-valid", "test": "x-test", "valtest": "ori-test"},
}
"""The table's name of each split, by what the packages' answers call it."""
COSTS = {"flops_M": "flops", "parameters_M": "params", "latency_s": "latency"}
"""The packages' names of costs, by the table's."""


def open_package(path: Path) -> Any:
    """The official API over a file or archive folder: nas-bench-201's of a .pth, nats_bench's of all else.

    Raises:
        HarnessError: the package is not installed, or cannot read the file.
    """
    try:
        if path.suffix == ".pth":
            import torch
            from nas_201_api import NASBench201API

            # nas-bench-201 2.1 loads the file itself as torch 2.6 and later do not any more: weights alone
            return NASBench201API(torch.load(path, map_location="cpu", weights_only=False), verbose=False)
        import nats_bench

        return nats_bench.create(str(path), "tss", fast_mode=path.is_dir(), verbose=False)
    except ModuleNotFoundError as error:
        raise HarnessError(f"{path.name} is read by the package {error.name}, which is not there: install it") from None
    except Exception as error:  # a package that reads what it is given can fail in any way
        said = " ".join(str(error).split())[:200]
        raise HarnessError(f"the official package cannot read {path} ({type(error).__name__}: {said})") from None


def hold_against_package(table: Table, path: Path, indices: Sequence[int]) -> Iterator[HeldNumber]:
    """Each number at the end of the trainings of these architectures: accuracies and losses of every data set, split
    and trial, their means, seconds, and costs; ours beside the package's."""
    api = open_package(path)
    for index in indices:
        for schedule, epochs in SCHEDULES.items():
            for dataset in SPLITS:
                where = f"architecture {index}, {dataset}, {epochs} epochs"
                for what, ours, theirs in hold_trainings(table, api, index, schedule, dataset):
                    yield HeldNumber(f"{where}, {what}", ours, float(theirs))


def hold_trainings(table: Table, api: Any, index: int, schedule: str, dataset: str) -> Iterator[tuple[str, float, Any]]:
    """What is compared of the trainings of one architecture on one data set by one schedule: name, ours, theirs."""
    epochs, quantities = SCHEDULES[schedule], get_args(Quantity)[:2]
    seeds = api.query_by_index(index, hp=schedule).get_dataset_seeds(dataset)
    for trial in [*seeds, "mean"]:
        told = api.get_more_info(index, dataset, hp=schedule, is_random=False if trial == "mean" else trial)
        for (theirs, split), quantity in product(SPLITS[dataset].items(), quantities):
            if told.get(f"{theirs}-{quantity}") is not None:
                ours = table.lookup(index, (dataset, split, epochs), trial, quantity=quantity)
                yield f"{split}, trial {trial}, {quantity}", ours, told[f"{theirs}-{quantity}"]
    costs, known = api.get_cost_info(index, dataset, hp=schedule), table.costs(index, dataset, epochs)
    yield (
        "seconds of training",
        table.lookup(index, (dataset, "train", epochs), quantity="seconds"),
        costs["T-train@total"],
    )
    for name, theirs in COSTS.items():
        if name in known:
            yield name, known[name], costs[theirs]
