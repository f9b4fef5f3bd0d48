"""AutoDL-Projects' searches (DARTS, GDAS, SETN, ENAS, random search with shared weights): seed-<seed>-T-<time>.log."""

from __future__ import annotations

import re
from pathlib import Path

from harness.core.errors import HarnessError
from harness.results.importers.base import LEARNING_RATE, NAN, NOTHING, Epoch, Importer, Log
from harness.results.importers.lines import (
    PrintedArray,
    find_method,
    find_seed,
    find_text_logs,
    iterate_messages,
    parse_arguments,
    parse_arrays,
)
from harness.results.importers.logits import read_logits
from harness.results.importers.pieces import join_pieces
from harness.spaces.base import Space

CELL = re.compile(r"^<<<--->>> The (\d+)(?:-\d+)?-th epoch : (?!fo?und|find)(.+)$", re.DOTALL)
METRICS = re.compile(
    r"^\[(\d+)(?:-\d+)?\] (evaluate|searching|search \[base\]|shared-cnn|controller)\s*: loss=([-\d.naif]+), "
    r"acc(?:uracy)?(?:@1)?=([\d.naif]+)%?"
)
COST = re.compile(r"time-cost=([\d.]+) s")
EPOCH = re.compile(r"^\[Search the (\d+)(?:-\d+)?-th epoch\](?:.*\bLR=\[?([\d.e-]+))?")
END = re.compile(r"^Last : |: run \d+ epochs, cost|^During searching|^Randomly select")


class AutoDL(Importer):
    """AutoDL-Projects' searches (DARTS, GDAS, SETN, ENAS): seed-<seed>-T-<time>.log with `<<<--->>> The 000-100-th
    epoch`.

    The cell that is printed with epoch e is the state after it: it is epoch e + 1 here, and the untrained state is not
    in these logs. Losses and accuracies have two digits; seconds are `time-cost`, those of searching. What is printed
    after the last epoch (ENAS' and SETN's choice among samples) is no state of the search. A search that was resumed
    has several logs, which are joined.
    """

    name = "autodl"
    tool = "AutoDL-Projects"

    def recognizes(self, source: Path) -> bool:
        return any(is_log(path) for path in find_text_logs(source, "log"))

    def read(self, source: Path, space: Space) -> Log:
        files = [path for path in find_text_logs(source, "log") if is_log(path)]
        read = [run_of(path, space) for path in files]
        if not any(epochs for epochs, _ in read):
            raise HarnessError(f"{source} holds no log with '<<<--->>> The N-th epoch : Structure(..)' lines")
        epochs, told = join_pieces([epochs for epochs, _ in read], space)
        note = "the cell that is printed with an epoch is the state after it: epoch 0 of these logs is epoch 1 here"
        return Log(epochs, files, [note, *told, *(end for _, end in read if end)])


def is_log(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return any(CELL.match(line) for line in stream)
    except OSError:
        return False


def run_of(path: Path, space: Space) -> tuple[list[Epoch], str]:
    """The epochs of one log, and a sentence where its end is left out."""
    told: dict[str, str] = {}
    cells: dict[int, tuple[str, str]] = {}
    train: dict[int, float] = {}
    valid: dict[int, tuple[float, float]] = {}
    seconds: dict[int, float] = {}
    rates: dict[int, float] = {}
    printed: dict[int, list[PrintedArray]] = {}
    ended = ""
    last: int | None = None
    for line in iterate_messages(path.read_text(encoding="utf-8", errors="replace")):
        if found := CELL.match(line.text):
            last = int(found[1])
            cells[last] = f"{path}, line {line.number}", found[2].strip()
        elif found := METRICS.match(line.text):
            epoch = int(found[1])
            if found[2] == "evaluate":
                valid[epoch] = float(found[3]), float(found[4])
            elif found[2] != "controller":
                train[epoch] = float(found[3])
            if cost := COST.search(line.text):
                seconds[epoch] = float(cost[1])
        elif found := EPOCH.match(line.text):
            last = None
            if found[2]:
                rates[int(found[1])] = float(found[2])
        elif END.search(line.text):
            ended = ended or f"{path}: what is chosen after the last epoch, from line {line.number} on, is left out"
            last = None
        elif last is not None and (shown := parse_arrays(line.text)):
            printed.setdefault(last, []).extend(shown)
        elif not cells and (said := parse_arguments(line.text)):
            told = {**told, **said}
    epochs = []
    for epoch, (where, cell) in sorted(cells.items()):
        logits, digits = read_logits(printed.get(epoch, []), space)
        loss, accuracy = valid.get(epoch, (NAN, NAN))
        epochs.append(
            Epoch(
                where,
                find_method(path.parent / "log", told),
                find_seed(path, told),
                epoch + 1,
                cell,
                seconds=seconds.get(epoch, NAN),
                train_loss=train.get(epoch, NAN),
                valid_loss=loss,
                accuracy=accuracy,
                percent=True,
                alphas=logits,
                digits=digits,
                measured={LEARNING_RATE: rates.get(epoch, NAN)} if rates else NOTHING,
            )
        )
    return epochs, ended if epochs else ""
