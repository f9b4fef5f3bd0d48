"""How the cost of a step grows: `python benchmarks/speed/growth.py` writes growth.png beside this file.

NAS-Bench-201, DARTS, one thread; around 8 channels, one cell a stage, batches of 32 images of 16x16.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import torch
from matplotlib.ticker import LogLocator, ScalarFormatter
from pairs import Pair
from seeds import steps_a_second, together

from harness.search.methods import build_method, list_methods
from harness.search.searchers.base import SupernetSearcher
from harness.spaces.base import SPACES
from harness.testing.contracts import fits_space, make_small_search

BASE = {"channels": 8, "cells": 1, "batch": 32, "side": 16}
VALUES = {"channels": [4, 8, 16, 32], "cells": [1, 2, 3, 5], "batch": [16, 32, 64, 128]}
SECONDS = 10.0
LINE = 1.3
"""By how much a name is above the one below it, on a logarithmic axis."""


def medians(*functions: Callable[[], Any], rounds: int = 9) -> list[float]:
    """Milliseconds of each, called in turn."""
    taken: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds + 1):
        for function, times in zip(functions, taken, strict=True):
            began = time.perf_counter()
            function()
            times.append(1e3 * (time.perf_counter() - began))
    return [statistics.median(t[1:]) for t in taken]


def size_panel(ax: Any, key: str) -> None:
    values = VALUES[key]
    pairs = [Pair("nasbench201", **(BASE | {key: v})) for v in values]
    found = medians(*(f for p in pairs for f in (p.step, p.plain_step)))
    for index, label in enumerate(("harness", "straightforward")):
        ax.plot(values, found[index::2], marker="o", label=label)
    ax.set(xscale="log", yscale="log", xlabel=key, ylabel="ms a step", xticks=values, xticklabels=values)
    ax.minorticks_off()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.legend(frameon=False)


def seeds_panel(ax: Any) -> None:
    """Steps a second of all processes together, each with its own seed, one thread each."""
    cores = len(os.sched_getaffinity(0))
    jobs = sorted({1, *range(2, 2 * cores + 1)})
    rates = [together(SECONDS, n, BASE["channels"]) for n in jobs]
    ax.plot(jobs, rates, marker="o", label="harness, one thread a seed")
    plain = steps_a_second(SECONDS, cores, True, BASE["channels"])
    ax.axhline(plain, color="C1", label=f"straightforward, {cores} threads")
    ax.axvline(cores, color="0.8", zorder=0)
    ax.set(
        xlabel=f"seeds at a time ({cores} cores)", ylabel="steps a second, 5 cells, 32x32", ylim=(0, None), xticks=jobs
    )
    ax.legend(frameon=False)


def methods_panel(ax: Any) -> None:
    """A step of every method against its forward and backward passes, DARTS = 1."""
    space = SPACES.find("nasbench201")()
    places: list[tuple[int, float, str]] = []
    for name in list_methods():
        chosen = build_method(name)
        if not isinstance(chosen.searcher, SupernetSearcher) or not fits_space(chosen, space):
            continue
        search, reference = make_small_search(chosen, space), make_small_search(build_method("darts"), space)
        for s in (search, reference):
            s.net.train()
        taken, unit = medians(lambda s=search: s.advance(2, 0.01), lambda s=reference: s.advance(2, 0.01), rounds=5)
        place = sum(chosen.passes()), taken / unit
        ax.plot(*place, "o", color="C0", alpha=0.5)
        if place[0] > 4:
            places.append((*place, name))
    above: dict[int, float] = {}
    for passes, cost, name in sorted(places):
        above[passes] = max(cost, above.get(passes, 0) * LINE)
        side, shift = ("left", 6) if passes < max(places)[0] else ("right", -6)
        ax.annotate(name, (passes, above[passes]), xytext=(shift, -3), textcoords="offset points", fontsize=8, ha=side)
    ax.set(xlabel="forward + backward passes a step", ylabel="time of a step, DARTS = 1", xscale="log", yscale="log")
    ax.set_ylim(top=ax.get_ylim()[1] * LINE)


def main() -> Path:
    torch.set_num_threads(1)
    figure, axes = plt.subplot_mosaic(
        [[*VALUES], ["methods", "methods", "seeds"]], figsize=(12, 8), layout="constrained"
    )
    for key in VALUES:
        size_panel(axes[key], key)
    methods_panel(axes["methods"])
    seeds_panel(axes["seeds"])
    path = Path(__file__).parent / "growth.png"
    figure.savefig(path, dpi=90)
    return path


if __name__ == "__main__":
    print(main())
