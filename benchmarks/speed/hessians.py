"""Ways to the eigenvalues of the Hessian over the logits: `python benchmarks/speed/hessians.py [CASE ...]`.

matrix: a second derivative a row, through the readable network. batched: several rows in a pass. products: Lanczos'
method over products of the Hessian with vectors, for both ends of the spectrum. largest: for the largest alone.
differences: central differences, in float64, of the fast network's gradient, entry by entry; with Lanczos' method, of
one product each. Each in a process of its own, after some steps of a search on real images (digits, enlarged), as those
of random ones are others; medians of CPU seconds in turn, growth of the process, and the error of the largest
eigenvalue beside the matrix in float64.
"""

from __future__ import annotations

import copy
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import numpy as np
import torch
from pairs import Pair
from scipy.sparse.linalg import LinearOperator, eigsh

from harness.core.memory import measure_peak_memory
from harness.datasets.base import Batch
from harness.datasets.digits import load_digit_parts
from harness.measures.hessian import Ends, compute_hessian, compute_spectrum_ends, flatten_tensors, unflatten_vector

Case = dict[str, Any]
CASES: dict[str, Case] = {
    "demo": {"space": "nasbench201", "channels": 4, "cells": 1, "batch": 32, "side": 12},
    "nasbench201": {"space": "nasbench201", "cells": 1, "batch": 16},
    "nasbench1shot1.s3": {"space": "nasbench1shot1.s3", "cells": 3, "batch": 16},
    "darts.full": {"space": "darts.full", "channels": 8, "cells": 3, "batch": 16, "side": 16},
}
STEPS, STEP, ROUNDS, TOLERANCE = 20, 1e-8, 3, 0.01


def gradient_of(pair: Pair) -> Callable[[np.ndarray], np.ndarray]:
    """The gradient of the validation loss in float64, by the fast network, as a function of all logits."""
    search = copy.copy(pair.harness)
    search.net = copy.deepcopy(pair.harness.net).double()
    for weight in search.net.parameters():
        weight.requires_grad_(False)
    batch, like = (pair.valid[0].double(), pair.valid[1]), [a.detach().double() for a in pair.harness.alphas]

    def gradient(point: np.ndarray) -> np.ndarray:
        leaves = [p.detach().clone().requires_grad_() for p in unflatten_vector(torch.from_numpy(point), like)]
        found: np.ndarray = flatten_tensors(torch.autograd.grad(search.loss_at(leaves, batch), leaves)).numpy()
        return found

    return gradient


def by_differences(pair: Pair, lanczos: bool) -> float:
    gradient = gradient_of(pair)
    here = flatten_tensors([a.detach().double() for a in pair.harness.alphas]).numpy()
    n = len(here)

    def product(vector: np.ndarray) -> np.ndarray:
        moved = STEP * vector.ravel() / np.abs(vector).max()
        return (gradient(here + moved) - gradient(here - moved)) / (2 * STEP) * np.abs(vector).max()

    if not lanczos:
        matrix = np.stack([product(row) for row in np.eye(n)])
        return float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1])
    operator, start = LinearOperator((n, n), matvec=product, dtype=np.float64), np.random.default_rng(0).normal(size=n)
    found = eigsh(operator, k=2, which="BE", ncv=12, v0=start, tol=TOLERANCE, return_eigenvectors=False)
    return float(found.max())


def exact(pair: Pair, dtype: torch.dtype = torch.float32, batched: bool = False) -> float:
    search = copy.copy(pair.harness)
    search.net = copy.deepcopy(pair.harness.net).to(dtype)
    batch, point = (pair.valid[0].to(dtype), pair.valid[1]), [a.detach().to(dtype) for a in pair.harness.alphas]
    with search.net.readable():
        matrix = compute_hessian(lambda a: search.loss_at(a, batch), point, batched=batched)
    return float(torch.linalg.eigvalsh(matrix)[-1])


def by_products(pair: Pair, ends: Ends = "both") -> float:
    search = pair.harness
    start = torch.randn(flatten_tensors(search.alphas).shape, generator=torch.Generator().manual_seed(0))
    with search.net.readable():
        return compute_spectrum_ends(
            lambda a: search.loss_at(a, pair.valid), search.alphas, start, tolerance=TOLERANCE, ends=ends
        )["largest"]


def iterate_batches(size: int, side: int) -> Iterator[Batch]:
    """Batches [size, 3, side, side] of digits, enlarged, over and over."""
    images, labels = load_digit_parts()["train"]
    wide = torch.nn.functional.interpolate(images[:, None], size=side)
    wide = ((wide - wide.mean()) / wide.std()).expand(-1, 3, -1, -1)
    for first in cycle(range(0, len(labels) - size, size)):
        yield wide[first : first + size].contiguous(), labels[first : first + size]


WAYS: dict[str, Callable[[Pair], float]] = {
    "matrix": exact,
    "batched": lambda pair: exact(pair, batched=True),
    "products": by_products,
    "largest": lambda pair: by_products(pair, "largest"),
    "differences": lambda pair: by_differences(pair, lanczos=False),
    "differences, products": lambda pair: by_differences(pair, lanczos=True),
    "reference": lambda pair: exact(pair, torch.float64),
}


def measured(case: str, way: str) -> dict[str, float]:
    """CPU seconds, MB of growth and the eigenvalue, in this process."""
    torch.set_num_threads(1)
    given = dict(CASES[case])
    pair = Pair(given.pop("space"), **given)
    batches = iterate_batches(len(pair.train[0]), pair.train[0].shape[-1])
    for _ in range(STEPS):
        pair.train, pair.valid = next(batches), next(batches)
        pair.step()
    pair.harness.net.train()
    before, began = measure_peak_memory(), time.process_time()
    value = WAYS[way](pair)
    seconds = time.process_time() - began
    return {"s": seconds, "mb": (measure_peak_memory() - before) / 1e6, "value": value}


def in_a_process(case: str, way: str) -> dict[str, float]:
    command = [sys.executable, __file__, case, way]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def table(cases: list[str], rounds: int = ROUNDS) -> list[str]:
    """A row a case and way."""
    lines = ["| what | way | CPU s | share | MB | relative error |", "| --- | --- | --- | --- | --- | --- |"]
    for case in cases:
        true = in_a_process(case, "reference")["value"]
        ways = [way for way in WAYS if way != "reference"]
        found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way in ways:
                found[way].append(in_a_process(case, way))
        seconds = {way: statistics.median(f["s"] for f in found[way]) for way in ways}
        for way in ways:
            growth = statistics.median(f["mb"] for f in found[way])
            error = abs(found[way][0]["value"] / true - 1)
            ratio = seconds[way] / seconds["matrix"]
            lines.append(f"| {case} | {way} | {seconds[way]:.3g} | {ratio:.2f} | {growth:.0f} | {error:.0e} |")
            print(lines[-1], flush=True)
    return lines


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[2] in WAYS:
        print(json.dumps(measured(*sys.argv[1:])))
    else:
        table(sys.argv[1:] or list(CASES))
