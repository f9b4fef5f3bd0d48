"""What every importer of foreign logs offers: which files it recognises, and the epochs that they hold.

An importer reads; `import_logs` then checks every epoch, looks its architecture up in a table, and writes the folder
that plot, compare, gate and report read.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from harness.core.errors import HarnessError
from harness.core.files import disk, write_atomically
from harness.core.registry import Registry
from harness.runs.rows import architecture_record, lookup_records
from harness.runs.store import MANIFEST, TABLES, write_tables
from harness.spaces.base import Architecture, Space
from harness.tables.table import Table

IMPORTERS = Registry("importers", "harness.results.importers")
NAN = float("nan")


@dataclass(frozen=True)
class Epoch:
    """The state of one foreign run after `epoch` epochs of training (0: before any).

    where: file and line (or entry), for errors. architecture: as the table's space writes it. seconds: since the run
    began. losses: mean cross-entropy. accuracy: the supernet's, validation, %. alphas: logits, flat, in the space's
    order; empty where the log has none.
    """

    where: str
    method: str
    seed: int
    epoch: int
    architecture: str
    seconds: float = NAN
    train_loss: float = NAN
    valid_loss: float = NAN
    accuracy: float = NAN
    alphas: tuple[float, ...] = ()


@dataclass
class Log:
    """What an importer read. notes: what a reader has to know, one sentence each. paired: whether equal seeds of two
    methods may be compared as a pair; foreign tools rarely draw so that they may. files: what was read."""

    epochs: list[Epoch]
    files: list[Path]
    notes: list[str] = field(default_factory=list)
    paired: bool = False


class Importer(ABC):
    """One foreign format. The first line of the docstring is what listings show."""

    name: ClassVar[str] = ""
    tool: ClassVar[str]
    """Whose logs they are, for the manifest."""
    endings: ClassVar[tuple[str, ...]] = ()
    """How names of its files end: such a file that no format recognises is read by it, which says what is amiss."""

    @abstractmethod
    def recognises(self, source: Path) -> bool:
        """Whether a file or folder looks like this format; reads little of it, and raises nothing."""

    @abstractmethod
    def read(self, source: Path, space: Space) -> Log:
        """Every epoch of every run in a file or folder.

        Raises:
            HarnessError: something is not as the format has it; the sentence names file and line.
        """

    def check(self, epoch: Epoch, architecture: Architecture, table: Table) -> None:
        """Compare what the log itself says of an architecture with the table, where it says something."""
        return


def importer_of(source: Path) -> Importer:
    """The one importer that recognises a file or folder."""
    if not source.exists():
        raise HarnessError(f"there is nothing at {source}: check the path")
    known: dict[str, Importer] = {name: cls() for name, cls in IMPORTERS.classes.items()}
    found = [name for name, importer in known.items() if importer.recognises(source)]
    if len(found) == 1:
        return known[found[0]]
    if found:
        raise HarnessError(f"{source} can be read as {' and as '.join(found)}: say which, harness import {found[0]} ..")
    for importer in known.values():
        if source.is_file() and importer.endings and source.name.lower().endswith(importer.endings):
            return importer
    raise HarnessError(f"{source} is in no format that is known: name one of {', '.join(known)}, or write a CSV")


def import_logs(
    importer: Importer,
    source: Path,
    table: Table,
    to: Path,
    *,
    method: str | None = None,
    seed: int | None = None,
    replace_older: bool = False,
) -> tuple[Path, list[str]]:
    """Check and look up every epoch of foreign logs, and write them as a folder of results `<to>/<name of source>`.

    Args:
        method, seed: instead of the log's own; for a source that holds one method, or one run.
        replace_older: write over what lies in that folder.

    Returns:
        The folder, and sentences that a reader has to know.

    Raises:
        HarnessError: nothing is written where any row is wrong (the sentence names file and line), or where the folder
            is there.
    """
    import pandas as pd

    if not source.exists():
        raise HarnessError(f"there is nothing at {source}: check the path")
    name = source.name.removesuffix(".gz").rsplit(".", 1)[0] if source.is_file() else source.resolve().name
    folder = to / name
    if folder.is_dir() and any(folder.iterdir()) and not replace_older:
        raise HarnessError(
            f"{folder} is there, and logs of another source may have that name: --replace writes over it, --to names "
            "another place"
        )
    log = importer.read(source, table.space)
    epochs = sorted(relabelled(log.epochs, method, seed), key=lambda e: (e.method, e.seed, e.epoch))
    if not epochs:
        raise HarnessError(f"{source} holds no epoch of any run")
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for epoch in checked(epochs):
        _append(rows, epoch, importer, table)
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        files = write_tables(folder, {kind: pd.DataFrame(content) for kind, content in rows.items()})
        manifest = {
            "study": {"name": name, "comparison": {} if log.paired else {"paired": False}},
            "table": {"name": table.name, "fingerprint": table.fingerprint},
            "imported": {"from": importer.tool, "files": [relative(p, source) for p in log.files], "notes": log.notes},
            "runs": [],
            "files": files,
        }
        write_atomically(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    return folder, [*log.notes, *remarks(epochs)]


def relative(path: Path, source: Path) -> str:
    return str(path.relative_to(source)) if path.is_relative_to(source) and path != source else path.name


def relabelled(epochs: list[Epoch], method: str | None, seed: int | None) -> list[Epoch]:
    """The epochs under another name or seed, where the source holds only one."""
    methods, runs = {e.method for e in epochs}, {(e.method, e.seed) for e in epochs}
    if method is not None and len(methods) > 1:
        raise HarnessError(
            f"--method {method} would give {len(methods)} methods one name: {', '.join(sorted(methods))}"
        )
    if seed is not None and len(runs) > 1:
        raise HarnessError(f"--seed {seed} would give {len(runs)} runs one seed: import them one at a time")
    changes: dict[str, Any] = {k: v for k, v in (("method", method), ("seed", seed)) if v is not None}
    return [replace(e, **changes) for e in epochs] if changes else epochs


def checked(epochs: list[Epoch]) -> Iterator[Epoch]:
    """The epochs one by one, in the order of runs; an error names the row that cannot be right."""
    before: dict[tuple[str, int, int], Epoch] = {}
    last: Epoch | None = None
    for epoch in epochs:
        place = (epoch.method, epoch.seed, epoch.epoch)
        who = f"{epoch.method}, seed {epoch.seed}, epoch {epoch.epoch}"
        if place in before:
            raise HarnessError(f"{epoch.where}: {who} is there twice, first at {before[place].where}")
        before[place] = epoch
        if epoch.seed < 0 or epoch.epoch < 0:
            raise HarnessError(
                f"{epoch.where}: seed and epoch are whole numbers from 0, not {epoch.seed}, {epoch.epoch}"
            )
        if not math.isnan(epoch.accuracy) and not 0 <= epoch.accuracy <= 100:
            raise HarnessError(f"{epoch.where}: an accuracy of {epoch.accuracy:g} is no percentage")
        same_run = last is not None and (last.method, last.seed) == place[:2]
        if last is not None and same_run and epoch.seconds < last.seconds:
            raise HarnessError(
                f"{epoch.where}: {who} is at {epoch.seconds:g} s, earlier than epoch {last.epoch} "
                f"({last.seconds:g} s): seconds count from the run's beginning"
            )
        last = epoch
        yield epoch
    fractions = [e for e in epochs if not math.isnan(e.accuracy)]
    if fractions and max(e.accuracy for e in fractions) <= 1:
        raise HarnessError(f"{fractions[0].where}: accuracies are in %, and none here is above 1: multiply by 100")


def _append(rows: dict[str, list[dict[str, Any]]], epoch: Epoch, importer: Importer, table: Table) -> None:
    """The rows of one epoch, with all that the table holds of its architecture."""
    space = table.space
    try:
        architecture = space.parse(epoch.architecture)
        looked_up = lookup_records(epoch.epoch, architecture, table)
    except HarnessError as error:
        raise HarnessError(f"{epoch.where}: {error}") from None
    importer.check(epoch, architecture, table)
    expected = sum(a * b for a, b in space.alpha_shapes)
    if epoch.alphas and len(epoch.alphas) != expected:
        raise HarnessError(f"{epoch.where}: {len(epoch.alphas)} alphas are there, {space.name} has {expected}")
    place = {"method": epoch.method, "seed": epoch.seed, "epoch": epoch.epoch}
    counts = architecture_record(architecture, space)
    rows["epochs"].append(
        {
            **place,
            "train_loss": epoch.train_loss,
            **{name: counts.pop(name) for name in ("architecture", "key")},
            "search_valid_loss": epoch.valid_loss,
            "supernet_accuracy_pct": epoch.accuracy,
            "entropy_nats": NAN,
            "alphas": list(epoch.alphas),
            **counts,
        }
    )
    rows["lookups"] += [{**place, **record} for record in looked_up]
    rows["timing"].append({**place, "wall_s": epoch.seconds})


def remarks(epochs: list[Epoch]) -> list[str]:
    """What is uneven within and between the runs."""
    runs: dict[str, list[int]] = {}
    for e in epochs:
        runs.setdefault(f"{e.method} seed {e.seed}", []).append(e.epoch)
    steps = Counter(b - a for numbers in runs.values() for a, b in pairwise(numbers))
    usual = max(steps, key=lambda step: steps[step], default=1)
    gaps = [(who, a, b) for who, numbers in runs.items() for a, b in pairwise(numbers) if b - a > usual]
    told = [f"{who} has no epoch between {a} and {b}" for who, a, b in gaps[:5]]
    ends: dict[int, list[str]] = {}
    for who, numbers in runs.items():
        ends.setdefault(numbers[-1], []).append(who)
    if len(ends) > 1:
        most = max(ends, key=lambda end: len(ends[end]))
        others = [f"{who} at {end}" for end, whose in sorted(ends.items()) if end != most for who in whose]
        told.append(f"not all runs end at the same epoch: {len(ends[most])} at {most}, {', '.join(others[:5])}")
    return told
