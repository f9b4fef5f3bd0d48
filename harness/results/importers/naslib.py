"""Importing the logs of NASLib's one-shot searches on NAS-Bench-201."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import disk
from harness.runs.store import TABLES
from harness.spaces.base import Architecture
from harness.tables.measure import Measure
from harness.tables.table import Table

SAME = Measure("cifar10-valid", "x-valid", 200)
"""The measure that NAS-Bench-201's two versions and NASLib's logs have in common."""
TOLERANCE = 1e-3
"""Percentage points between a log and the table: tidy files round."""


def import_naslib(source: Path, table: Table, to: Path) -> Path:
    """Write `<source>/<Optimizer>/errors_<seed>.json[.gz]` as a folder of results (see `harness publish`).

    The derived architecture of every epoch is looked up in `table`; where the log and the table hold the same measure,
    they must agree. NASLib's first row is after its first epoch, so it becomes epoch 1. There are no logits.
    """
    import pandas as pd

    logs = sorted(p for p in source.glob("*/errors_*.json*"))
    if not logs:
        raise HarnessError(f"{source} holds no NASLib logs: they are <Optimizer>/errors_<seed>.json or .json.gz")
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for path in logs:
        number = re.fullmatch(r"errors_(\d+)\.json(\.gz)?", path.name)
        if not number:
            raise HarnessError(f"{path} is not named errors_<seed>.json or .json.gz: its seed is unknown")
        who = {"method": path.parent.name.removesuffix("Optimizer"), "seed": int(number[1])}
        _read(path, who, table, rows)
    folder = to / source.name
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in rows.items():
            pd.DataFrame(content).to_parquet(folder / f"{name}.parquet", index=False)
        manifest = {
            # equal seeds are not paired there: every method draws from one global random state
            "study": {"name": source.name, "comparison": {"paired": False}},
            "table": {"name": table.name, "fingerprint": table.fingerprint},
            "imported": {"from": "NASLib", "files": [str(p.relative_to(source)) for p in logs]},
            "runs": [],
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    return folder


def _read(path: Path, who: dict[str, Any], table: Table, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Append the rows of one log."""
    log = load(path)
    seconds = 0.0
    for index, entry in enumerate(log["arch_eval"]):
        place = {**who, "epoch": index + 1}
        architecture = table.space.parse(entry["arch"])
        agree(f"{path}, epoch {index + 1}", entry, architecture, table)
        counts = {f"count_{o}": architecture.operations.count(o) for o in table.space.operations}
        rows["epochs"].append(
            {
                **place,
                "train_loss": log["train_loss"][index],
                "architecture": architecture.encoding,
                "key": architecture.key,
                "search_valid_loss": log["valid_loss"][index],
                "supernet_accuracy_pct": log["valid_acc"][index],
                "entropy_nats": float("nan"),
                "alphas": [],
                **counts,
            }
        )
        for column, value in table.all_values(architecture):
            told = {"dataset": column.dataset, "split": column.split, "table_epochs": column.epochs}
            rows["lookups"].append({**place, **told, "trial": str(column.trial), "accuracy_pct": value})
        seconds += log["runtime"][index]
        rows["timing"].append({**place, "wall_s": seconds})


def load(path: Path) -> dict[str, Any]:
    """A log, with all of its lists equally long."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        log: dict[str, Any] = json.loads(raw)
        lengths = {len(log[k]) for k in ("train_loss", "valid_loss", "valid_acc", "runtime", "arch_eval")}
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{path} cannot be read as a NASLib log ({error!r}): is it complete?") from None
    if len(lengths) != 1:
        raise HarnessError(f"{path} is no complete NASLib log: its lists have {sorted(lengths)} entries")
    return log


def agree(where: str, entry: dict[str, Any], architecture: Architecture, table: Table) -> None:
    """An error where the log and the table say different things about one architecture."""
    if SAME not in table.measures:
        return
    ours = table.lookup(architecture, SAME)
    theirs = entry[SAME[0]]["valid_accuracy"]
    if abs(ours - theirs) > TOLERANCE:
        raise HarnessError(
            f"{where}: the log has {theirs:.4f} % for {SAME}, table {table.name} has "
            f"{ours:.4f} %: it is another version of the benchmark"
        )
