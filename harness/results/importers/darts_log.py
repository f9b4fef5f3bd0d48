"""Text logs of darts' code and what was made of it (SmoothDARTS, darts-pt, PC-DARTS, P-DARTS, RobustDARTS,
1Shot1's)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from harness.core.errors import HarnessError
from harness.core.text import is_whole
from harness.results.importers.base import LEARNING_RATE, NAN, NOTHING, Epoch, Importer, Log
from harness.results.importers.lines import (
    NUMBER,
    LogLine,
    PrintedArray,
    find_method,
    find_seed,
    find_statements,
    find_text_logs,
    is_step,
    iterate_messages,
    parse_arguments,
    parse_arrays,
)
from harness.results.importers.logits import classify_arrays, read_logits
from harness.results.importers.pieces import join_pieces
from harness.spaces.base import Space

EPOCH = re.compile(r"^[\W_]*epoch\s*[:=#]?\s*\[?\s*(\d+)\b|^(?:train|valid)\w*: \[\s*(\d+)/\d+\] final", re.I)
"""A message that is of an epoch by its beginning."""
RATE = re.compile(rf"(?:\blr\b|learning[ _]rate)(?:[\s:=\[(]*({NUMBER}))?", re.I)
CELL = re.compile(
    r"^(?!.*\bbest\b)[^|\[({]*?\b(?:genotype|gentotype|architecture|arch|cell|structure)\b[^|\[({=:]*?\s*(?:[:=]|\bis\b)*\s*"
    r"((?:Genotype|Structure)\(.+|\|.+\||\[\s*[\[(].+|\{.+|\d+:[\w-]+\(.+)$",
    re.I | re.DOTALL,
)
BARE = re.compile(r"^(\|.+~\d+\||(?:Genotype|Structure)\(.+\))$", re.DOTALL)
"""A cell alone in its line: a NAS-Bench-201 query's answer begins with it, P-DARTS ends with it."""
SET_UP = re.compile(r"^$|param|size|epsilon|\blr\b|\btau\b|temper|drop|cutout|warm|alpha|weights|^[\W_]+$", re.I)
"""What is said at the beginning of an epoch, before any training."""
PHASES = {
    "projection": re.compile(r"^project\b|^projecting\b|^selected (?:edge|node)\b|^best opid\b|^projection\b", re.I),
    "discretisation": re.compile(r"^\W*discreti[sz]", re.I),
    "retraining": re.compile(
        r"^\W*(?:re-?train(?!_)|train(?:ing)? (?:the )?(?:final|derived|searched|found)|from scratch)|from scratch",
        re.I,
    ),
    "evaluation": re.compile(r"^\W*start(?:ing)? evaluation|^test error\b", re.I),
    "restriction": re.compile(r"^\W*restricting skip", re.I),
    "sampling": re.compile(r"^\W*sampl(?:e|ed|ing)\b.*\b(?:arch|cell|genotype)", re.I),
}
"""What a log does beside searching. What belongs to a phase is no state of the search."""
OTHER = "something else"
RETURNS = ("evaluation", "sampling")
"""Phases within a search: its next epoch ends them."""
ENDS = re.compile(r"^[\W_]*end of epoch\b", re.I)
"""A message that ends an epoch."""
OF = re.compile(r"\b(\d+)\s*/\s*\d+\b")
"""Which of its steps an epoch has done."""
STAGE = re.compile(r"^\W*dropping \d+ paths|^switches_|^\W*stage\b|^param size", re.I)
BEGINS = re.compile(r"^parameters:$", re.I)
"""A heading over arguments of which each has a line of its own (pt.darts): a process begins."""
RESUMED = re.compile(r"load(?:ed|ing) checkpoint|\bresum", re.I)
PERTURBATIONS = {"none": "", "random": "-rs", "pgd_linf": "-adv"}
"""SmoothDARTS' --perturb_alpha, as its paper calls them."""
PROJECTING = re.compile(r"-proj(?![a-z])")
PROJECTED = "-pt"
"""Behind a method's name: what perturbation-based selection made of its supernet (darts-pt)."""
SAME_MOMENT = 1.0
"""Seconds between an epoch's beginning and what is printed there."""


