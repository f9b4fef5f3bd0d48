"""Seeds side by side beside seeds one by one: `python benchmarks/speed/together.py [steps] [evaluations] [runs]`.

CPU seconds, in turn in every round, medians. steps, evaluations: of a step of a seed and of the evaluation of its
network, in this process. runs: of whole studies, each a process of its own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from harness.core.streams import Streams
from harness.datasets.base import EVALUATION_BATCH
from harness.search.build import build_search
from harness.search.loop import SupernetSearch
from harness.search.methods import build_method
from harness.search.together import Group, Seat
from harness.search.training import Training
from harness.spaces.base import SPACES
from harness.spaces.blocks.together import Member

ROOT = Path(__file__).parent.parent.parent
ROUNDS = 5
SIZES: dict[str, tuple[str, int, int, int, int]] = {
    "cifar10-8": ("nasbench201", 4, 5, 64, 8),
    "demo": ("nasbench201", 4, 1, 32, 12),
    "gate": ("nasbench1shot1.s1", 4, 3, 32, 12),
    "8 channels, 16x16": ("nasbench201", 8, 5, 64, 16),
    "published": ("nasbench201", 16, 5, 64, 32),
}
"""Space, channels, cells, batch, pixels of a side."""
STEPS = [
    ("darts", "cifar10-8", 10, 3),
    ("sdarts-rs", "cifar10-8", 10, 3),
    ("sdarts-adv", "cifar10-8", 10, 2),
    ("pc-darts", "cifar10-8", 10, 3),
    ("darts", "cifar10-8", 5, 3),
    ("darts", "cifar10-8", 2, 3),
    ("darts", "demo", 3, 10),
    ("sdarts-adv", "demo", 3, 5),
    ("darts", "gate", 6, 10),
    ("darts", "8 channels, 16x16", 5, 1),
    ("darts", "published", 3, 1),
]
"""Method, size, seeds, steps of a round."""
EVALUATIONS = [("cifar10-8", 10), ("demo", 3), ("gate", 6), ("8 channels, 16x16", 5), ("published", 3)]
"""Size, seeds."""
RUNS = [
    ("the demo, 4 of 20 epochs", "benchmarks/trajectories/digits.toml", ["epochs=4"], "0..2"),
    ("the gate's example, six seeds", "benchmarks/stability/gate.toml", [], "0..5"),
]


def search_of(name: str, size: str, seed: int) -> tuple[SupernetSearch, tuple[Any, Any]]:
    """A search, and batches for its steps."""
    space, channels, cells, batch, side = SIZES[size]
    streams = Streams(seed)
    search = build_search(
        SPACES.find(space)(),
        build_method(name),
        channels=channels,
        cells=cells,
        classes=10,
        image_channels=3,
        epochs=50,
        streams=streams,
        training=Training(batch_size=batch),
    )
    search.net.train()
    for regularizer in search.regularizers:
        regularizer.begin_epoch(search.net, search.moment(20))
    images = torch.randn(2, batch, 3, side, side, generator=streams["x"])
    labels = torch.randint(0, 10, (2, batch), generator=streams["y"])
    return search, ((images[0], labels[0]), (images[1], labels[1]))


def take(search: SupernetSearch, batches: tuple[Any, Any], steps: int) -> None:
    step = search.stepper(20, 0.025)
    for _ in range(steps):
        step(*batches)


def cpu_seconds(called: Callable[[], object]) -> float:
    began = time.process_time()
    called()
    return time.process_time() - began


def of_steps(name: str, size: str, seeds: int, steps: int) -> tuple[float, float]:
    """CPU seconds of a step of a seed, one by one and side by side."""
    alone, *searches = (search_of(name, size, seed) for seed in range(seeds + 1))

    def side_by_side() -> None:
        group = Group(alone[0].space.networks().together, seeds)

        def seated(search: SupernetSearch, batches: tuple[Any, Any]) -> Callable[[Seat], None]:
            def run(seat: Seat) -> None:
                seat.take(search)
                take(search, batches, steps)

            return run

        group.run([seated(*each) for each in searches])

    one, many = in_turn(lambda: take(*alone, steps), side_by_side)
    return one / steps, many / steps / seeds


def of_evaluations(size: str, seeds: int) -> tuple[float, float]:
    """CPU seconds of an evaluation of a seed on as many images as are evaluated at a time, both ways."""
    searches = [search_of("darts", size, seed)[0] for seed in range(seeds)]
    nets, side = [search.net for search in searches], SIZES[size][-1]
    images = torch.randn(EVALUATION_BATCH, 3, side, side, generator=torch.Generator().manual_seed(0))
    mixes = [[m.detach() for m in search.searcher.relax(search.alphas)] for search in searches]
    networks: Any = searches[0].space.networks().together
    beside = networks([Member(net) for net in nets])
    with torch.no_grad():
        one, many = in_turn(
            lambda: nets[0].frozen(images)(mixes[0]), lambda: beside.frozen([images] * seeds)(dict(enumerate(mixes)))
        )
    return one, many / seeds


def in_turn(*ways: Callable[[], object]) -> list[float]:
    """CPU seconds of each, after one call that warms up."""
    for called in ways:
        called()
    rounds = [[cpu_seconds(called) for called in ways] for _ in range(ROUNDS)]
    return [statistics.median(seconds) for seconds in zip(*rounds, strict=True)]


def of_runs(study: str, changes: list[str], seeds: str, together: list[str]) -> float:
    """CPU seconds of a study's runs in one process."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "harness", "run", study, "--out", out, "--seeds", seeds, "--jobs", "1"]
        command += [word for change in (*changes, *together) for word in ("--set", change)]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {status}")
        return used.ru_utime + used.ru_stime


def main(chosen: list[str]) -> None:
    torch.set_num_threads(1)
    print("| what | seeds | one by one | side by side | ratio |\n| --- | --- | --- | --- | --- |", flush=True)
    if not chosen or "steps" in chosen:
        for name, size, seeds, steps in STEPS:
            one, many = of_steps(name, size, seeds, steps)
            told = f"{1000 * one:.3g} ms | {1000 * many:.3g} ms | {many / one:.2f}"
            print(f"| step of {name}, {size} | {seeds} | {told} |", flush=True)
    if not chosen or "evaluations" in chosen:
        for size, seeds in EVALUATIONS:
            one, many = of_evaluations(size, seeds)
            told = f"{1000 * one:.3g} ms | {1000 * many:.3g} ms | {many / one:.2f}"
            print(f"| evaluation, {size} | {seeds} | {told} |", flush=True)
    if not chosen or "runs" in chosen:
        for what, study, changes, numbers in RUNS:
            pairs = [[of_runs(study, changes, numbers, t) for t in ([], ["together=10"])] for _ in range(ROUNDS)]
            one, many = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
            count = int(numbers[-1]) + 1
            print(f"| {what} | {count} | {one:.3g} s | {many:.3g} s | {many / one:.2f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
