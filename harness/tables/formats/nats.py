"""One architecture's entry of NAS-Bench-201 and NATS-Bench (topology): every dataset, split, trial, epoch and cost.

The official files hold a state dict for each schedule ("12" and "200", or "less" and "full"): `all_results` maps
(dataset, seed) to one training. `cifar10-valid` was trained on the training half; `cifar10` on both halves. On
`cifar100` and `ImageNet16-120`, `ori-test` is the validation and the test images together.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.text import brief
from harness.spaces.nasbench201.cell import list_official_cells, to_string
from harness.tables.measure import Column, Cost, Measure, Role

SCHEDULES = ("01", "12", "90", "200", "less", "full")
VALIDATION = Measure("cifar10-valid", "x-valid", 200)
TEST = Measure("cifar10", "ori-test", 200)
ROLES: dict[str, Role] = {f"{d}/ori-test": "validation+test" for d in ("cifar100", "ImageNet16-120")}
MOST_EPOCHS = 200
LEGACY_TRIAL = 888
"""Where FLOPs or parameters differ between trials (an old error of the files), this trial's are right (nats_bench)."""

Finals = dict[tuple[str, Column], float]
Curves = dict[tuple[str, Column], NDArray[np.float32]]
Entry = tuple[int, Finals, Curves, dict[Cost, float]]
"""Official index; finals by (quantity, column); curves [epochs] likewise; costs."""


def is_entry(part: Any) -> bool:
    """Whether a dict is one architecture's entry: schedules, each with results."""
    return bool(part) and all(k in SCHEDULES and isinstance(v, Mapping) and "all_results" in v for k, v in part.items())


def read_entry(schedules: Mapping[str, Any]) -> Entry:
    """The numbers of one entry; an error says what is not as the format has it."""
    finals: Finals = {}
    curves: Curves = {}
    costs: dict[Cost, float] = {}
    index = -1
    for state in schedules.values():
        index = check_index(state)
        sizes: dict[tuple[str, int], dict[int, Any]] = defaultdict(dict)
        for (dataset, seed), result in state["all_results"].items():
            read_result(dataset, int(seed), result, finals, curves)
            sizes[dataset, int(result["epochs"])][int(seed)] = result
        for (dataset, epochs), results in sizes.items():
            costs |= {Cost(dataset, epochs, k): v for k, v in read_costs(results).items()}
    return index, finals, curves, costs


def check_index(state: Mapping[str, Any]) -> int:
    """The architecture's index, if the string that stands there is the official one."""
    index, text = int(state["arch_index"]), state["arch_str"]
    if not isinstance(text, str):
        raise HarnessError(f"its architecture {brief(index)} is no text, but {brief(text)}")
    if ":" in text:
        raise HarnessError(
            f"it holds {brief(text)}, of NATS-Bench's size space; only the topology space is a search space here"
        )
    cells = list_official_cells()
    if not 0 <= index < len(cells) or to_string(cells[index]) != text:
        raise HarnessError(
            f"architecture {brief(index)} of it is {brief(text)}, which is not the official one of that index"
        )
    return index


def read_result(dataset: str, trial: int, result: Mapping[str, Any], finals: Finals, curves: Curves) -> None:
    """Add one training's values: accuracy in %, loss in nats, seconds of training and of one evaluation."""
    epochs = int(result["epochs"])
    if not 1 <= epochs <= MOST_EPOCHS:
        raise HarnessError(f"trial {trial} of {brief(dataset)} says {brief(epochs)} epochs, and no training has those")

    def keep(quantity: str, split: str, values: Mapping[int, float]) -> None:
        column = Column(dataset, split, epochs, trial)
        if not (values and max(values) == epochs - 1 and min(values) >= 0):
            raise HarnessError(f"{column.measure}, trial {trial}, does not end with epoch {epochs}")
        last = float(values[epochs - 1])
        if quantity == "accuracy" and not all(0 <= v <= 100 for v in values.values()):
            raise HarnessError(f"{column.measure}, trial {trial}, has an accuracy outside 0..100 %")
        finals[quantity, column] = last
        if len(values) > 1:
            curve = np.full(epochs, np.nan, dtype=np.float32)
            curve[list(values)] = list(values.values())
            curves[quantity, column] = curve

    keep("accuracy", "train", result["train_acc1es"])
    keep("loss", "train", result["train_losses"])
    for quantity, field in (("accuracy", "eval_acc1es"), ("loss", "eval_losses")):
        for split, values in group_by_split(result[field]).items():
            keep(quantity, split, values)
    times = result["train_times"]
    if times and len(times) == epochs:
        finals["seconds", Column(dataset, "train", epochs, trial)] = sum(times.values())
    for split, values in group_by_split(result["eval_times"]).items():
        finals["seconds", Column(dataset, split, epochs, trial)] = sum(values.values()) / len(values)


def group_by_split(values: Mapping[str, float]) -> dict[str, dict[int, float]]:
    """{"x-valid@11": v} as {"x-valid": {11: v}}."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for name, value in values.items():
        split, _, epoch = name.partition("@")
        found[split][int(epoch)] = value
    return found


def read_costs(results: Mapping[int, Any]) -> dict[str, float]:
    """FLOPs and parameters in millions and latency in seconds, from the trials of one dataset and schedule."""
    found: dict[str, float] = {}
    for name, field in (("flops_M", "flop"), ("parameters_M", "params")):
        values = [float(r[field]) for r in results.values()]
        agree = len({f"{v:.5f}" for v in values}) == 1
        if agree:
            found[name] = sum(values) / len(values)
        else:
            found[name] = float(results[LEGACY_TRIAL][field]) if LEGACY_TRIAL in results else math.nan
    means = [sum(r["latency"]) / len(r["latency"]) for r in results.values() if r["latency"]]
    known = [m for m in means if m > 0]
    found["latency_s"] = sum(known) / len(known) if known else math.nan
    return found
