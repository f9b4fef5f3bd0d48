"""What every importer of foreign logs offers: which files it recognizes, and the epochs that they hold.

An importer reads; `import_logs` then checks every epoch, looks its architecture up in a table, and writes the folder
that plot, compare, gate and report read.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any, ClassVar

from harness.core.errors import HarnessError
from harness.core.files import join_inside, resolve_path, write_whole_folder
from harness.core.registry import Registry
from harness.core.text import LONGEST_LABEL, brief, is_label
from harness.results.importers.gathered import Gathered
from harness.runs.archive import write_archive
from harness.runs.schema import HIGHEST_SEED, MOST_EPOCHS
from harness.spaces.base import SPACES, Architecture, Space
from harness.tables.measure import Unit
from harness.tables.table import Table

IMPORTERS = Registry("importers", "harness.results.importers")
NAN = float("nan")
LEARNING_RATE = "learning_rate"
"""The column of the rate at which, as the log prints it, the epoch of training that ended here moved the weights."""
NOTHING: Mapping[str, float] = MappingProxyType({})
"""One for all epochs: there may be hundreds of thousands."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The state of one foreign run after `epoch` epochs of training (0: before any).

    where: file and line (or entry), for errors. method: "" where the log names none; seed: None where it is unknown.
    architecture: in any notation that its space reads. seconds: since the run began. losses: mean cross-entropy.
    accuracy: the supernet's, validation, in the log's unit; error: the same where the log has errors instead; percent:
    whether the log itself says %. alphas: logits, flat, in the space's order; empty where the log has none. digits:
    those behind the point of the mixing weights from which the logits are read back, None where these are the log's
    own. sampled: the architecture was sampled and asked for, and derived is the best so far by `score`, its validation
    accuracy in %, or by the table's. measured: what else the log says of the state, by the column of epochs.parquet:
    what our own probes write, or LEARNING_RATE.
    """

    where: str
    method: str
    seed: int | None
    epoch: int
    architecture: str
    seconds: float = NAN
    train_loss: float = NAN
    valid_loss: float = NAN
    accuracy: float = NAN
    alphas: tuple[float, ...] = ()
    error: float = NAN
    percent: bool = False
    digits: int | None = None
    sampled: bool = False
    score: float = NAN
    measured: Mapping[str, float] = field(default_factory=lambda: NOTHING)


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
    columns: Mapping[str, str] = {}
    """What files of it call a column, by its name here, where the format has columns (`mapped`)."""
    mapped: ClassVar[bool] = False
    endings: ClassVar[tuple[str, ...]] = ()
    """How names of its files end: such a file that no format recognizes is read by it, which says what is amiss."""

    @abstractmethod
    def recognizes(self, source: Path) -> bool:
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


def find_importer(source: Path) -> Importer:
    """The one importer that recognizes a file or folder."""
    if not source.exists():
        raise HarnessError(f"there is nothing at {source}: check the path")
    known: dict[str, Importer] = {name: cls() for name, cls in IMPORTERS.classes.items()}
    found = [name for name, importer in known.items() if importer.recognizes(source)]
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
    table: Table | None,
    to: Path,
    *,
    space: Space | None = None,
    method: str | None = None,
    seed: int | None = None,
    unit: Unit | None = None,
    replace_older: bool = False,
) -> tuple[Path, list[str]]:
    """Check and look up every epoch of foreign logs, and write them as a folder of results `<to>/<name of source>`.

    Args:
        table: None where there is none: nothing is looked up then.
        space: of the cells, where there is no table.
        method, seed: instead of the log's own; for a source that holds one method, or one run.
        unit: of accuracies that do not say it themselves; None: percent, unless the log's own losses say otherwise.
        replace_older: write over what lies in that folder.

    Returns:
        The folder, and sentences that a reader has to know.

    Raises:
        HarnessError: nothing is written where any row is wrong (the sentence names file and line), or where the folder
            is there.
    """
    if not source.exists():
        raise HarnessError(f"there is nothing at {source}: check the path")
    name = source.name.removesuffix(".gz").rsplit(".", 1)[0] if source.is_file() else resolve_path(source).name
    folder = join_inside(to, name)
    if folder.is_dir() and any(folder.iterdir()) and not replace_older:
        raise HarnessError(
            f"{folder} is there, and logs of another source may have that name: --replace writes over it, --to names "
            "another place"
        )
    searched = table.space if table is not None else space or find_only_space(importer, source)
    log = importer.read(source, searched)
    epochs = relabel_epochs(log.epochs, method, seed)
    if not epochs:
        raise HarnessError(f"{source} holds no epoch of any run")
    epochs = sorted(epochs, key=lambda e: (e.method, e.seed or 0, e.epoch))
    epochs, told = convert_to_percent(epochs, unit)
    rows = Gathered(searched, table)
    for epoch, sampled in iterate_incumbents(list(check_epochs(epochs)), searched, table):
        _append(rows, epoch, sampled, importer)
    told += [*list_remarks(epochs), *describe_absent_cells(rows)]
    notes, read_from, paired = log.notes, log.files, log.paired
    del log, epochs  # of hundreds of thousands, before they are written
    with write_whole_folder(folder) as draft:
        manifest: dict[str, Any] = {
            "study": {"name": name, "space": searched.name, "comparison": {} if paired else {"paired": False}},
            "table": table and {"name": table.name, "fingerprint": table.fingerprint},
            "imported": {
                "from": importer.tool,
                "files": [format_relative(p, source) for p in read_from],
                "notes": notes,
            },
            "runs": [],
        }
        write_archive(draft, rows.tables(), manifest)
    return folder, [*notes, *told]


def find_only_space(importer: Importer, source: Path) -> Space:
    """The space of some logs where nobody says it: the only one that reads their cells; an error names several."""
    found: list[Space] = []
    for kind in SPACES.classes.values():
        space: Space = kind()
        try:
            cells = list(dict.fromkeys(e.architecture for e in importer.read(source, space).epochs))
            if cells and all(space.parse(cell) for cell in cells[:SEVERAL]):
                found.append(space)
        except HarnessError:
            continue
    if len(found) != 1:
        told = f"{' and '.join(s.name for s in found)} can read them" if found else "none that is known reads them"
        raise HarnessError(f"of which space are the cells of {source}? Without a table say --space NAME: {told}")
    return found[0]


SEVERAL = 20
"""Cells that are looked at to tell which space they are of."""


def format_relative(path: Path, source: Path) -> str:
    return str(path.relative_to(source)) if path.is_relative_to(source) and path != source else path.name


def relabel_epochs(epochs: list[Epoch], method: str | None, seed: int | None) -> list[Epoch]:
    """The epochs under another name or seed, where the source holds only one; an error where one stays unknown."""
    methods, runs = {e.method for e in epochs}, {(e.method, e.seed) for e in epochs}
    if method is not None and len(methods) > 1:
        raise HarnessError(
            f"--method {method} would give {len(methods)} methods one name: {', '.join(sorted(methods))}"
        )
    if seed is not None and len(runs) > 1:
        raise HarnessError(f"--seed {seed} would give {len(runs)} runs one seed: import them one at a time")
    changes: dict[str, Any] = {k: v for k, v in (("method", method), ("seed", seed)) if v is not None}
    epochs = [replace(e, **changes) for e in epochs] if changes else epochs
    if nameless := [e for e in epochs if not e.method]:
        raise HarnessError(f"{nameless[0].where}: it is not known which method this is: name it, --method NAME")
    if unfit := next((e for e in epochs if not is_label(e.method)), None):
        raise HarnessError(
            f"{unfit.where}: the method's name {brief(unfit.method)} is not one line of 1 to {LONGEST_LABEL} printable "
            "characters: give it another one there, or --method NAME"
        )
    if unseeded := list(dict.fromkeys(e.where.rpartition(", ")[0] or e.where for e in epochs if e.seed is None)):
        raise HarnessError(
            f"{', '.join(unseeded)} says no seed, neither in its arguments nor by its name or its folder's, so its run "
            "cannot be told from others: give it, --seed N"
        )
    return epochs


def convert_to_percent(epochs: list[Epoch], unit: Unit | None) -> tuple[list[Epoch], list[str]]:
    """The epochs with accuracies in %, and what has to be said of their unit.

    Where the unit is not stated, and no accuracy is above 1, it is percent, as formats say: that is what chance is
    among a hundred classes. Only the log itself can contradict that: a network that gives the right class a probability
    of 0.3 is not right in 0.6 % of the cases, and one that guesses does not get better from epoch to epoch.
    """
    whole = 1.0 if unit == "fraction" else 100.0
    read = [
        e if math.isnan(e.error) else replace(e, accuracy=(100.0 if e.percent else whole) - e.error) for e in epochs
    ]
    unstated = [e for e in read if not e.percent and not math.isnan(e.accuracy)]
    if unit == "fraction":
        if wrong := [e for e in unstated if not 0 <= e.accuracy <= 1]:
            raise HarnessError(f"{wrong[0].where}: an accuracy of {wrong[0].accuracy:g} is no fraction")
        return [e if e.percent else replace(e, accuracy=100 * e.accuracy) for e in read], []
    if unit == "percent" or not unstated or max(e.accuracy for e in unstated) > 1:
        return read, []
    told = judge_unit_by_losses(unstated) or judge_unit_by_rise(unstated)
    if told:
        raise HarnessError(
            f"{unstated[0].where}: accuracies are in %, and none here is above 1, while {told}: say --unit fraction, "
            "or --unit percent if they are as they stand"
        )
    return read, [
        "no accuracy is above 1: they are taken as %, as they stand; if they are fractions, say --unit fraction"
    ]


def judge_unit_by_losses(epochs: list[Epoch]) -> str:
    """What losses say against accuracies in %, none above 1; "" where they say nothing."""
    likely = [(e, math.exp(-loss)) for e in epochs for loss in (e.valid_loss, e.train_loss) if not math.isnan(loss)]
    wrong = sum(p > UNLIKELY * max(e.accuracy, 1e-6) / 100 for e, p in likely)
    return "the losses are those of a network that is right more often" if wrong * 2 > len(likely) else ""


def judge_unit_by_rise(epochs: list[Epoch]) -> str:
    """What the course of accuracies says against %, none above 1; "" where it says nothing."""
    runs: dict[tuple[str, int | None], list[float]] = {}
    for e in epochs:
        runs.setdefault((e.method, e.seed), []).append(e.accuracy)
    long = [found for found in runs.values() if len(found) >= SOME]
    rise = [found for found in long if median(found[-SOME:]) > GROWS * median(found[:SOME]) > 0]
    return "they rise as those of a network that learns" if long and len(rise) * 2 > len(long) else ""


SOME = 4
"""Accuracies at the beginning and at the end of a run that are compared."""
GROWS = 1.25
"""How many times as high the median is at the end, where a network has learned."""
UNLIKELY = 10.0
"""How many times as likely as its accuracy a network gives the right class where the accuracy is no percentage."""


def iterate_incumbents(epochs: list[Epoch], space: Space, table: Table | None) -> Iterator[tuple[Epoch, str | None]]:
    """Every epoch with what is derived after it. Of sampled architectures that is the best so far by validation, as of
    our own searches that ask a table; the sampled one comes beside it."""
    best: dict[tuple[str, int | None], tuple[float, Epoch]] = {}
    for epoch in epochs:
        if not epoch.sampled:
            yield epoch, None
            continue
        score, run = epoch.score, (epoch.method, epoch.seed)
        if math.isnan(score) and table is not None and table.validation is not None:
            with name_place_of_errors(epoch):
                architecture = space.parse(epoch.architecture)
                score = float(table.lookup(architecture, table.validation)) if table.holds(architecture) else NAN
        elif math.isnan(score):
            raise HarnessError(
                f"{epoch.where}: the architectures of {epoch.method} are samples, and neither the log nor a table says "
                "their validation accuracy, by which the best so far is known: name a --table that has one"
            )
        if run not in best or score > best[run][0] or math.isnan(best[run][0]):
            best[run] = score, epoch
        yield replace(epoch, architecture=best[run][1].architecture), epoch.architecture


@contextmanager
def name_place_of_errors(epoch: Epoch) -> Iterator[None]:
    """An error is told with the place of its epoch."""
    try:
        yield
    except HarnessError as error:
        raise HarnessError(f"{epoch.where}: {error}") from None


def check_epochs(epochs: list[Epoch]) -> Iterator[Epoch]:
    """The epochs one by one, in the order of runs; an error names the row that cannot be right."""
    before: dict[tuple[str, int | None, int], Epoch] = {}
    last: Epoch | None = None
    for epoch in epochs:
        place = (epoch.method, epoch.seed, epoch.epoch)
        who = f"{epoch.method}, seed {epoch.seed}, epoch {epoch.epoch}"
        if place in before:
            raise HarnessError(f"{epoch.where}: {who} is there twice, first at {before[place].where}")
        before[place] = epoch
        if not (0 <= (epoch.seed or 0) <= HIGHEST_SEED and 0 <= epoch.epoch <= MOST_EPOCHS):
            raise HarnessError(
                f"{epoch.where}: seed and epoch are whole numbers from 0, not {brief(epoch.seed)}, "
                f"{brief(epoch.epoch)}; seeds are below 2^63, epochs at most {MOST_EPOCHS:,}"
            )
        if epoch.seconds < 0 or math.isinf(epoch.seconds):
            raise HarnessError(f"{epoch.where}: {epoch.seconds:g} s are no time since the run began")
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


def _append(rows: Gathered, epoch: Epoch, sampled: str | None, importer: Importer) -> None:
    """The rows of one epoch, with all that the table holds of its architecture."""
    space, table = rows.space, rows.table
    with name_place_of_errors(epoch):
        architecture = rows.parse(epoch.architecture)
        counts = rows.look_up(architecture)
        beside = {} if sampled is None else {"sampled": rows.parse(sampled).encoding}
    if table is not None:
        importer.check(epoch, architecture if sampled is None else rows.parse(sampled), table)
    expected = sum(a * b for a, b in space.alpha_shapes)
    if epoch.alphas and len(epoch.alphas) != expected:
        raise HarnessError(f"{epoch.where}: {len(epoch.alphas)} alphas are there, {space.name} has {expected}")
    alphas = () if all(map(math.isnan, epoch.alphas)) else epoch.alphas
    if not all(map(math.isfinite, alphas)):
        raise HarnessError(f"{epoch.where}: some of the alphas are no finite number: leave the cell empty, or give all")
    place = {"method": epoch.method, "seed": epoch.seed, "epoch": epoch.epoch}
    rows.add(
        {
            **place,
            "train_loss": epoch.train_loss,
            **{name: counts.pop(name) for name in ("architecture", "key")},
            **beside,
            "search_valid_loss": epoch.valid_loss,
            "supernet_accuracy_pct": epoch.accuracy,
            "entropy_nats": NAN,
            "alphas": list(alphas),
            **({"alphas_digits": epoch.digits} if epoch.digits is not None and alphas else {}),
            **epoch.measured,
            **counts,
        },
        epoch.seconds,
    )


def describe_absent_cells(rows: Gathered) -> list[str]:
    """How many epochs have a cell that the table, which holds a part of its space, does not."""
    table = rows.table
    if table is None or not table.complete:
        return []
    cells = Counter(rows.epochs["architecture"])
    gone = {cell: n for cell, n in cells.items() if not table.holds(rows.parse(cell))}
    if not gone:
        return []
    return [
        f"table {table.name} holds {table.told_size} architectures, and of {sum(cells.values())} epochs "
        f"{sum(gone.values())}"
        f" have another one ({len(gone)} of {len(cells)} cells): their values are missing"
    ]


def list_remarks(epochs: list[Epoch]) -> list[str]:
    """What is uneven within and between the runs."""
    runs: dict[str, list[int]] = {}
    for e in epochs:
        runs.setdefault(f"{e.method} seed {e.seed}", []).append(e.epoch)
    steps = Counter(b - a for numbers in runs.values() for a, b in pairwise(numbers))
    usual = max(steps, key=lambda step: steps[step], default=1)
    gaps = [(who, a, b) for who, numbers in runs.items() for a, b in pairwise(numbers) if b - a > usual]
    told = [f"{who} has no epoch between {a} and {b}" for who, a, b in gaps]
    ends: dict[int, list[str]] = {}
    for who, numbers in runs.items():
        ends.setdefault(numbers[-1], []).append(who)
    if len(ends) > 1:
        most = max(ends, key=lambda end: len(ends[end]))
        others = [f"{who} at {end}" for end, whose in sorted(ends.items()) if end != most for who in whose]
        told.append(f"not all runs end at the same epoch: {len(ends[most])} at {most}, {', '.join(others)}")
    return told
