"""A search's parts, the harness beside the straightforward implementation, one after the other in every round.

Published sizes (16 channels, 5 cells a stage or 9 cells, batches of 64 images of 32x32), random images, one thread.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from pairs import SIZES, Pair

pytest.importorskip("pytest_benchmark")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """What a search runs on: many seeds are many processes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def beside(benchmark: Any, ours: Callable[[], Any], plain: Callable[[], Any], rounds: int) -> None:
    """Time `ours`, and `plain` before each of its rounds."""
    seconds: list[float] = []

    def before() -> None:
        began = time.perf_counter()
        plain()
        seconds.append(time.perf_counter() - began)

    benchmark.pedantic(ours, setup=before, rounds=rounds, warmup_rounds=1)
    benchmark.extra_info["straightforward"] = statistics.median(seconds[1:])


STEPS = [("darts", space) for space in SIZES]
STEPS += [(method, space) for method in ("sdarts-rs", "sdarts-adv") for space in ("nasbench201", "nasbench1shot1.s1")]
STEPS += [("sdarts-adv", "darts.s1")]


@pytest.mark.parametrize(("method", "space"), STEPS)
def test_step(benchmark: Any, method: str, space: str) -> None:
    pair = Pair(space, method)
    beside(benchmark, pair.step, pair.plain_step, rounds=2 if method == "sdarts-adv" else 5)


@pytest.mark.parametrize("space", ["nasbench201", "nasbench1shot1.s1", "nasbench1shot1.s3"])
def test_attack(benchmark: Any, space: str) -> None:
    pair = Pair(space, "sdarts-adv")
    beside(benchmark, pair.attack, pair.plain_attack, rounds=3)


@pytest.mark.parametrize("space", ["nasbench201", "nasbench1shot1.s1"])
def test_hessian(benchmark: Any, space: str) -> None:
    """On a small network: 30 and 24 second derivatives of the whole."""
    pair = Pair(space, cells=1 if space == "nasbench201" else 3, batch=16)
    beside(benchmark, pair.hessian, pair.plain_hessian, rounds=5)


@pytest.mark.parametrize("space", ["nasbench201", "nasbench1shot1.s1"])
def test_demo_step(benchmark: Any, space: str) -> None:
    """The size of `make demo`: 4 channels, batches of 32 small images; bound by the dispatch of operations."""
    pair = Pair(space, channels=4, cells=1 if space == "nasbench201" else 3, batch=32, side=12)
    beside(benchmark, pair.step, pair.plain_step, rounds=40)


@pytest.mark.parametrize("space", ["nasbench201", "nasbench1shot1.s1"])
def test_demo_attack(benchmark: Any, space: str) -> None:
    pair = Pair(space, "sdarts-adv", channels=4, cells=1 if space == "nasbench201" else 3, batch=32, side=12)
    beside(benchmark, pair.attack, pair.plain_attack, rounds=20)
