"""How strongly methods were applied, as their names say it (`weight_decay=0.0003 drop_path=0.2`), and what their runs
end at. Needs no table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from harness.core.errors import HarnessError
from harness.core.seeds import derive_seed
from harness.measures.anytime import find_onset_of_many
from harness.results.runs import Runs
from harness.spaces.base import Architecture, Space
from harness.stats.trend import Trend, estimate_trend

if TYPE_CHECKING:
    import pandas as pd

DOSE = re.compile(r"([A-Za-z_][\w.-]*)\s*=\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])")
EIGENVALUE = "hessian_largest"
DRAWN = 2000


def parse_doses(method: str) -> dict[str, float]:
    """The numbers that a method's name says, by what they are of, in its order; empty where it says none."""
    return {name: float(value) for name, value in DOSE.findall(method)}


def choose_dose(methods: Iterable[str]) -> str:
    """What differs most often among methods, which is what their runs are to be drawn against.

    Raises:
        HarnessError: no number differs between their names.
    """
    values: dict[str, set[float]] = {}
    for method in methods:
        for name, value in parse_doses(method).items():
            values.setdefault(name, set()).add(value)
    name = max(values, key=lambda name: len(values[name]), default="")
    if not name or len(values[name]) < 2:
        raise HarnessError(
            "the methods' names say no dose that differs: name them as 'weight_decay=0.0003', with two values at least"
        )
    return name


def count_skips(runs: Runs) -> tuple[str, dict[str, int]]:
    """The name of the first kind of cell of the space that was searched, and how many skips it has in each architecture
    that was derived.

    Raises:
        HarnessError: the space is unknown, or has no skip.
    """
    space = runs.space
    if space is None or space.skip is None:
        told = "these runs do not say which" if space is None else f"{space.name} has none"
        raise HarnessError(f"skips are counted in a space that has them, and {told}")
    every = runs.epochs["architecture"].unique()
    many = {text: _select_first_cell(space, space.parse(text)).count(space.skip) for text in every}
    return space.tensors[space.operation_tensors()[0]].cell, many


def _select_first_cell(space: Space, architecture: Architecture) -> tuple[str, ...]:
    """The operations of the first kind of cell; an architecture has them kind by kind, as many of each."""
    return architecture.operations[: len(architecture.operations) // len(space.operation_tensors())]


def estimate_random_share(space: Space, skips: int) -> float:
    """The share of random architectures whose first kind of cell has so many skips or more, of 2,000 from a fixed
    stream: a collapse that random cells share is none."""
    rng = np.random.default_rng(derive_seed("random skips", space.name))
    drawn = (_select_first_cell(space, space.random(rng)) for _ in range(DRAWN))
    return float(np.mean([operations.count(str(space.skip)) >= skips for operations in drawn]))


def choose_never(runs: Runs) -> float:
    """What stands for an epoch that does not come: the one after the last."""
    return float(runs.epochs["epoch"].max()) + 1


def tabulate_ends(runs: Runs, skips: int) -> pd.DataFrame:
    """One row a run.

    Args:
        skips: so many of them are many.

    Returns:
        method, seed; skips, of the first kind of cell, as it was derived last; onset, the first epoch from which there
        are many to the end (`choose_never`: none); eigenvalue, the largest of the Hessian, as it was measured last
        (NaN: never).
    """
    import pandas as pd

    _, many = count_skips(runs)
    epochs, never = runs.epochs.sort_values(["method", "seed", "epoch"]), choose_never(runs)
    rows = []
    for (method, seed), run in epochs.groupby(["method", "seed"], sort=False):
        counts = run["architecture"].map(many).to_numpy()
        begins = find_onset_of_many(counts, skips)
        measured = run[EIGENVALUE].dropna().to_numpy() if EIGENVALUE in run else np.empty(0)
        rows.append(
            {
                "method": str(method),
                "seed": int(str(seed)),
                "skips": int(counts[-1]),
                "onset": never if np.isnan(begins) else float(run["epoch"].iloc[int(begins)]),
                "eigenvalue": float(measured[-1]) if len(measured) else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def add_doses(ends: pd.DataFrame, dose: str) -> pd.DataFrame:
    """The runs whose method's name says a dose, with it and with `group`, the other numbers of the name."""
    found = ends.assign(
        dose=[parse_doses(method).get(dose, np.nan) for method in ends["method"]],
        group=[
            " ".join(f"{name}={value:g}" for name, value in parse_doses(method).items() if name != dose)
            for method in ends["method"]
        ],
    )
    return found.dropna(subset="dose")


def compute_trend(ends: pd.DataFrame, quantity: str, by: str) -> Trend | None:
    """The trend of one column of runs with another, within groups of equal other doses; with the eigenvalue, which
    nobody chose, among all runs. None where there is nothing to compare."""
    known = ends.dropna(subset=[quantity, by])
    groups = [known] if by == "eigenvalue" else [own for _, own in known.groupby("group")]
    return estimate_trend([(own[by], own[quantity]) for own in groups])
