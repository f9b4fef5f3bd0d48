"""Other discretisation policies over the logits that runs have stored: new lookups, and no new search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.core.errors import HarnessError
from harness.core.files import join_inside, write_whole_folder
from harness.core.text import list_records
from harness.results.policies.base import Policy
from harness.results.runs import Runs
from harness.runs.archive import write_archive
from harness.runs.manifest import MANIFEST, read_manifest
from harness.runs.rows import lookup_records, record_architecture
from harness.spaces.base import Space
from harness.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd

KEPT = (
    "method",
    "seed",
    "epoch",
    "train_loss",
    "search_valid_loss",
    "supernet_accuracy_pct",
    "supernet_perplexity",
    "entropy_nats",
    "alphas",
)
"""Columns of an epoch's row that do not depend on the derived architecture. Those of probes may, and stay behind."""
DIGITS = "alphas_digits"
"""The column of imported rows that says how many digits their weights were printed with."""


def rederive(runs: Runs, policy: Policy, to: Path) -> tuple[Path, list[str]]:
    """Write what a policy derives of every epoch's logits, as a folder that every reader of results reads.

    Methods are called `METHOD [POLICY]`, and the folder NAME.POLICY, so that nothing is taken for what was searched;
    loaded together with the runs, both can be compared.

    Args:
        found: the runs; they are only read.
        policy: what derives.
        to: the folder to make the folder in.

    Returns:
        The folder, and a sentence for what had no logits.

    Raises:
        HarnessError: there are no logits, no table, no such thing as this policy, or something else is in the way.
    """
    if runs.table is None or runs.space is None:
        raise HarnessError(f"the runs of {runs.name} have no table to look other architectures up in")
    stored = runs.epochs["alphas"].map(len) > 0 if "alphas" in runs.epochs else runs.epochs["seed"] < 0
    if not stored.any():
        raise HarnessError(f"the runs of {runs.name} hold no logits, so there is nothing to derive again")
    left = describe_left_out(runs.epochs, stored)
    frames = derive_again(runs, runs.epochs[stored], runs.space, runs.table, policy)
    told = [*left, *describe_ties(runs.epochs[stored], frames["epochs"], runs.space, policy)]
    folder = join_inside(to, f"{runs.name}.{policy.name}")
    refuse_overwriting(folder, policy)
    write(folder, frames, build_manifest(runs, policy, set(frames["epochs"]["method"])))
    return folder, told


def describe_left_out(epochs: pd.DataFrame, stored: pd.Series[bool]) -> list[str]:
    """A sentence for each method without logits, and for each that lacks them at some epochs."""
    told = []
    for name, own in stored.groupby(epochs["method"], sort=False):
        if not own.any():
            told.append(f"{name} has no logits and is left out")
        elif not own.all():
            told.append(f"{name} has no logits at {int((~own).sum())} of {len(own)} epochs, which are left out")
    return told


def count_printed_digits(row: dict[str, Any]) -> int | None:
    """How many digits a foreign log printed of the weights that a row's logits come from; None where they are exact."""
    digits = row.get(DIGITS)
    return None if digits is None or np.isnan(digits) else int(digits)


def lean_logits(alphas: list[Any], row: dict[str, Any], space: Space) -> list[Any]:
    """Logits that were read back from printed weights, half of the last digit up where the cell that was printed with
    them takes an option: what is equal at that precision is then as it was printed, and nothing else is otherwise."""
    digits = count_printed_digits(row)
    if digits is None:
        return alphas
    taken = space.mix(space.parse(str(row["architecture"])))
    half = 0.5 * 10.0**-digits
    return [np.log(np.exp(a) + half * m) for a, m in zip(alphas, taken, strict=True)]


def describe_ties(stored: pd.DataFrame, derived: pd.DataFrame, space: Space, policy: Policy) -> list[str]:
    """A sentence for each method whose weights were printed with few digits: how many choices are ties at that
    precision, and at how many epochs another cell is derived than was printed."""
    told = []
    for name, part in stored.groupby("method", sort=False):
        rows = [row for row in list_records(part) if count_printed_digits(row) is not None]
        tied = sum(
            _count_tied(unflatten_logits(row["alphas"], space), 10.0 ** -(count_printed_digits(row) or 0))
            for row in rows
        )
        if not rows:
            continue
        again = derived.loc[derived["method"] == label_method(str(name), policy), "architecture"].to_numpy()
        other = int((again != part["architecture"].to_numpy()).sum())
        choices = len(rows) * sum(shape[0] for shape in space.alpha_shapes)
        told.append(
            f"{name}: the log prints {count_printed_digits(rows[0])} digits of the weights, at which {tied} of "
            f"{choices} choices are ties: "
            f"there the cell that it prints is taken; at {other} of {len(part)} epochs another cell is derived than it "
            f"prints"
        )
    return told