class DartsLog(Importer):
    """Text logs of darts' code and what was made of it (SmoothDARTS, darts-pt, PC-DARTS, RobustDARTS): log*.txt.

    The order of lines decides what a cell is: printed in epoch e before any training of it, it is the state after e
    epochs, so it is epoch e here, and epoch 0 is before any training; printed after the training, it is epoch e + 1.
    Accuracies and losses are printed at the end of epoch e: they are of epoch e + 1. Where a log prints logits alone,
    its cells are derived from them. Mixing weights become logits by their logarithm. What a log does beside searching
    is kept apart: the cell that a projection selects is of the method `METHOD-pt`. Seconds are those between the lines.
    """

    name = "darts-log"
    tool = "darts' text log"

    def recognizes(self, source: Path) -> bool:
        return any(looks_like_log(read_beginning(path)) for path in find_logs(source))

    def read(self, source: Path, space: Space) -> Log:
        files = [
            path
            for path in find_logs(source)
            if source.is_file() or looks_like_log(read_beginning(path)) or begins_like_log(path)
        ]
        read = [piece for path in files for piece in split_pieces(path)]
        go_on(read)
        pieces = [epochs for piece in read for epochs in (piece.epochs(space), piece.projected(space)) if epochs]
        if not pieces:
            empty = "; ".join(dict.fromkeys(n for piece in read for n in piece.notes(space)))
            raise HarnessError(
                f"{source} holds no log with 'epoch N ..' and 'genotype = ..' lines, nor the logits of {space.name}"
                + (f": {empty}" if empty else "")
            )
        epochs, told = join_pieces(pieces, space)
        notes: dict[str, list[str]] = {}
        for piece in read:
            for note in piece.notes(space):
                notes.setdefault(note, []).append(str(piece.path))
        return Log(epochs, files, [*(f"{', '.join(dict.fromkeys(who))}: {note}" for note, who in notes.items()), *told])


def find_logs(source: Path) -> list[Path]:
    """The text logs of a folder, by name; where none has the name of one, every text file."""
    return find_text_logs(source) or sorted(p for p in source.rglob("*.txt") if p.is_file())


def read_beginning(path: Path, size: int = 400_000) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(size)
    except OSError:
        return ""


def looks_like_log(text: str) -> bool:
    """Whether a text has epochs, and cells or logits in them."""
    epochs = cells = False
    for line in iterate_messages(text):
        if "<<<--->>>" in line.text:  # of another tool
            return False
        epochs = epochs or EPOCH.search(line.text) is not None
        cells = cells or find_cell(line.text) is not None or "[[" in line.text
        if epochs and cells:
            return True
    return False


def begins_like_log(path: Path) -> bool:
    """Whether a file without any cell is a log that ended before one."""
    said = [line.text for line in iterate_messages(read_beginning(path))] if path.name.startswith("log") else []
    return any(parse_arguments(text) or EPOCH.search(text) for text in said) and not any(
        "<<<--->>>" in text for text in said
    )


def find_cell(text: str) -> str | None:
    """The cell that a message says is derived."""
    found = BARE.match(text) or CELL.match(text)
    return found[1].strip() if found else None


@dataclass
class State:
    """What is known of the state after some epochs of training."""

    where: str = ""
    cell: str = ""
    values: dict[tuple[str, str], tuple[float, bool]] = field(default_factory=dict)
    arrays: list[PrintedArray] = field(default_factory=list)
    seconds: float = NAN


