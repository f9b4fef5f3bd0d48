"""Published folders that a hand edited that writes fitting sums: told as damage, or read as what stands there."""

from __future__ import annotations

import copy
import json
import math
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from benchmarks.reliability.case import Case
from benchmarks.reliability.contained import command
from benchmarks.reliability.damage import finished
from harness.core.files import hash_bytes
from harness.runs.schema import TABLES

VERBS: dict[str, list[str]] = {
    "export": ["export", "results", "--format", "csv", "--to", "rows.csv"],
    "compare": ["compare", "results", "--format", "csv"],
    "paper": ["paper", "results", "--format", "latex"],
    "plot": ["plot", "results", "--to", "figures"],
    "stopping": ["plot", "results", "--figure", "stopping", "--to", "figures"],
    "report": ["report", "results", "--to", "report.html"],
    "verify": ["verify", "results"],
    "gate": ["gate", "results", "--write", "base.parquet"],
    "audit": ["audit", "results"],
    "rederive": ["rederive", "results", "--policy", "argmax", "--to", "derived"],
    "merge": ["merge", "results", "--to", "merged"],
    "rank": ["rank", "results", "results"],
    "ledger": ["ledger", "results"],
    "follow": ["export", "results", "--follow", "--format", "tensorboard", "--to", "board"],
    "tensorboard": ["export", "results", "--format", "tensorboard", "--to", "board"],
}
VALUES = (
    float("nan"), float("inf"), -float("inf"), -1, 0, 1, 1e308, 5e-324, -0.0, 101.5, 500.0, 1 << 53, (1 << 63) - 1,
    True, None, "text", "", "../../x", "=1+1", "a\nb", "\x1b[31m", b"bytes", [1.0], {"a": 1},
    pd.Timestamp("2020-01-01"),
)  # fmt: skip
PLACES = ("..", "../../../x", "/etc/hostname", "/dev/zero", "a/b", "", "\x00", "~", "C:\\x", "a" * 300)
PARTS: tuple[Any, ...] = (*PLACES, None, True, 0, -1, 1.5, 1 << 64, float("nan"), [], {}, [[]], {"a": 1}, "x")
Change = tuple[str, str, str, Any]
"""Table, column, what is done to it, and a value."""
HOW = (
    "cell", "column", "dropped", "renamed", "row twice", "row away", "as text", "as float32", "as category", "reversed",
    "new column", "empty",
)  # fmt: skip


@cache
def published(root: Path) -> Path:
    """A small study's results as they are published, made once."""
    done = finished(root)
    ended = command(["publish", "study.toml", "--out", "out", "--to", "published"], done, seconds=60)
    assert ended.code == 0, ended.err
    return done / "published" / "attacked"


def edit(frame: pd.DataFrame, column: str, how: str, value: Any) -> pd.DataFrame:
    """The table with one thing that is otherwise."""
    frame = frame.copy()
    place = len(frame) // 3
    if how == "cell":
        cells = list(frame[column])
        cells[place] = value
        frame[column] = pd.Series(cells, dtype=None if isinstance(value, int | float) else object)
    elif how == "column":
        frame[column] = pd.Series([value] * len(frame), dtype=None if isinstance(value, int | float) else object)
    elif how == "dropped":
        frame = frame.drop(columns=column)
    elif how == "renamed":
        frame = frame.rename(columns={column: f"{column} "})
    elif how == "row twice":
        frame = pd.concat([frame, frame.iloc[[place]]], ignore_index=True)
    elif how == "row away":
        frame = frame.drop(index=place)
    elif how == "as text":
        frame[column] = frame[column].astype(str)
    elif how == "as float32":
        frame[column] = pd.to_numeric(frame[column], errors="coerce").astype("float32")
    elif how == "as category":
        frame[column] = frame[column].astype(str).astype("category")
    elif how == "reversed":
        frame = frame.iloc[::-1]
    elif how == "new column":
        frame[f"count_{column}"] = pd.Series([value] * len(frame), dtype=object)
    elif how == "empty":
        frame = frame.iloc[:0]
    return frame


