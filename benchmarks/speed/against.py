"""This build beside an older revision: `python benchmarks/speed/against.py REV [WHAT ...]`; `report.py --against` too.

The revision is checked out in a worktree of its own. Every round starts a process of each, in turn; medians of CPU
seconds. A search's parts are those of `pairs.py` of either tree; the largest eigenvalue is found by the matrix, and the
matrix row by row, where a tree knows nothing else. The runs of a whole study are computed by one process, side by side
where a tree can.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
ROUNDS = 5
STEPS = 3
"""Steps of which the median is taken in a process, after one that warms up."""

PARTS = """
import statistics, sys, time
import torch
from pairs import Pair
torch.set_num_threads(1)
space, method, part, sizes, times = eval(sys.argv[1])
pair = Pair(space, method, **sizes)

def named(place, *names):  # what a function is called now, and was called before
    return next((getattr(place, name) for name in names if hasattr(place, name)), None)

def search_digits():  # some steps on real images: the spectrum of random ones is none that searches have
    from harness.datasets import digits
    images, labels = named(digits, "load_digit_parts", "digit_parts")()["train"]
    wide = torch.nn.functional.interpolate(images[:, None], size=pair.train[0].shape[-1])
    wide = ((wide - wide.mean()) / wide.std()).expand(-1, 3, -1, -1)
    size = len(pair.train[0])
    for step in range(20):
        pair.train, pair.valid = (
            (wide[first : first + size].contiguous(), labels[first : first + size])
            for first in (2 * step * size % 500, (2 * step + 1) * size % 500)
        )
        pair.harness.step(pair.train, pair.valid, 0, 0.025)

def eigenvalue():
    import inspect
    from harness.measures import hessian as measures
    search, loss = pair.harness, lambda alphas: pair.harness.loss_at(alphas, pair.valid)
    with search.net.readable():
        ends = named(measures, "compute_spectrum_ends", "ends")
        if ends is None:
            largest = named(measures, "compute_largest_eigenvalue", "largest_eigenvalue")
            return largest(named(measures, "compute_hessian", "hessian")(loss, search.alphas))
        start = torch.randn(sum(a.numel() for a in search.alphas), generator=torch.Generator().manual_seed(0))
        known = {"ends": "largest"} if "ends" in inspect.signature(ends).parameters else {}
        return ends(loss, search.alphas, start, tolerance=0.01, **known)["largest"]

def batched():
    import inspect
    from harness.measures import hessian as measures
    search, hessian = pair.harness, named(measures, "compute_hessian", "hessian")
    known = {"batched": True} if "batched" in inspect.signature(hessian).parameters else {}
    with search.net.readable():
        return hessian(lambda alphas: search.loss_at(alphas, pair.valid), search.alphas, **known)

called = {"eigenvalue": eigenvalue, "batched": batched}.get(part) or getattr(pair, part)
if part == "eigenvalue":
    search_digits()
taken = []
for _ in range(times + 1):
    began = time.process_time()
    called()
    taken.append(time.process_time() - began)
print(statistics.median(taken[1:] or taken))
"""
DEMO: dict[str, dict[str, int]] = {
    "nasbench201": {"channels": 4, "cells": 1, "batch": 32, "side": 12},
    "nasbench1shot1.s1": {"channels": 4, "cells": 3, "batch": 32, "side": 12},
}
SMALL: dict[str, dict[str, int]] = {
    "nasbench201": {"cells": 1, "batch": 16},
    "nasbench1shot1.s3": {"cells": 3, "batch": 16},
    "darts.full": {"channels": 8, "cells": 3, "batch": 16, "side": 16},
}
"""Published width but of the last, fewer cells: a Hessian of the whole takes an hour."""
STUDY = """
name = "against"
space = "nasbench201"
dataset = {name = "digits100", evaluation_pairs = 32}
table = "nasbench201.digits"
methods = ["darts", "sdarts-rs", "beta-darts"]
seeds = "0..4"
epochs = 20
[supernet]
channels = 2
cells = 1
[training]
batch_size = 4
steps_per_epoch = 1
"""

SMALL_IMAGES = """
name = "small-images"
space = "nasbench201"
dataset = "digits"
methods = ["{method}"]
seeds = "0..9"
epochs = 2
preset = "official"
[supernet]
channels = 4
cells = 5
[training]
batch_size = 64
steps_per_epoch = {steps}
[evaluation]
every = 2
"""
"""The size of cifar10-8: 8x8 pixels, and about as many images evaluated a step."""
STUDIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "runs side by side: the demo, 4 of 20 epochs": ("benchmarks/trajectories/digits.toml", ("--set", "epochs=4")),
    "runs side by side: the gate's example, six seeds": ("benchmarks/stability/gate.toml", ("--seeds", "0..5")),
    "runs side by side: DARTS, size of cifar10-8, ten seeds": (SMALL_IMAGES.format(method="darts", steps=20), ()),
    "runs side by side: SDARTS-ADV, size of cifar10-8, ten seeds": (
        SMALL_IMAGES.format(method="sdarts-adv", steps=5),
        (),
    ),
}
"""A study's file or its text, and what the command says of it."""