@dataclass
class Piece:
    """The part of a log that one process wrote."""

    path: Path
    told: dict[str, str] = field(default_factory=dict)
    states: dict[int, State] = field(default_factory=dict)
    rates: dict[int, float] = field(default_factory=dict)
    """The learning rates at which the epochs were trained that end in these states."""
    began: datetime | None = None
    shift: int = 0
    """What is added to the log's numbers: the epochs of stages before, or -1 where it counts from 1."""
    first: int | None = None
    last: int = -1
    with_rate: bool = False
    resumed: bool = False
    stages: int = 1
    from_steps: bool = False
    """Whether its epochs begin with a message of their middle, as those of DARTS' language models."""
    phases: dict[str, int] = field(default_factory=dict)
    """The lines at which phases begin."""
    projection: State = field(default_factory=State)
    projected_epochs: int = 0
    after: int = 0
    """The epochs of a search that is in another log, which a projection goes on with; and its seconds."""
    after_s: float = 0.0
    oddities: list[str] = field(default_factory=list)

    def state(self, epoch: int) -> State:
        return self.states.setdefault(epoch, State())

    @property
    def method(self) -> str:
        """The method; darts-pt's `darts-proj` searches, or goes on with a search, as `darts` does, and projects."""
        method = PROJECTING.sub("", find_method(self.path, self.told))
        perturbed = PERTURBATIONS.get(self.told.get("perturb_alpha", "none"), "")
        return f"s{method}{perturbed}" if perturbed and "method" in self.told else method

    @property
    def seed(self) -> int | None:
        return find_seed(self.path, self.told)

    @property
    def retrains(self) -> bool:
        """Whether it trains one given cell."""
        return any(key.startswith("auxiliary") for key in self.told) and not any("arch_l" in key for key in self.told)

    def epochs(self, space: Space) -> list[Epoch]:
        """The states of the search that have a cell."""
        if self.retrains:
            return []
        return [
            self.epoch(number, state, space) for number, state in sorted(self.states.items()) if self.cell(state, space)
        ]

    def epoch(self, number: int, state: State, space: Space) -> Epoch:
        values = state.values
        error, accuracy = values.get(("valid", "error")), values.get(("valid", "accuracy"))
        logits, digits = read_logits(state.arrays, space)
        return Epoch(
            state.where,
            self.method,
            self.seed,
            number,
            self.cell(state, space),
            seconds=state.seconds,
            train_loss=values.get(("train", "loss"), (NAN, False))[0],
            valid_loss=values.get(("valid", "loss"), (NAN, False))[0],
            accuracy=accuracy[0] if accuracy else NAN,
            error=error[0] if error and not accuracy else NAN,
            percent=bool((accuracy or error or (0, False))[1]),
            alphas=logits,
            digits=digits,
            measured={LEARNING_RATE: self.rates.get(number, NAN)} if self.rates else NOTHING,
        )

    def cell(self, state: State, space: Space) -> str:
        """The cell that is printed, or that the printed logits give; "" where there is neither."""
        if state.cell:
            return state.cell
        logits, _ = read_logits(state.arrays, space)
        if not logits:
            return ""
        sizes = np.cumsum([a * b for a, b in space.alpha_shapes])[:-1]
        parts = np.split(np.array(logits), sizes)
        return space.derive([p.reshape(shape) for p, shape in zip(parts, space.alpha_shapes, strict=True)]).encoding

    def selected(self, space: Space) -> str:
        """The cell of a projection that is at its end: as it is printed, or, by older code, as the last weights have
        it, which are ones and zeros then, and nothing but that cell; "" where there is neither."""
        last = self.projection.arrays[-len(space.alpha_shapes) :]
        if self.projection.cell or [a.values.shape for a in last] != list(space.alpha_shapes):
            return self.projection.cell
        derived = space.derive([a.values for a in last])
        exact = all(np.array_equal(a.values, m) for a, m in zip(last, space.mix(derived), strict=True))
        return derived.encoding if exact else ""

    def projected(self, space: Space) -> list[Epoch]:
        """The cell that a projection selected, as a run of its own."""
        state, cell = self.projection, self.selected(space)
        if not cell:
            return []
        accuracy = state.values.get(("valid", "accuracy"), (NAN, False))
        return [
            Epoch(
                state.where,
                f"{self.method}{PROJECTED}",
                self.seed,
                max(self.states, default=self.after) + self.projected_epochs,
                cell,
                seconds=state.seconds + self.after_s,
                train_loss=state.values.get(("train", "loss"), (NAN, False))[0],
                valid_loss=state.values.get(("valid", "loss"), (NAN, False))[0],
                accuracy=accuracy[0],
                percent=accuracy[1],
            )
        ]

    def notes(self, space: Space) -> list[str]:
        """What a reader has to know of it."""
        found = [*self.oddities]
        own = {number: state for number, state in self.states.items() if self.cell(state, space)}
        if self.retrains:
            return ["a training of one given cell, and no search: it is left out"]
        if not own and not self.selected(space):
            what = "a projection that names no cell" if "projection" in self.phases else "no epoch with a cell"
            return [*found, f"it holds {what}, and is left out"]
        end = max(own, default=0)
        if own and any(number > end for number in self.states):
            found.append(f"no architecture is printed after its last epoch, so the run ends at epoch {end}")
        trained = [state for number, state in own.items() if number > min(own)]
        if trained and not any(("valid", k) in s.values for s in trained for k in ("accuracy", "error")):
            found.append("no validation accuracy is found in it")
        if own and not any(state.cell for state in own.values()):
            found.append("it prints no cells: they are derived from the logits that it prints")
        if self.shift == -1:
            found.append("it counts epochs from 1: its epoch 1 is the first epoch of training here too")
        if self.stages > 1:
            found.append(f"its {self.stages} stages are one search, with epochs counted on")
        found += self.oddities_of(own, space)
        for phase, line in self.phases.items():
            if phase == "projection":
                said = (
                    f"is the method {self.projected(space)[0].method}"
                    if self.selected(space)
                    else "names no cell, and is left out"
                )
                found.append(f"from line {line} on it is a projection, which {said}")
            elif phase not in RETURNS:
                found.append(f"from line {line} on it is no search any more ({phase}), and is left out")
        return found

    def oddities_of(self, own: Mapping[int, State], space: Space) -> list[str]:
        """What is unusual in how cells and weights are printed."""
        found = []
        kinds = {classify_arrays(state.arrays, space) for state in own.values() if state.arrays}
        if self.from_steps and own:
            found.append("it prints cells in the middle of epochs: the last one of each stands for the state after it")
        if "sample" in kinds:
            found.append("the weights that it prints are ones and zeros, a sample and no logits: they are left out")
        if "copies" in kinds:
            found.append(f"it prints one array as all logits of {space.name}: they are left out")
        if "other" in kinds:
            found.append(f"it prints arrays that are no logits of {space.name}: they are left out")
        return found