def attack(folder: Path, root: Path, verb: str, changes: list[Change]) -> str | None:
    """A reader of results whose tables were edited."""
    there = folder / "results"
    shutil.copytree(published(root), there)
    manifest = json.loads((there / "manifest.json").read_text())
    tables = {name: pd.read_parquet(there / f"{name}.parquet") for name in TABLES}
    for table, column, how, value in changes:
        try:
            changed = edit(tables[table], column, how, value)
            changed.to_parquet(there / f"{table}.parquet", index=False)
        except Exception:  # Parquet cannot hold it: there is no such file
            continue
        tables[table] = pd.read_parquet(there / f"{table}.parquet")
    for name in TABLES:
        manifest["files"][f"{name}.parquet"] = hash_bytes((there / f"{name}.parquet").read_bytes())
    (there / "manifest.json").write_text(json.dumps(manifest))
    return judged(folder, verb, tables)


def judged(folder: Path, verb: str, tables: dict[str, pd.DataFrame] | None = None) -> str | None:
    """What is wrong with the answer of a reader of `results`. tables: what stands there, where that is known."""
    around = folder / "around"
    around.mkdir()
    shutil.move(folder / "results", around / "results")
    before = state(folder, around)
    ended = command(VERBS[verb], around, seconds=30)
    if fault := ended.fault((0, 1, 2, 3, 4)):
        return f"{verb}: {fault}"
    if state(folder, around) != before:
        return f"{verb}: wrote outside"
    if verb == "export" and ended.code == 0 and tables is not None:
        return other_numbers(around / "rows.csv", tables)
    return None


def state(folder: Path, around: Path) -> list[tuple[str, int, int]]:
    """What lies beside the folder in which a command runs; not the cache."""
    return sorted(
        (str(p), p.lstat().st_size, p.lstat().st_mtime_ns)
        for p in folder.rglob("*")
        if p.is_file() and not p.is_relative_to(around) and not p.is_relative_to(folder / "cache")
    )


def other_numbers(path: Path, tables: dict[str, pd.DataFrame]) -> str | None:
    """Whether exported rows have other losses or seconds than the tables, or other rows."""
    found = pd.read_csv(path)
    epochs = tables["epochs"].merge(tables["timing"], on=["method", "seed", "epoch"], how="left")
    epochs = epochs.sort_values(["method", "seed", "epoch"], ignore_index=True)
    found = found.sort_values(["method", "seed", "epoch"], ignore_index=True)
    if len(found) != len(epochs):
        return f"wrong number of rows: {len(found)} of {len(epochs)}"
    seconds = epochs["wall_s"].astype(float)
    for apart in ("probe_s", "lookup_s"):
        if apart in epochs:
            seconds = seconds - epochs[apart].astype(float).fillna(0)
    if "simulated_s" in epochs:
        seconds = epochs["simulated_s"].astype(float).fillna(seconds)
    told = {"seconds": seconds}
    if "train_loss" in epochs:
        told["loss"] = epochs["train_loss"].astype(float)
    for column, expected in told.items():
        if column in found and not np.allclose(found[column], expected, rtol=1e-9, atol=1e-12, equal_nan=True):
            return f"wrong number in {column}: {found[column].tolist()[:4]} for {expected.tolist()[:4]}"
    return None