Taken = Callable[[Path], float]
"""CPU seconds in a tree."""


@contextmanager
def worktree(revision: str) -> Iterator[Path]:
    """A checkout of a revision, for as long as the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(tree), revision], check=True, capture_output=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def environment(tree: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}


def of_part(space: str, method: str, part: str, sizes: dict[str, int], times: int = STEPS) -> Taken:
    def taken(tree: Path) -> float:
        given = repr((space, method, part, sizes, times))
        command = [sys.executable, "-c", PARTS, given]
        place = tree / "benchmarks" / "speed"
        done = subprocess.run(command, check=True, cwd=place, env=environment(tree), capture_output=True, text=True)
        return float(done.stdout)

    return taken


def call_harness(tree: Path, *words: str) -> float:
    """CPU seconds of a command."""
    command = [sys.executable, "-m", "harness", *words]
    process = subprocess.Popen(
        command, cwd=tree, env=environment(tree), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(said)
    return used.ru_utime + used.ru_stime


def of_runs(folder: Path, given: str, words: tuple[str, ...]) -> Taken:
    """All runs of a study."""

    def taken(tree: Path) -> float:
        study = ROOT / given
        if "\n" in given:
            study = folder / "runs.toml"
            study.write_text(given)
        beside = ("--set", "together=10") if (tree / "harness" / "search" / "together.py").exists() else ()
        with tempfile.TemporaryDirectory() as out:
            return call_harness(tree, "run", str(study), "--out", out, "--jobs", "1", *words, *beside)

    return taken


def of_verb(folder: Path, verb: str) -> Taken:
    """A verb of a finished study, which each tree has run itself before."""
    study = folder / "against.toml"
    study.write_text(STUDY)

    def call(tree: Path, verb: str) -> float:
        return call_harness(tree, verb, str(study), "--out", str(folder / tree.name / "runs"))

    def taken(tree: Path) -> float:
        if not (folder / tree.name / "runs").exists():
            call(tree, "run")
            call(tree, verb)
        return call(tree, verb)

    return taken


def pieces(folder: Path) -> dict[str, Taken]:
    """What is measured, by its name."""
    found = {
        f"step, {method}, {space}": of_part(space, method, "step", {})
        for method, space in (
            ("darts", "nasbench201"),
            ("darts", "nasbench1shot1.s1"),
            ("darts", "nasbench1shot1.s3"),
            ("sdarts-adv", "nasbench201"),
            ("sdarts-adv", "nasbench1shot1.s1"),
        )
    }
    for space, sizes in DEMO.items():
        found[f"demo step, darts, {space}"] = of_part(space, "darts", "step", sizes, 30)
        found[f"demo Hessian, {space}"] = of_part(space, "darts", "hessian", sizes)
        found[f"demo Hessian in batches, {space}"] = of_part(space, "darts", "batched", sizes)
    for space, sizes in SMALL.items():
        found[f"largest eigenvalue, {space}"] = of_part(space, "darts", "eigenvalue", sizes, 0)
    found |= {name: of_runs(folder, *study) for name, study in STUDIES.items()}
    return found | {f"harness {verb}": of_verb(folder, verb) for verb in ("status", "compare", "plot")}


def table(revision: str, chosen: list[str] | None = None, rounds: int = ROUNDS) -> list[str]:
    """A row a piece: CPU seconds of both, and their ratio. chosen: beginnings of names; all, if not said."""
    day = subprocess.run(
        ["git", "-C", str(ROOT), "show", "-s", "--format=%cs", revision], check=True, capture_output=True, text=True
    ).stdout.strip()
    lines = [f"| what | {revision}, {day} | now | share of its time |", "| --- | --- | --- | --- |"]
    with worktree(revision) as tree, tempfile.TemporaryDirectory() as folder:
        for name, taken in pieces(Path(folder)).items():
            if chosen and not any(name.startswith(beginning) for beginning in chosen):
                continue
            seconds: dict[Path, list[float]] = {tree: [], ROOT: []}
            for _ in range(rounds):
                for place, found in seconds.items():
                    found.append(taken(place))
            then, now = (statistics.median(found) for found in seconds.values())
            lines.append(f"| {name} | {then:.3g} s | {now:.3g} s | {now / then:.2f} |")
            print(lines[-1], flush=True)
    return lines


def main(arguments: list[Any]) -> None:
    if not arguments:
        raise SystemExit("python benchmarks/speed/against.py REV [WHAT ...]")
    table(arguments[0], arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
