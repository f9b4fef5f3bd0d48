"""Names, seeds and numbers of every sort to every exporter: what is written is read again by the tool that owns it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from benchmarks.reliability.case import Case
from benchmarks.reliability.contained import command
from benchmarks.reliability.edited import published, state
from harness.core.files import hash_bytes
from harness.core.text import is_label
from harness.runs.schema import TABLES

FORMATS = ("csv", "parquet", "tensorboard", "mlflow")
"""Those that take no server or process of their own; Weights & Biases has a few cases by hand."""
LABELS = (
    "darts", "a/b", "a\\b", "..", ".", ".5-noise", "it's", 'say "so"', "`tick`", "%s", "a%b", "é", "雪", "=1+1", "-x",
    "@a", "a,b", "[/red]", "<b>", "$\\frac{a$", "{x}", "a" * 100, "a" * 255, "a" * 1000, " a", "CON", "a:b",
    "tag = 'x' OR 1", "\u202eabc", "a'/\"b", "~", "*", "?", "|", "a  b", "seed0",
)  # fmt: skip
SEEDS = (0, 1, (1 << 31) - 1, 1 << 53, (1 << 53) + 1, (1 << 63) - 1)
NUMBERS = (0.0, -0.0, 1.0, 1e308, -1e308, 5e-324, 1e-40, 3.5e38, float("nan"), float("inf"), -float("inf"))
TARGETS: dict[str, Callable[[Path], object]] = {
    "nothing there": lambda p: None,
    "an empty folder": lambda p: p.mkdir(),
    "a file": lambda p: p.write_text("mine"),
    "a link elsewhere": lambda p: ((p.parent / "linked").mkdir(), p.symlink_to(p.parent / "linked")),
    "a folder of others": lambda p: (p.mkdir(), (p / "mine").write_text("mine")),
    "half of an export": lambda p: (p.mkdir(), (p / "a").mkdir(), (p / "a" / "seed0").mkdir(),
                                    (p / "a" / "seed0" / "harness-run.txt.tmp").write_text("x"),
                                    (p / "a" / "seed0" / "events.out.tfevents.1.x").write_bytes(b"\x01" * 40)),
    "an export of others": lambda p: (p.mkdir(), (p / "a").mkdir(), (p / "a" / "seed0").mkdir(),
                                      (p / "a" / "seed0" / "events.out.tfevents.1.x").write_bytes(b"")),
}  # fmt: skip


def prepared(folder: Path, root: Path, label: str, seed: int, number: float) -> pd.DataFrame:
    """Results of one run with this label, this seed and one such loss; the rows of its epochs."""
    there = folder / "results"
    shutil.copytree(published(root), there)
    manifest = json.loads((there / "manifest.json").read_text())
    for name in TABLES:
        frame = pd.read_parquet(there / f"{name}.parquet")
        frame = frame[(frame["method"] == "darts") & (frame["seed"] == 0)].assign(method=label, seed=seed)
        if name == "epochs":
            frame.loc[frame.index[-1], "train_loss"] = number
            epochs = frame
        frame.to_parquet(there / f"{name}.parquet", index=False)
        manifest["files"][f"{name}.parquet"] = hash_bytes((there / f"{name}.parquet").read_bytes())
    (there / "manifest.json").write_text(json.dumps(manifest | {"runs": []}))
    return epochs


def attack(
    folder: Path, root: Path, form: str, label: str, seed: int = 0, number: float = 1.0, target: str = "nothing there"
) -> str | None:
    """Export it twice; what is there then is what was to be written, once, and nothing is anywhere else."""
    around = folder / "around"
    around.mkdir()
    epochs = prepared(around, root, label, seed, number)
    place = around / "to"
    TARGETS[target](place)
    kept = {p: p.read_bytes() for p in around.rglob("mine")} | ({place: b"mine"} if place.is_file() else {})
    before = state(folder, around)
    words = ["export", "results", "--format", form, "--to", "to"]
    for _ in range(2):
        ended = command(words, around, seconds=30)
        if fault := ended.fault((0, 2)):
            return fault
        if ended.code and is_label(label) and target == "nothing there":
            return f"refused a label that studies may have: {ended.err[:200]}"
    if state(folder, around) != before or (strange := set(around.iterdir()) - {place, *expected(around)}):
        return f"wrote outside: {strange if state(folder, around) == before else 'of its folder'}"
    if form in ("tensorboard", "mlflow") and any(p.read_bytes() != content for p, content in kept.items()):
        return "wrote over what others had there"
    return None if ended.code else read(form, place, epochs, label, seed)


def expected(around: Path) -> list[Path]:
    return [around / "results", around / "linked"]


def read(form: str, place: Path, epochs: pd.DataFrame, label: str, seed: int) -> str | None:
    """Whether the losses of the run are there, once each."""
    told = epochs["train_loss"].tolist()
    if form in ("csv", "parquet"):
        rows = (
            pd.read_csv(place, keep_default_na=True, dtype={"method": str}) if form == "csv" else pd.read_parquet(place)
        )
        method = rows["method"].iloc[0]
        if method not in (label, f"'{label}"):
            return f"wrong label: {method!r}"
        if rows["seed"].tolist() != [seed] * len(told):
            return f"wrong number: seed {rows['seed'].iloc[0]} for {seed}"
        losses = rows["loss"].tolist() if "loss" in rows else [float("nan")] * len(told)
    elif form == "tensorboard":
        from harness.results.exporters.tensorboard import read_events

        (folder,) = {p.parent for p in place.rglob("events.out.tfevents.*") if p.stat().st_size}
        found = list(read_events(folder))
        if [step for step, _ in found] != epochs["epoch"].tolist():
            return f"wrong number of epochs: {[step for step, _ in found]}"
        losses = [values.get("loss", float("nan")) for _, values in found]
        with np.errstate(over="ignore"):
            told = [float(np.float32(value)) for value in told]
    else:
        os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=place.resolve().as_uri())
        runs = [r for e in client.search_experiments() for r in client.search_runs([e.experiment_id])]
        if len(runs) != 1 or runs[0].data.tags["method"] != label or runs[0].data.tags["seed"] != str(seed):
            return f"wrong number of runs, or another: {[r.data.tags for r in runs]}"
        if "loss" not in runs[0].data.metrics:
            return None if all(np.isnan(told)) else "wrong number: no loss"
        history = {m.step: m.value for m in client.get_metric_history(runs[0].info.run_id, "loss")}
        losses = [history.get(epoch, float("nan")) for epoch in epochs["epoch"]]
    same = all(a == b or (np.isnan(a) and np.isnan(b)) for a, b in zip(losses, told, strict=True))
    return None if same else f"wrong number: {losses} for {told}"


def of_wandb(folder: Path, root: Path, label: str) -> str | None:
    """One whole folder of its, of two exports."""
    prepared(folder, root, label, 0, 1.0)
    for _ in range(2):
        ended = command(["export", "results", "--format", "wandb", "--to", "to"], folder, seconds=60, memory=8 << 30)
        if fault := ended.fault((0, 2)):
            return fault
    whole = list(folder.glob("to/wandb/offline-run-*/harness-done"))
    return None if len(whole) == 1 else f"wrong number of runs: {len(whole)} ({ended.err[-300:]})"


def named(root: Path) -> Iterator[Case]:
    for form in FORMATS:
        for label in LABELS:
            yield Case("exporters", f"{form}: {label[:40]!r}", lambda f, o=form, x=label: attack(f, root, o, x))
        for seed in SEEDS[1:]:
            yield Case("exporters", f"{form}: seed {seed}", lambda f, o=form, s=seed: attack(f, root, o, "a", s))
        for number in NUMBERS:
            yield Case("exporters", f"{form}: {number}", lambda f, o=form, n=number: attack(f, root, o, "a", 0, n))
        for target in TARGETS:
            yield Case(
                "exporters", f"{form}: to {target}",
                lambda f, o=form, t=target: attack(f, root, o, "a", target=t),
            )  # fmt: skip
    for label in ("darts", "it's", "雪", "a/b"):
        yield Case("exporters", f"wandb: {label}", lambda f, x=label: of_wandb(f, root, x))


@st.composite
def hostile(draw: st.DrawFn) -> tuple[str, str, int, float]:
    """A format, a label, a seed and a loss."""
    return (
        draw(st.sampled_from(FORMATS)),
        draw(st.one_of(st.sampled_from(LABELS), st.text(min_size=1, max_size=20))),
        draw(st.one_of(st.sampled_from(SEEDS), st.integers(0, (1 << 63) - 1))),
        draw(st.one_of(st.sampled_from(NUMBERS), st.floats())),
    )


def fuzzed(root: Path, value: tuple[Any, ...]) -> Case:
    return Case("exporters", repr(value), lambda f: attack(f, root, *value))