# -- manifests -----------------------------------------------------------------------------------------------------


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a manifest, three deep at least."""
    inside = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, below in inside:
        yield (*path, key)
        if len(path) < 4:
            yield from paths_of(below, (*path, key))


def put(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    content = copy.deepcopy(content)
    node = content
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return content


def of_manifest(folder: Path, root: Path, verb: str, change: Any) -> str | None:
    """A reader of results whose manifest was edited. change: of its content, or of its text."""
    there = folder / "results"
    shutil.copytree(published(root), there)
    content = json.loads((there / "manifest.json").read_text())
    changed = change(content)
    (there / "manifest.json").write_text(changed if isinstance(changed, str) else json.dumps(changed))
    return judged(folder, verb)


def told_twice(content: dict[str, Any], other: dict[str, Any]) -> str:
    """Two manifests in one: each key stands there twice, with two values."""
    return json.dumps(content)[:-1] + ", " + json.dumps(other)[1:]


def beside_runs(folder: Path, root: Path, verb: str) -> str | None:
    """A folder that has the manifest of results and the folders of runs."""
    there = folder / "results"
    shutil.copytree(published(root), there)
    for run in (finished(root) / "out" / "attacked").glob("*_seed*"):
        shutil.copytree(run, there / run.name)
    return judged(folder, verb)


TWICE: dict[str, Any] = {
    "an empty one": {"files": {}}, "files elsewhere": {"files": {"../../x": "0"}}, "no runs": {"runs": []},
    "another study": {"study": {"name": ".."}}, "runs of text": {"runs": ["a"]},
    "another table": {"table": {"name": "x", "fingerprint": "y"}},
    "a run's": {"configuration": {}}, "a training's": {"retraining": {}},
}  # fmt: skip


def named(root: Path) -> Iterator[Case]:
    for verb in VERBS:
        yield Case("edited", f"{verb}: as it is", lambda f, v=verb: attack(f, root, v, []))
        yield Case("manifests", f"{verb}: results with runs beside", lambda f, v=verb: beside_runs(f, root, v))
        for name, other in TWICE.items():
            yield Case(
                "manifests", f"{verb}: told twice, {name}",
                lambda f, v=verb, o=other: of_manifest(f, root, v, lambda c: told_twice(c, o)),
            )  # fmt: skip
    for column in ("wall_s", "probe_s", "lookup_s", "simulated_s", "epoch", "method", "seed"):
        for value in VALUES:
            for how in ("cell", "column"):
                yield Case(
                    "edited", f"timing.{column} {how} {value!r}",
                    lambda f, c=column, h=how, x=value: attack(f, root, "export", [("timing", c, h, x)]),
                )  # fmt: skip


COLUMNS = {
    "epochs": ("method", "seed", "epoch", "architecture", "key", "train_loss", "search_valid_loss", "alphas",
               "supernet_accuracy_pct", "entropy_nats", "count_none"),
    "lookups": ("method", "seed", "epoch", "dataset", "split", "table_epochs", "trial", "accuracy_pct"),
    "timing": ("method", "seed", "epoch", "wall_s", "probe_s", "lookup_s", "simulated_s"),
}  # fmt: skip


@st.composite
def hostile(draw: st.DrawFn) -> tuple[str, list[Change]]:
    """A reader, and one to three changes of the tables."""
    changes = []
    for _ in range(draw(st.integers(1, 3))):
        table = draw(st.sampled_from(TABLES))
        value = draw(st.one_of(st.sampled_from(VALUES), st.floats(), st.integers(-10, 1 << 63), st.text(max_size=8)))
        changes.append((table, draw(st.sampled_from(COLUMNS[table])), draw(st.sampled_from(HOW)), value))
    return draw(st.sampled_from(list(VERBS))), changes


def fuzzed(root: Path, value: tuple[str, list[Change]]) -> Case:
    verb, changes = value
    return Case("edited", f"{verb}: {changes!r}", lambda f: attack(f, root, verb, changes))


@st.composite
def hostile_manifest(draw: st.DrawFn) -> tuple[str, float, Any]:
    """A reader, where in a manifest (as a share of its places), and a value."""
    return draw(st.sampled_from(list(VERBS))), draw(st.floats(0, 1, exclude_max=True)), draw(st.sampled_from(PARTS))


def fuzzed_manifest(root: Path, value: tuple[str, float, Any]) -> Case:
    verb, share, part = value

    def change(content: dict[str, Any]) -> Any:
        places = list(paths_of(content))
        return put(content, places[math.floor(share * len(places))], part)

    return Case("manifests", f"{verb}: {share} {part!r}", lambda f: of_manifest(f, root, verb, change))
