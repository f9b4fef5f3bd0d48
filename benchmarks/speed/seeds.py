"""Seeds per hour of this machine: `python benchmarks/speed/seeds.py [SECONDS]`.

The harness has one single-threaded process a core, a seed each; a straightforward script takes one seed after the other
with PyTorch's own threads. Both run steps of DARTS on NAS-Bench-201 at the published size, for the same time in turn.
"""

import os
import sys
import time
from collections.abc import Callable
from multiprocessing import Manager
from typing import Any

import torch
from joblib import Parallel, delayed
from pairs import Pair

STEPS_OF_A_SEARCH = 50 * 390
"""50 epochs of CIFAR-10's half in batches of 64."""


def steps_a_second(
    seconds: float, threads: int, plain: bool, channels: int = 16, wait: Callable[[], Any] = lambda: None
) -> float:
    """wait: called before the clock starts."""
    torch.set_num_threads(threads)
    pair = Pair("nasbench201", channels=channels)
    step = pair.plain_step if plain else pair.step
    step()
    wait()
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        step()
        steps += 1
    return steps / (time.perf_counter() - began)


def together(seconds: float, jobs: int, channels: int = 16) -> float:
    """Steps a second of `jobs` single-threaded processes, summed; all in the same seconds."""
    with Manager() as manager:
        one = delayed(steps_a_second)(seconds, 1, False, channels, manager.Barrier(jobs).wait)
        return float(sum(Parallel(n_jobs=jobs)([one] * jobs)))


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    cores = len(os.sched_getaffinity(0))
    found: dict[str, list[float]] = {"harness": [], "straightforward": []}
    for _ in range(2):
        found["harness"].append(together(seconds, cores))
        found["straightforward"].append(
            Parallel(n_jobs=1)([delayed(steps_a_second)(seconds, cores, True)])[0]  # type: ignore[index]
        )
    for who, rates in found.items():
        print(who, 3600 * sum(rates) / len(rates) / STEPS_OF_A_SEARCH)
