"""How often the intervals of `harness ledger` hold what is true, and what it estimates: made-up designs of known parts.

python benchmarks/reliability/ledger.py [STUDIES]

Three kinds of effects: `normal`; `heavy`, Student's t with three degrees of freedom; `two`, which take one of two
values, the larger in one of five cases, as where a search collapses or does not. Writes the table of
docs/howto/how-many-seeds.md.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.stats.components import Axes, estimate_crossed

Floats = NDArray[np.float64]
DRAW: dict[str, Callable[[np.random.Generator, list[int]], Floats]] = {
    "normal": lambda rng, size: rng.standard_normal(size),
    "heavy": lambda rng, size: rng.standard_t(3, size) / 3**0.5,
    "two": lambda rng, size: np.where(rng.random(size) < 0.2, 2.0, -0.5),
}
PARTS: dict[str, dict[Axes, float]] = {
    "40 % weights, 30 % together": {(0,): 4.0, (1,): 1.5, (2,): 1.5, (0, 1): 1.0, (0, 1, 2): 2.0},
    "all together": {(0, 1, 2): 10.0},
    "90 % weights": {(0,): 9.0, (0, 1, 2): 1.0},
}
SHAPES = ((4, 3, 3), (6, 6, 3), (10, 5, 2))
BEGIN, END = "<!-- ledger -->", "<!-- end of ledger -->"
PAGE = Path(__file__).parents[2] / "docs" / "howto" / "how-many-seeds.md"


def made(shape: tuple[int, ...], parts: Mapping[Axes, float], kind: str, rng: np.random.Generator) -> Floats:
    """The values of a design whose sets of axes have effects of these variances."""
    values = np.zeros(shape)
    for axes, variance in parts.items():
        size = [n if axis in axes else 1 for axis, n in enumerate(shape)]
        values = values + DRAW[kind](rng, size) * variance**0.5
    return values


def calibrated(shape: tuple[int, ...], parts: Mapping[Axes, float], kind: str, studies: int) -> list[str]:
    """In %: how often the interval of the first factor's share, of its whole part, and of the total hold what is true;
    and the mean estimates of these, over what is true."""
    rng = np.random.default_rng(0)
    total, alone = sum(parts.values()), parts.get((0,), 0.0)
    whole = sum(v for axes, v in parts.items() if 0 in axes)
    truth = np.array([alone / total, whole, total])
    held, means = np.zeros(3), np.zeros(3)
    for _ in range(studies):
        found = estimate_crossed(made(shape, parts, kind, rng), "abc")
        intervals = (found.factors["a"].share, found.factors["a"].whole, found.total)
        held += [i.low - 1e-9 <= t <= i.high + 1e-9 for i, t in zip(intervals, truth, strict=True)]
        means += np.array([i.estimate for i in intervals]) / studies
    told = [f"{100 * h / studies:.0f}" for h in held]
    return [*told, f"{100 * means[0]:.0f} of {100 * truth[0]:.0f}", f"{means[2]:.1f} of {total:.0f}"]


def report(studies: int) -> str:
    """The table, in markdown."""
    lines = [
        f"Of {studies} made-up designs each: how often an interval of 95 % holds the truth, in %, and mean estimates.",
        "",
        "| effects | what is true | levels | share | whole | total | mean share (%) | mean total |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in DRAW:
        for name, parts in PARTS.items():
            for shape in SHAPES:
                found = calibrated(shape, parts, kind, studies)
                lines.append(f"| {kind} | {name} | {' x '.join(map(str, shape))} | {' | '.join(found)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    text = report(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