def _count_tied(alphas: list[Any], unit: float) -> int:
    """In how many choices the two largest weights are equal at their last digit."""
    count = 0
    for tensor in alphas:
        largest = np.sort(np.exp(tensor), axis=1)[:, -2:]
        count += int((largest[:, 1] - largest[:, 0] < unit / 2).sum()) if tensor.shape[1] > 1 else 0
    return count


def derive_again(
    runs: Runs, stored: pd.DataFrame, space: Space, table: Table, policy: Policy
) -> dict[str, pd.DataFrame]:
    """The three tables of these rows of epochs, methods relabeled."""
    import pandas as pd

    epochs: list[dict[str, Any]] = []
    lookups: list[dict[str, Any]] = []
    known: dict[str, list[dict[str, Any]]] = {}
    for row in list_records(stored[[c for c in (*KEPT, DIGITS, "architecture") if c in stored]]):
        architecture = policy.derive(space, lean_logits(unflatten_logits(row["alphas"], space), row, space))
        if architecture.encoding not in known:
            known[architecture.encoding] = lookup_records(row["epoch"], architecture, table)
        place = {"method": label_method(row["method"], policy), "seed": row["seed"], "epoch": row["epoch"]}
        kept = {str(name): value for name, value in row.items()}
        epochs.append(kept | place | record_architecture(architecture, space))
        lookups += [{**place, **record, "epoch": row["epoch"]} for record in known[architecture.encoding]]
    timing = runs.timing.merge(stored[["method", "seed", "epoch"]])  # of the epochs that have an architecture
    timing["method"] = [label_method(name, policy) for name in timing["method"]]
    return {"epochs": pd.DataFrame(epochs), "lookups": pd.DataFrame(lookups), "timing": timing}


def unflatten_logits(alphas: Any, space: Space) -> list[Any]:
    """The logits of a row as tensors of the space's shapes."""
    flat = np.asarray(alphas, dtype=float)
    ends = np.cumsum([rows * columns for rows, columns in space.alpha_shapes])
    if ends[-1] != len(flat):
        raise HarnessError(f"a row holds {len(flat)} logits, and {space.name} has {ends[-1]}: it is of another space")
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), space.alpha_shapes, strict=True)]


def label_method(method: str, policy: Policy) -> str:
    return f"{method} [{policy.name}]"


def refuse_overwriting(folder: Path, policy: Policy) -> None:
    """An error where the folder holds anything but what this policy derived before."""
    if not folder.exists():
        return
    try:
        before = read_manifest(folder / MANIFEST)["rederived"]["policy"]
    except (HarnessError, KeyError, TypeError):
        before = None
    if before != policy.name:
        raise HarnessError(f"{folder} is there, and holds something else: write to another folder")


def build_manifest(runs: Runs, policy: Policy, kept: set[str]) -> dict[str, Any]:
    """What the folder says of itself: as that of published results, and what it was derived from."""

    def again(name: str) -> str:
        label = label_method(name, policy)
        return label if label in kept else name

    declared = runs.declared.model_dump(mode="json")
    declared["baseline"] = declared["baseline"] and again(declared["baseline"])
    declared["pairs"] = [[again(name) for name in pair] for pair in declared["pairs"]]
    table, space = runs.table, runs.space
    assert table is not None and space is not None
    return {
        "study": {
            "name": f"{runs.name}.{policy.name}",
            "space": space.name,
            "comparison": declared,
            "figures": relabel_looks(runs.figures.model_dump(mode="json"), again),
        },
        "declaration": f"exploratory: the policy {policy.name} was chosen after the runs",
        "table": {"name": table.name, "fingerprint": table.fingerprint},
        "rederived": {"policy": policy.name, "from": str(runs.folder), "runs": [m["id"] for m in runs.manifests]},
        "runs": [
            {k: v for k, v in run.items() if k not in ("sha256", "files")}
            | {"id": f"{run['id']}.{policy.name}", "method_name": again(run["method_name"])}
            for run in runs.manifests
            if again(run["method_name"]) in kept
        ],
    }


def relabel_looks(figures: dict[str, Any], again: Callable[[str], str]) -> dict[str, Any]:
    """How figures look, with the methods' new names."""
    for key in ("labels", "colours"):
        figures[key] = {again(name): value for name, value in figures[key].items()}
    for key in ("order", "own"):
        figures[key] = figures[key] and [again(name) for name in figures[key]]
    return figures


def write(folder: Path, frames: dict[str, pd.DataFrame], told: dict[str, Any]) -> None:
    """The folder's files, the manifest last."""
    with write_whole_folder(folder) as draft:
        write_archive(draft, frames, told)