def split_pieces(path: Path) -> list[Piece]:
    """The processes that wrote one file, one after the other."""
    reader = LogReader(path)
    for line in iterate_messages(path.read_text(encoding="utf-8", errors="replace")):
        reader.read(line)
    return reader.pieces


class LogReader:
    """Reads the messages of a file one by one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pieces = [Piece(path)]
        self.phase = "search"
        self.trained = False
        """Whether the epoch that the log is in has been trained."""
        self.closed = False
        """Whether its accuracies were printed, and something else is being trained."""
        self.opened: datetime | None = None
        """When the epoch began."""
        self.staged = False
        self.before: list[State] = []
        """The cells that are printed before the first epoch."""
        self.between = State()
        """The last cell since an epoch's end, where epochs begin with a message of their middle."""
        self.ended = False

    @property
    def piece(self) -> Piece:
        return self.pieces[-1]

    def read(self, line: LogLine) -> None:
        text = line.text
        if found := parse_arguments(text):
            self.arguments(found)
            return
        if RESUMED.search(text):
            self.piece.resumed = True
        if BEGINS.match(text):
            self.process()
        header = EPOCH.search(text)
        number = int(header[1] or header[2]) if header else None
        if number is not None and is_step(text) and self.goes_on(number):
            header, number, self.trained = None, None, True
        if header is None or self.phase == "search":
            for name, marker in PHASES.items():
                if marker.search(text):
                    self.enter(name, line)
        if number is not None:
            self.header(number, line)
        self.staged = self.staged or STAGE.search(text) is not None
        if self.phase == "projection":
            self.project(line, number)
        elif self.phase == "search" and self.piece.first is not None:
            self.search(line, text)
        elif self.phase == "search" and (cell := find_cell(text)) is not None:
            self.before.append(State(f"{self.path}, line {line.number}", cell))

    def goes_on(self, number: int) -> bool:
        """Whether a message of a step is of the epoch that the log is in."""
        return self.piece.first is not None and number + self.piece.shift == self.piece.last

    def arguments(self, found: Mapping[str, str]) -> None:
        """A list of arguments begins a process; single ones belong to the list."""
        if len(found) > 1:
            self.process()
        if len(found) > 1 or self.piece.first is None:
            self.piece.told = {**self.piece.told, **found}

    def process(self) -> None:
        """A process begins: what comes next is of another piece, where this one has epochs."""
        if self.piece.first is None:
            return
        self.pieces.append(Piece(self.path))
        self.phase, self.trained, self.closed, self.staged = "search", False, False, False
        self.before, self.between, self.ended = [], State(), False

    def enter(self, name: str, line: LogLine) -> None:
        """A phase begins. A projection that is all that a file holds needs no search before it."""
        if self.piece.first is None and name != "projection":
            return
        if self.phase in ("search", *RETURNS, OTHER) and name != self.phase:
            self.phase = name
            self.piece.phases.setdefault(name, self.piece.phases.pop(OTHER, line.number))
            self.piece.projected_epochs = max(self.piece.projected_epochs, name == "projection")

    def header(self, number: int, line: LogLine) -> None:
        """A message names an epoch, and may begin one of the search."""
        piece, printed = self.piece, RATE.search(line.text)
        rate = printed is not None
        if self.phase not in ("search", *RETURNS):
            return
        if (
            piece.first is not None
            and piece.with_rate
            and not rate
            and not find_statements(line.text)
            and number + piece.shift < piece.last
        ):
            self.phase = OTHER  # the epochs of something else, which says later what it is
            piece.phases.setdefault(OTHER, line.number)
            return
        if piece.first is None and not rate and "proj" in (piece.told.get("dev", "") + piece.told.get("method", "")):
            self.phase = "projection"
            piece.phases.setdefault("projection", line.number)
            return
        if piece.first is None:
            self.begin(number, line)
        at = number + piece.shift
        said_again = at == piece.last and not (
            rate and piece.with_rate and not find_statements(line.text) and self.filled()
        )
        if said_again:
            return
        if at <= piece.last:
            if number == piece.first and self.staged:
                piece.shift = piece.last + 1 - number
                piece.stages += 1
                at = number + piece.shift
            elif piece.resumed and number > 0:
                self.pieces.append(
                    Piece(self.path, dict(piece.told), began=line.time, first=number, with_rate=rate, shift=piece.shift)
                )
            else:
                raise refuse_second_beginning(self.path, line, number)
        self.phase = "search"
        self.piece.last = at
        if printed and printed[1]:
            self.piece.rates[at + 1] = float(printed[1])
        self.trained = self.closed = self.staged = self.ended = False
        self.opened = line.time
        if self.between.cell:
            piece.states[at + 1], self.between = self.between, State()

    def begin(self, number: int, line: LogLine) -> None:
        """The first epoch of a process."""
        piece, rate = self.piece, RATE.search(line.text) is not None
        self.refuse_again(number, line)
        piece.first, piece.with_rate, piece.began = number, rate, line.time
        if number == 1 and not piece.resumed and not parse_int(piece.told.get("resume_epoch")):
            piece.shift = -1
        done = OF.search(line.text) if is_step(line.text) else None
        piece.from_steps = done is not None and int(done[1]) > 0
        if piece.from_steps and len(self.before) > 1:
            self.between = self.before.pop()
        if self.before:  # printed before the first epoch, it is the state before that one
            initial = self.before[-1]
            piece.states[number + piece.shift] = State(initial.where, initial.cell, seconds=0.0)

    def filled(self) -> bool:
        """Whether the epoch that the log is in says more than that it begins."""
        return self.trained or bool(self.piece.states.get(self.piece.last, State()).cell)

    def refuse_again(self, number: int, line: LogLine) -> None:
        """An error where the file holds the same run from its beginning again."""
        for before in self.pieces[:-1]:
            same = (before.method, before.seed) == (self.piece.method, self.piece.seed)
            if same and before.first == number and not self.piece.retrains:
                raise refuse_second_beginning(self.path, line, number)

    def search(self, line: LogLine, text: str) -> None:
        """A message of an epoch of the search."""
        found = find_statements(text)
        if found and not self.closed:
            self.values(found)
        if is_step(text):
            self.trained = True
        cell = find_cell(text)
        printed = [] if cell is not None else parse_arrays(text)
        self.ended = self.ended or ENDS.search(text) is not None
        if cell is not None and self.ended and self.piece.from_steps:
            self.between = State(f"{self.path}, line {line.number}", cell, seconds=self.since(line))
            return
        if self.closed or (cell is None and not printed):
            if not found and cell is None and not printed and not SET_UP.search(text):
                self.later(line)
            return
        done = self.piece.last + self.trained
        state = self.piece.state(done)
        state.where = state.where or f"{self.path}, line {line.number}"
        if cell is not None:
            state.where, state.cell = f"{self.path}, line {line.number}", cell
        if printed:
            state.arrays += printed
        if np.isnan(state.seconds) or self.piece.from_steps:
            state.seconds = self.since(line)

    def since(self, line: LogLine) -> float:
        """Seconds since the process began."""
        return (line.time - self.piece.began).total_seconds() if self.piece.began and line.time else NAN

    def values(self, found: dict[tuple[str, str], tuple[float, bool]]) -> None:
        """Accuracies and losses at an epoch's end. Where training is told again after validation, it is of something
        else."""
        state = self.piece.state(self.piece.last + 1)
        again = any(key in state.values and key[0] == "train" for key in found)
        if again and any(part == "valid" for part, _ in state.values):
            self.closed = True
            return
        self.trained = True
        for key, value in found.items():
            state.values.setdefault(key, value)

    def later(self, line: LogLine) -> None:
        """A message that is in no wording known: it is of the training, unless it stands at the epoch's very
        beginning."""
        if self.opened is None or line.time is None or (line.time - self.opened).total_seconds() > SAME_MOMENT:
            self.trained = True

    def project(self, line: LogLine, number: int | None) -> None:
        """A message of a projection: its last cell, and what was measured before that."""
        piece = self.piece
        if number is not None:
            piece.projected_epochs = max(piece.projected_epochs, number + 1)
        piece.began = piece.began or line.time
        piece.projection.values |= find_statements(line.text)
        cell = find_cell(line.text)
        printed = [] if cell is not None else parse_arrays(line.text)
        piece.projection.arrays += printed
        if cell is not None:
            piece.projection.cell = cell
        if cell is not None or (printed and not piece.projection.cell):
            piece.projection.where, piece.projection.seconds = f"{self.path}, line {line.number}", self.since(line)


def refuse_second_beginning(path: Path, line: LogLine, number: int) -> HarnessError:
    return HarnessError(
        f"{path}, line {line.number}: epoch {number} begins a second time: the file holds more than one run; put what "
        "stands before and behind that into files of their own, in folders that are called after them"
    )


def parse_int(text: str | None) -> int:
    return int(text) if text and is_whole(text) else 0


def go_on(pieces: list[Piece]) -> None:
    """A projection in a log of its own counts epochs and seconds on from the search that it goes on with."""
    for piece in pieces:
        if piece.states or not (piece.projection.cell or piece.projection.arrays):
            continue
        own = [p for p in pieces if p.states and (p.method, p.seed) == (piece.method, piece.seed)]
        piece.after = parse_int(piece.told.get("resume_epoch")) or max((max(p.states) for p in own), default=0)
        piece.after_s = max((s.seconds for p in own for s in p.states.values() if s.seconds >= 0), default=0.0)
