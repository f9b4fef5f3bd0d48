"""RandomNAS' searches (random search with shared weights, in DARTS' space): log.txt with `objective_val: ..`."""

from __future__ import annotations

import re
from pathlib import Path

from harness.core.errors import HarnessError
from harness.results.importers.base import NAN, Epoch, Importer, Log
from harness.results.importers.lines import find_method, find_seed, find_text_logs, iterate_messages, parse_arguments
from harness.results.importers.pieces import join_pieces
from harness.spaces.base import Space

SAMPLE = re.compile(r"^objective_val: ([-\d.naif]+)")
EPOCH = re.compile(r"^epoch (\d+)\s+\|\s+train_acc\b")
BEST = re.compile(r"^best arch: (\[.+\]),? best arch valid performance: ([-\d.naif]+)")
OPENING = 2_000_000
"""Characters in which a log has its first sample, behind all of its epochs."""


class RandomNAS(Importer):
    """RandomNAS' searches (random search with shared weights, in DARTS' space): log.txt with `objective_val: ..`.

    Each step trains an architecture that is drawn at random, so that nothing is derived before the end. Then some are
    drawn and measured, and the best is selected: that one is the state after the last epoch, the only one that is read.
    Its pairs are a node and the place of an operation in DARTS' list, in which `none` is 0.
    """

    name = "randomnas"
    tool = "RandomNAS"

    def recognizes(self, source: Path) -> bool:
        return any(is_log(path) for path in find_text_logs(source))

    def read(self, source: Path, space: Space) -> Log:
        files = [path for path in find_text_logs(source) if is_log(path)]
        read = [run_of(path) for path in files]
        if not any(epochs for epochs, _ in read):
            told = "; ".join(note for _, note in read)
            raise HarnessError(told or f"{source} holds no log with 'objective_val: ..' and 'best arch: ..' lines")
        epochs, joints = join_pieces([epochs for epochs, _ in read if epochs], space)
        return Log(epochs, files, [*(note for _, note in read), *joints])


def is_log(path: Path) -> bool:
    """Whether a file says what its samples are worth."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return any(SAMPLE.match(line.text) for line in iterate_messages(stream.read(OPENING)))
    except OSError:
        return False


def run_of(path: Path) -> tuple[list[Epoch], str]:
    """The one state of a log, or none, and what has to be said of it."""
    told: dict[str, str] = {}
    trained = samples = 0
    began = None
    chosen: list[tuple[float, str, int, float]] = []
    for line in iterate_messages(path.read_text(encoding="utf-8", errors="replace")):
        began = began or line.time
        if found := EPOCH.match(line.text):
            trained = int(found[1])
        elif SAMPLE.match(line.text):
            samples += 1
        elif found := BEST.match(line.text):
            cells = re.sub(r"\]\s+\[", "], [", found[1])
            seconds = (line.time - began).total_seconds() if line.time and began else NAN
            chosen.append((float(found[2]), f"indices:({cells})", line.number, seconds))
        elif not trained and (said := parse_arguments(line.text)):
            told = {**said, **told}  # those of the networks that it builds come later
    if not chosen:
        return [], f"{path} selects no architecture: it ends after {samples} samples"
    # the published code takes the best of the first round, and later ones tell how much that varies
    error, cell, number, seconds = chosen[0]
    state = Epoch(
        f"{path}, line {number}",
        find_method(path, {"method": "randomnas", **told}),
        find_seed(path, told),
        trained,
        cell,
        seconds=seconds,
        accuracy=convert_objective(error),
        percent=True,
    )
    rounds = f"; of {len(chosen)} rounds of samples it is the first one's" if len(chosen) > 1 else ""
    return [state], (
        f"{path}: nothing is derived before the end: its one state is what was selected among {samples} samples after "
        f"epoch {trained}{rounds}"
    )


def convert_objective(objective: float) -> float:
    """What its code calls an objective is 1 - accuracy, and this accuracy is in %, or, in a version of the code, a
    fraction: it is below zero then or not. Of a language model it is a perplexity."""
    if objective < 0:
        return 1 - objective
    return 100 * (1 - objective) if objective <= 1 else NAN
