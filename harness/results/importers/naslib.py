"""NASLib's one-shot searches: <Optimizer>/errors_<seed>.json or .json.gz in a folder."""

from __future__ import annotations

import gzip
import json
import re
from itertools import accumulate
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.results.importers.base import NAN, Epoch, Importer, Log
from harness.spaces.base import Architecture, Space
from harness.tables.measure import Measure
from harness.tables.table import Table

SAME = Measure("cifar10-valid", "x-valid", 200)
"""The measure that NAS-Bench-201's two versions and NASLib's logs have in common."""
TOLERANCE = 1e-3
"""Percentage points between a log and the table: tidy files round."""
LISTS = ("train_loss", "valid_loss", "valid_acc", "runtime")
"""Lists of the log that may be missing; each has an entry an epoch."""


class NASLib(Importer):
    """NASLib's one-shot searches: <Optimizer>/errors_<seed>.json or .json.gz in a folder.

    NASLib asks for the derived architecture after each of its epochs, also after the one that it counts as 0, so its
    first row is epoch 1 here; the untrained state is not in its logs. There are no logits.
    """

    name = "naslib"
    tool = "NASLib"

    def __init__(self) -> None:
        self.measured: dict[str, float] = {}

    def recognises(self, source: Path) -> bool:
        return source.is_dir() and any(source.glob("*/errors_*.json*"))

    def read(self, source: Path, space: Space) -> Log:
        logs = sorted(source.glob("*/errors_*.json*"))
        if not logs:
            raise HarnessError(f"{source} holds no NASLib logs: they are <Optimizer>/errors_<seed>.json or .json.gz")
        epochs: list[Epoch] = []
        for path in logs:
            number = re.fullmatch(r"errors_(\d+)\.json(\.gz)?", path.name)
            if not number:
                raise HarnessError(f"{path} is not named errors_<seed>.json or .json.gz: its seed is unknown")
            epochs += self.run(path, path.parent.name.removesuffix("Optimizer"), int(number[1]))
        note = "NASLib writes a row after each of its epochs: its first row, which it calls epoch 0, is epoch 1 here"
        # equal seeds are not paired there: every method draws from one global random state
        return Log(epochs, logs, [note])

    def run(self, path: Path, method: str, seed: int) -> list[Epoch]:
        """The epochs of one log."""
        log = load(path)
        entries = log["arch_eval"]
        values = {name: log.get(name) or [NAN] * len(entries) for name in LISTS}
        clock = accumulate(values["runtime"])
        epochs = []
        for index, (entry, seconds) in enumerate(zip(entries, clock, strict=True)):
            where = f"{path}, epoch {index + 1}"
            if not isinstance(entry, dict) or "arch" not in entry:
                raise HarnessError(f"{where}: the entry of arch_eval has no 'arch', so it is no architecture's")
            known = entry.get(SAME[0], {}).get("valid_accuracy")
            if known is not None:
                self.measured[where] = float(known)
            epochs.append(
                Epoch(
                    where,
                    method,
                    seed,
                    index + 1,
                    entry["arch"],
                    seconds=seconds,
                    train_loss=values["train_loss"][index],
                    valid_loss=values["valid_loss"][index],
                    accuracy=values["valid_acc"][index],
                )
            )
        return epochs

    def check(self, epoch: Epoch, architecture: Architecture, table: Table) -> None:
        """Where the log and the table hold the same measure, they must agree."""
        if SAME not in table.measures or epoch.where not in self.measured:
            return
        ours, theirs = table.lookup(architecture, SAME), self.measured[epoch.where]
        if abs(ours - theirs) > TOLERANCE:
            raise HarnessError(
                f"{epoch.where}: the log has {theirs:.4f} % for {SAME}, table {table.name} has "
                f"{ours:.4f} %: it is another version of the benchmark"
            )


def load(path: Path) -> dict[str, Any]:
    """A log, with all of its lists equally long."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        log: dict[str, Any] = json.loads(raw)
        if isinstance(log, list):  # NASLib's own files: configuration and log
            log = next(part for part in log if "arch_eval" in part)
        lengths = {len(log["arch_eval"])} | {len(log[k]) for k in LISTS if log.get(k)}
    except StopIteration:
        raise HarnessError(f"{path} has no list 'arch_eval': it names no architecture to look up") from None
    except KeyError as error:
        raise HarnessError(f"{path} has no list {error}: it names no architecture to look up") from None
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise HarnessError(f"{path} cannot be read as a NASLib log ({error!r}): is it complete?") from None
    if len(lengths) != 1:
        raise HarnessError(f"{path} is no complete NASLib log: its lists have {sorted(lengths)} entries")
    return log
