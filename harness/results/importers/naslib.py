"""NASLib's searches: <Optimizer>/errors_<seed>.json or .json.gz, or .../<optimizer>/<seed>/errors.json."""

from __future__ import annotations

import gzip
import re
from itertools import accumulate
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import resolve_path
from harness.core.notation import parse_json
from harness.core.text import is_whole
from harness.results.importers.base import NAN, Epoch, Importer, Log
from harness.results.importers.naslib_log import log_beside, order_logits, read_architectures
from harness.results.importers.pieces import join_pieces
from harness.spaces.base import Architecture, Space
from harness.tables.measure import Measure
from harness.tables.table import Table

SAME = Measure("cifar10-valid", "x-valid", 200)
"""The measure that NAS-Bench-201's two versions and NASLib's logs have in common."""
TOLERANCE = 1e-3
"""Percentage points between a log and the table: tidy files round."""
LISTS = ("train_loss", "valid_loss", "valid_acc", "runtime")
"""Lists of the log that may be missing; each has an entry an epoch."""


FILE = re.compile(r"errors(?:_(\d+))?\.json(?:\.gz)?")
TUPLE = re.compile(r"\(\s*\d(?:\s*,\s*\d){5}\s*\)")


class NASLib(Importer):
    """NASLib's searches: <Optimizer>/errors_<seed>.json or .json.gz, or its newer .../<optimizer>/<seed>/errors.json.

    NASLib asks for the derived architecture after each of its epochs, also after the one that it counts as 0, so its
    first row is epoch 1 here; the untrained state and logits are not in its lists. Newer versions name no architecture
    there: then architectures and logits are those that `log.log` beside them prints before each epoch. Optimizers that
    train no supernet list the architectures that they sampled: derived is the best so far by validation, and the
    sampled one stands beside it in the column `sampled`.
    """

    name = "naslib"
    tool = "NASLib"

    def __init__(self) -> None:
        self.measured: dict[str, float] = {}

    def recognizes(self, source: Path) -> bool:
        return bool(find_logs(source))

    def read(self, source: Path, space: Space) -> Log:
        logs = find_logs(source)
        if not logs:
            raise HarnessError(
                f"{source} holds no NASLib logs: they are <Optimizer>/errors_<seed>.json or .json.gz, or "
                "<optimizer>/<seed>/errors.json"
            )
        pieces, empty = [], []
        printed = []
        for path in logs:
            configuration, log = load(path)
            if log["arch_eval"]:
                pieces.append(self.run(path, configuration, log))
            elif beside := self.printed(path, configuration, log, space):
                pieces.append(beside)
                printed.append(
                    f"{path} names no architecture: they are those of the log beside it, which prints logits before "
                    f"each epoch and none after the last one, so that the run ends at epoch {beside[-1].epoch}"
                )
            else:
                empty.append(
                    f"{path} is complete, with {count_epochs(log)} epochs, and names no architecture: its "
                    "arch_eval lists none"
                )
        if not pieces:
            raise HarnessError(
                f"{'; '.join(empty)}, as NASLib's newer versions leave it, and no log.log beside it prints any: "
                "there is no cell to look up; derive them from its arch_weights.pt, and write a CSV"
            )
        epochs, told = join_pieces(pieces, space)
        note = "NASLib writes a row after each of its epochs: its first row, which it calls epoch 0, is epoch 1 here"
        sampled = sorted({e.method for e in epochs if e.sampled})
        samples = (
            f"{', '.join(sampled)} trained no supernet: NASLib lists what was sampled, and derived is the best so far "
            f"by "
            "validation; the sampled cell is in the column `sampled`"
        )
        # equal seeds are not paired there: every method draws from one global random state
        return Log(epochs, logs, [note, *([samples] if sampled else []), *printed, *told, *empty])

    def printed(self, path: Path, configuration: dict[str, Any], log: dict[str, Any], space: Space) -> list[Epoch]:
        """The epochs of lists that name no architecture, with those of the text log beside them."""
        beside = log_beside(path)
        known = read_architectures(beside) if beside is not None else {}
        # a log of another number of epochs is that of another run
        if beside is None or sorted(known) != list(range(count_epochs(log))):
            return []
        method, seed = parse_owner(path, configuration)
        clock = [0.0, *accumulate(log.get("runtime") or [NAN] * count_epochs(log))]
        return [
            Epoch(
                f"{beside}, line {state.line}",
                method,
                seed,
                epoch,
                state.cell,
                seconds=clock[epoch],
                train_loss=read_before(log, "train_loss", epoch),
                valid_loss=read_before(log, "valid_loss", epoch),
                accuracy=read_before(log, "valid_acc", epoch),
                alphas=order_logits(state, space),
            )
            for epoch, state in sorted(known.items())
        ]

    def run(self, path: Path, configuration: dict[str, Any], log: dict[str, Any]) -> list[Epoch]:
        """The epochs of one log."""
        method, seed = parse_owner(path, configuration)
        entries = log["arch_eval"]
        # the list is there, and nothing was trained
        sampled = "train_loss" in log and not any(v > 0 for v in log["train_loss"])
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
            cell = str(entry["arch"])
            epochs.append(
                Epoch(
                    where,
                    method,
                    seed,
                    index + 1,
                    f"naslib:{cell}" if TUPLE.fullmatch(cell) else cell,
                    seconds=seconds,
                    train_loss=NAN if sampled else values["train_loss"][index],
                    valid_loss=NAN if sampled else values["valid_loss"][index],
                    accuracy=NAN if sampled else values["valid_acc"][index],
                    sampled=sampled,
                    score=float(known) if sampled and known is not None else NAN,
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


def find_logs(source: Path) -> list[Path]:
    """The logs in a folder, or one log: by name, and where names do not say it, by what they hold."""
    if source.is_file():
        return [source] if FILE.fullmatch(source.name) and is_log(source) else []
    found = sorted(p for p in source.rglob("errors*.json*") if (m := FILE.fullmatch(p.name)) and (m[1] or is_log(p)))
    return [p for p in found if not (p.parent / "log.txt").exists() and not list(p.parent.glob("log_*.txt"))]


def is_log(path: Path) -> bool:
    """Whether a file holds NASLib's lists."""
    try:
        return len(read_parts(path)[1]) > 0
    except HarnessError:
        raise
    except (OSError, EOFError, ValueError, TypeError, KeyError, StopIteration):
        return False


def read_parts(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration, which older files do not have, and lists."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    log = parse_json(raw)
    if isinstance(log, dict):
        log = [{}, log]
    lists = next(part for part in log if any(isinstance(part.get(k), list) for k in ("arch_eval", "valid_acc")))
    told = next((part for part in log if part is not lists and isinstance(part, dict)), {})
    return told, lists


def parse_owner(path: Path, told: dict[str, Any]) -> tuple[str, int | None]:
    """Method and seed: by the file's name and folder, in the newer layout as the configuration has them, else the
    folders."""
    named = FILE.fullmatch(path.name)
    if named and named[1]:
        return path.parent.name.removesuffix("Optimizer"), int(named[1])
    folders = [p.name for p in resolve_path(path).parents if p.name not in ("search", "eval")]
    seed = told.get("seed", told.get("search", {}).get("seed") if isinstance(told.get("search"), dict) else None)
    if not isinstance(seed, int):
        seed = int(folders[0]) if folders and is_whole(folders[0]) else None
    others = [name for name in folders if not is_whole(name)]
    return str(told.get("optimizer") or (others[0] if others else "naslib")).removesuffix("Optimizer"), seed


def read_before(log: dict[str, Any], name: str, epoch: int) -> float:
    """What a list has of the state after some epochs: its first entry is of the state after one."""
    return float(log[name][epoch - 1]) if epoch and log.get(name) else NAN


def count_epochs(log: dict[str, Any]) -> int:
    return max((len(log[k]) for k in LISTS if log.get(k)), default=0)


def load(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration and lists of a log, all of which that are there are equally long; an empty arch_eval where it has
    none."""
    try:
        told, log = read_parts(path)
        log = log | {"arch_eval": log.get("arch_eval") or []}
        lengths = {len(log[k]) for k in ("arch_eval", *LISTS) if log.get(k)}
    except HarnessError:
        raise
    except StopIteration:
        raise HarnessError(f"{path} has no list 'arch_eval': it names no architecture to look up") from None
    except (OSError, EOFError, ValueError, TypeError, AttributeError) as error:
        raise HarnessError(f"{path} cannot be read as a NASLib log ({error!r}): is it complete?") from None
    if len(lengths) != 1:
        raise HarnessError(f"{path} is no complete NASLib log: its lists have {sorted(lengths)} entries")
    return told, log
