"""Text logs of darts' code and what was made of it (SmoothDARTS, darts-pt, PC-DARTS, RobustDARTS): log*.txt."""

from __future__ import annotations

import ast
import math
import re
from datetime import datetime
from pathlib import Path

from harness.core.errors import HarnessError
from harness.results.importers.base import NAN, Epoch, Importer, Log
from harness.spaces.base import Space

EPOCH = re.compile(r"epoch (\d+) lr ")
GENOTYPE = re.compile(r"genotype = (.+)$", re.MULTILINE)
QUERY = re.compile(r"(?:^|[\d:,]{8,} )(\|.+~\d+\|)$")
"""A NAS-Bench-201 query's answer begins with its architecture's string."""
STATE = re.compile(r"\b(train_acc|train_loss|valid_acc|valid_loss)\s+([-\d.einfa]+)$")
ARGUMENTS = re.compile(r"args = Namespace\((.*)\)")
STAMP = re.compile(r"^(?:(\d{4})-)?(\d{2})[-/](\d{2}) (\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(?: [AP]M)?")
NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
PERTURBATIONS = {"none": "", "random": "-rs", "pgd_linf": "-adv"}
"""SmoothDARTS' --perturb_alpha, as its paper calls them."""


class DartsLog(Importer):
    """Text logs of darts' code and what was made of it (SmoothDARTS, darts-pt, PC-DARTS, RobustDARTS): log*.txt.

    At the beginning of its epoch e the log prints the genotype: the state after e epochs, so it is epoch e here, and
    epoch 0 is before any training. Accuracies and losses are printed at the end of epoch e: they are of epoch e + 1.
    The last architecture is there only where the log also prints an answer of NAS-Bench-201. Mixing weights, printed
    to four digits, become logits by their logarithm. Seconds are those between the lines.
    """

    name = "darts-log"
    tool = "darts' text log"

    def recognises(self, source: Path) -> bool:
        return any(EPOCH.search(text) and GENOTYPE.search(text) for text in map(opening, logs_of(source)))

    def read(self, source: Path, space: Space) -> Log:
        files, epochs, notes = logs_of(source), [], []
        for path in files:
            found, note = run_of(path, space)
            epochs += found
            notes += note
        if not epochs:
            raise HarnessError(f"{source} holds no log with 'epoch N lr ..' and 'genotype = ..' lines")
        return Log(epochs, files, notes)


def logs_of(source: Path) -> list[Path]:
    return [source] if source.is_file() else sorted(source.rglob("log*.txt"))


def opening(path: Path, size: int = 20_000) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(size)
    except OSError:
        return ""


def run_of(path: Path, space: Space) -> tuple[list[Epoch], list[str]]:
    """The epochs of one log, and what has to be said of it."""
    text = path.read_text(encoding="utf-8", errors="replace")
    method, seed = who(path, text)
    states: dict[int, dict[str, float]] = {}
    derived: dict[int, tuple[str, str]] = {}
    weights: dict[int, list[float]] = {}
    began: datetime | None = None
    now: datetime | None = None
    done = started = -1  # epochs of training behind the lines that are read; the epoch that the log is in
    last = -1
    open_tensor: int | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{path}, line {number}"
        now = stamp(line, now) or now
        if found := EPOCH.search(line):
            started = done = int(found[1])
            if started <= last:
                raise HarnessError(f"{where}: epoch {started} begins a second time: the file holds more than one run")
            last, began = started, began or now
        elif started < 0:
            continue
        elif found := STATE.search(line):
            done = started + 1
            states.setdefault(done, {})[found[1]] = float(found[2])
        elif found := GENOTYPE.search(line) or QUERY.search(line):
            derived[done] = where, architecture(found[1].strip())
            if began and now:
                states.setdefault(done, {}).setdefault("seconds", (now - began).total_seconds())
        if "tensor([[" in line and done not in weights:
            weights[done], open_tensor = [], done
        if open_tensor is not None:
            weights[open_tensor] += [float(n) for n in NUMBER.findall(line.partition("tensor(")[2] or line)]
            open_tensor = None if "]]" in line else open_tensor
    nothing: dict[str, float] = {}
    epochs = [
        Epoch(
            where,
            method,
            seed,
            epoch,
            encoding,
            seconds=states.get(epoch, nothing).get("seconds", NAN),
            train_loss=states.get(epoch, nothing).get("train_loss", NAN),
            valid_loss=states.get(epoch, nothing).get("valid_loss", NAN),
            accuracy=states.get(epoch, nothing).get("valid_acc", NAN),
            alphas=logits(weights.get(epoch, []), space),
        )
        for epoch, (where, encoding) in sorted(derived.items())
    ]
    unseen = [e for e in states if e > max(derived, default=-1)]
    told = (
        f"{path}: no architecture is printed after its last epoch, so the run ends at epoch {max(derived, default=0)}"
    )
    return epochs, [told] if unseen and derived else []


def who(path: Path, text: str) -> tuple[str, int]:
    """Method and seed, as the log's arguments have them; where they say no method, the name of its folder."""
    found = ARGUMENTS.search(text)
    arguments = dict(re.findall(r"(\w+)='?([^,']*)'?", found[1])) if found else {}
    seed = arguments.get("seed", "")
    if not seed.isdigit():
        raise HarnessError(
            f"{path} says no seed ('args = Namespace(.., seed=0, ..)'): its run cannot be told from others"
        )
    method = arguments.get("method") or path.resolve().parent.name
    perturbed = PERTURBATIONS.get(arguments.get("perturb_alpha", "none"), "")
    return f"s{method}{perturbed}" if perturbed and "method" in arguments else method, int(seed)


def stamp(line: str, before: datetime | None) -> datetime | None:
    """The time at a line's beginning. darts' own code prints month and day, without the year."""
    found = STAMP.match(line)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction = found.groups()
    if " AM" in found[0] or " PM" in found[0]:
        hour = str(int(hour) % 12 + 12 * (" PM" in found[0]))
    given = int(year) if year else before.year if before else 2000
    try:
        time = datetime(
            given, int(month), int(day), int(hour), int(minute), int(second), int((fraction or "0").ljust(6, "0")[:6])
        )
    except ValueError:
        return None
    return time.replace(year=given + 1) if not year and before and time < before else time


def architecture(text: str) -> str:
    """The cell in a genotype: what stands after 'with' in `Structure(4 nodes with ..)`; a list of (operation, source),
    node by node, as NAS-Bench-201's string; anything else as it is."""
    if found := re.fullmatch(r"Structure\(\d+ nodes with (.+)\)", text):
        return found[1]
    if not text.startswith("[("):
        return text
    try:
        pairs = [(str(operation), int(source)) for operation, source in ast.literal_eval(text)]
    except (ValueError, SyntaxError, TypeError):
        return text
    nodes: list[list[str]] = []
    while pairs:
        size = len(nodes) + 1
        nodes.append([f"{operation}~{source}" for operation, source in sorted(pairs[:size], key=lambda p: p[1])])
        pairs = pairs[size:]
    return "+".join("|" + "|".join(node) + "|" for node in nodes)


def logits(weights: list[float], space: Space) -> tuple[float, ...]:
    """Mixing weights, [rows, operations] one after the other, as logits; nothing where they are not the space's."""
    if len(weights) != sum(a * b for a, b in space.alpha_shapes) or min(weights) < 0:
        return ()
    return tuple(math.log(max(w, 5e-5)) for w in weights)  # printed to four digits: 0.0000 is below 0.00005
