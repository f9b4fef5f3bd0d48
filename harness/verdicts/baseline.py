"""A baseline: the rows of finished runs in one file, with their configuration, for the stability gate."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.core.errors import HarnessError
from harness.core.files import write_file
from harness.results.runs import Runs
from harness.tables.measure import SCALES

if TYPE_CHECKING:
    import pandas as pd

SUPERNET = tuple(f"supernet_{column}" for column in SCALES)
"""What is measured of a one-shot network, on each scale; a search has one of them."""
ELSEWHERE = ("method", "seed", "seconds", "measure")
"""Columns that say which run a row is of, or that no machine gives again."""
NUMBERS = ("seed", "epoch", "error_pct", "optimum", "random_median", "train_loss", "search_valid_loss")


def select_baseline_rows(runs: Runs) -> pd.DataFrame:
    """What a baseline keeps: the rows of every epoch with their error, and the table's optimum and random median."""
    optimum, random_median = runs.reference_errors()
    return runs.rows().assign(
        optimum=optimum,
        random_median=random_median,
        measure="supernet" if runs.table is None else f"{runs.table.name} {runs.table.test}",
    )


def write_baseline(runs: Runs, path: Path) -> None:
    """One Parquet file; what the runs of each method ran with, and on, is kept in its metadata."""
    rows = select_baseline_rows(runs)
    rows.attrs = {"made": describe_making(runs.manifests)}
    content = io.BytesIO()
    rows.to_parquet(content, index=False)
    write_file(path, content.getvalue())


def describe_making(manifests: Sequence[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """What the first run of each method ran with: values by dotted key, without the seed."""
    found: dict[str, dict[str, str]] = {}
    for manifest in manifests:
        if manifest["method_name"] not in found:
            configuration = {k: v for k, v in manifest["configuration"].items() if k != "seed"}
            others = {"environment": manifest.get("environment", {}), "digest": manifest.get("code", {})}
            found[manifest["method_name"]] = dict(flatten_values(configuration | others))
    return found


def flatten_values(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Nested values as (dotted key, text)."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flatten_values(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", str(value)


def list_changes(manifests: Sequence[dict[str, Any]], baseline: pd.DataFrame) -> list[str]:
    """What today's runs ran with that the baseline's did not, a line each; the first is about the configuration."""
    kept, now = baseline.attrs.get("made"), describe_making(manifests)
    before = kept if isinstance(kept, dict) and all(isinstance(v, dict) for v in kept.values()) else {}
    if not before or not now:
        who = "the baseline keeps none, as those of imported runs do" if not before else "these results keep none"
        return [f"configuration: not compared, {who}"]
    differing: dict[str, list[str]] = {}
    both = [m for m in before if m in now]
    for method in both:
        for key in dict.fromkeys([*before[method], *now[method]]):
            old, new = before[method].get(key, "not set"), now[method].get(key, "not set")
            if old != new:
                differing.setdefault(f"{key} {old} -> {new}", []).append(method)
    told = [c if len(m) == len(both) else f"{c} ({', '.join(m)})" for c, m in differing.items()]
    environment = [c.removeprefix("environment.") for c in told if c.startswith("environment.")]
    code = [c.removeprefix("digest.") for c in told if c.startswith("digest.")]
    configuration = [c for c in told if not c.startswith(("environment.", "digest."))]
    lines = [f"configuration: {'; '.join(configuration) or 'the same'}"]
    lines += [f"made with: {'; '.join(environment)}"] if environment else []
    return lines + ([f"code: {'; '.join(code)}"] if code else [])


def read_baseline(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        rows = pd.read_parquet(path)
        rows[["method", "measure", *list_exact_columns(rows)]]
        for column in ("method", "measure"):
            if not all(isinstance(value, str) for value in rows[column]):
                raise ValueError(f"its column {column} holds no text")
        for column in (*NUMBERS, *list_measured_columns(rows)):
            if not pd.api.types.is_numeric_dtype(rows[column]):
                raise ValueError(f"its column {column} holds no numbers, but {rows[column].dtype}")
        if np.isinf(rows["error_pct"]).any():
            raise ValueError("its column error_pct holds infinity")
        for column in ("seed", "epoch"):  # a row without would be one of no run, and compared with none
            if not (rows[column] % 1 == 0).all():
                raise ValueError(f"its column {column} holds what is no whole number")
    except HarnessError:
        raise
    except FileNotFoundError:
        raise HarnessError(
            f"there is no baseline at {path}: write one with harness gate STUDY --write {path}"
        ) from None
    except (OSError, ValueError, KeyError) as error:
        raise HarnessError(f"{path} is no baseline of this tool ({error}): write it again") from None
    return rows


def list_measured_columns(rows: pd.DataFrame) -> list[str]:
    """The columns of what is measured of the one-shot network; its accuracy where there is none, to be missed there."""
    return [c for c in SUPERNET if c in rows] or [SUPERNET[0]]


def list_exact_columns(rows: pd.DataFrame) -> list[str]:
    """Columns that a search on the same machine gives again to the last bit, in the order in which they are told of."""
    return ["epoch", "architecture", "train_loss", "search_valid_loss", *list_measured_columns(rows), "alphas"]


def compare_exactly(today: Runs, baseline: pd.DataFrame) -> list[str]:
    """What differs, to the last bit, from runs on the same machine; one line a run."""
    now = select_baseline_rows(today)
    check_same_measure(now, baseline)
    return find_differences(now, baseline)


def find_differences(now: pd.DataFrame, baseline: pd.DataFrame) -> list[str]:
    """What differs in the rows of the baseline's runs, to the last bit, in every column that both have (what probes
    measured, and the table's values, too); one line a run."""
    first = list_exact_columns(baseline)
    columns = [*first, *(c for c in map(str, baseline) if c in now and c not in (*first, *ELSEWHERE))]
    differences = []
    for (method, seed), old_rows in baseline.groupby(["method", "seed"], sort=False):
        before = old_rows.sort_values("epoch")
        after = now[(now["method"] == method) & (now["seed"] == seed)].sort_values("epoch")
        who = f"{method}, seed {seed}"
        if len(after) != len(before):
            differences.append(f"{who}: {len(after)} epochs are there, the baseline has {len(before)}")
            continue
        for row, old in zip(after.to_dict("records"), before.to_dict("records"), strict=True):
            changed = [c for c in columns if not equals_or_missing(row.get(c), old[c])]
            if changed:
                differences.append(f"{who}: from epoch {row['epoch']} on, first in {', '.join(changed)}")
                break
    return differences


def equals_or_missing(a: Any, b: Any) -> bool:
    ours, theirs = np.asarray(a), np.asarray(b)
    numbers = ours.dtype.kind in "fiub" and theirs.dtype.kind in "fiub"
    return bool(np.array_equal(ours, theirs, equal_nan=numbers))


def check_same_measure(now: pd.DataFrame, baseline: pd.DataFrame) -> None:
    ours, theirs = now["measure"].iloc[0], baseline["measure"].iloc[0]
    if ours != theirs:
        raise HarnessError(f"the baseline's errors are of {theirs}, these of {ours}: they cannot be compared")
