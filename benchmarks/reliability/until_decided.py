"""What studies that stop when they are decided show, beside fixed ones: level under a look after every seed, power, and
the mean number of seeds.

python benchmarks/reliability/until_decided.py [STUDIES]

Outcomes: `normal`, `heavy` (Student's t with two degrees of freedom) and `cells` (errors of eight architectures,
discrete and tied), of two methods, in pairs; shifts are of an error of 40 % with a standard deviation of 5 points (a
scale of 3 of `heavy`). Every study may take 40 pairs. `fixed` looks once, after 40; `peeked` is the fixed test, looked
at after every pair from the sixth, as it must not be. Writes the table of docs/howto/how-many-seeds.md.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.stats.sequential import estimate_sequential_shift
from harness.stats.shift import shift_of
from harness.stats.tests import compute_holm_multipliers

Floats = NDArray[np.float64]
CELLS = np.array([30.0, 31.0, 31.5, 33.0, 35.0, 42.0, 58.0, 65.0])
WEIGHTS = np.exp(-np.abs(np.arange(len(CELLS)) - 3))
DRAW: dict[str, Callable[[np.random.Generator], Floats]] = {
    "normal": lambda rng: rng.normal(40, 5, MOST),
    "heavy": lambda rng: 40 + 3 * rng.standard_t(2, MOST),
    "cells": lambda rng: rng.choice(CELLS, MOST, p=WEIGHTS / WEIGHTS.sum()),
}
SHIFTS = (0.0, 2.5, 5.0, 10.0)
MOST, LEVEL, FIRST = 40, 0.05, 6
BEGIN, END = "<!-- until decided -->", "<!-- end of until decided -->"
PAGE = Path(__file__).parents[2] / "docs" / "howto" / "how-many-seeds.md"


def one_pair(kind: str, shift: float, studies: int) -> list[str]:
    """Shown, and on the wrong side, in %, and the mean number of pairs; of the fixed and of the peeked test, shown."""
    rng = np.random.default_rng(0)
    shown, wrong, stopped, fixed, peeked = 0, 0, 0, 0, 0
    for _ in range(studies):
        new, base = DRAW[kind](rng) - shift, DRAW[kind](rng)
        looks = {n: estimate_sequential_shift(new[:n], base[:n]) for n in range(FIRST, MOST + 1)}
        at = next((n for n, look in looks.items() if look.test.p <= LEVEL), None)
        shown += at is not None
        wrong += at is not None and looks[at].direction == "higher"
        stopped += at or MOST
        ps = [shift_of(new[:n], base[:n], paired=True).test.p for n in range(FIRST, MOST + 1)]
        fixed += ps[-1] <= LEVEL
        peeked += min(ps) <= LEVEL
    return [
        f"{100 * shown / studies:.1f}",
        f"{100 * wrong / studies:.1f}",
        f"{stopped / studies:.1f}",
        f"{100 * fixed / studies:.1f}",
        f"{100 * peeked / studies:.1f}",
    ]


def family(methods: int, different: int, studies: int) -> list[str]:
    """Several methods against one, normal: studies that show a difference that is none, in %; of the others, shown."""
    rng = np.random.default_rng(0)
    false, true = 0, 0
    for _ in range(studies):
        base = DRAW["normal"](rng)
        runs = [DRAW["normal"](rng) - (10.0 if place < different else 0.0) for place in range(methods)]
        found: set[int] = set()
        for n in range(FIRST, MOST + 1):
            p = [estimate_sequential_shift(new[:n], base[:n]).test.p for new in runs]
            found |= {i for i, (m, v) in enumerate(zip(compute_holm_multipliers(p), p, strict=True)) if m * v <= LEVEL}
        false += any(place >= different for place in found)
        true += sum(place < different for place in found)
    return [f"{100 * false / studies:.1f}", f"{100 * true / studies / different:.1f}" if different else "-"]


def equivalence(apart: float, studies: int) -> list[str]:
    """Studies that ever show that two methods are within 5 points, in %, and where they stop."""
    rng = np.random.default_rng(0)
    shown, stopped = 0, 0
    for _ in range(studies):
        new, base = DRAW["normal"](rng) + apart, DRAW["normal"](rng)
        at = MOST
        for n in range(FIRST, MOST + 1):
            look = estimate_sequential_shift(new[:n], base[:n])
            if look.test_at(-5.0).greater <= LEVEL / 2 and look.test_at(5.0).less <= LEVEL / 2:
                shown, at = shown + 1, n
                break
        stopped += at
    return [f"{100 * shown / studies:.1f}", f"{stopped / studies:.1f}"]


def report(studies: int) -> str:
    """The tables, in markdown."""
    told = f"Of {studies} studies each, level 5 %, at most {MOST} pairs."
    lines = [
        f"{told} Peeked: the fixed test, looked at after every pair.",
        "",
        "| outcomes | shift (points) | shown (%) | wrong side (%) | mean pairs | fixed, 40 pairs (%) | peeked (%) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    every = [(kind, shift) for kind in DRAW for shift in SHIFTS]
    lines += [f"| {kind} | {shift:g} | {' | '.join(one_pair(kind, shift, studies))} |" for kind, shift in every]
    lines += [
        "",
        "| methods against one, normal | 10 points better | a false difference shown (%) | true ones shown (%) |",
        "| ---: | ---: | ---: | ---: |",
    ]
    lines += [f"| {m} | {d} | {' | '.join(family(m, d, studies // 2))} |" for m, d in ((3, 0), (3, 1), (6, 3))]
    lines += [
        "",
        "| normal, apart by (points) | called equivalent within 5 (%) | mean pairs |",
        "| ---: | ---: | ---: |",
    ]
    lines += [f"| {apart:g} | {' | '.join(equivalence(apart, studies // 2))} |" for apart in (0.0, 2.5, 5.0)]
    return "\n".join(lines)


if __name__ == "__main__":
    text = report(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
