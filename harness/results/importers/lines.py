"""What the lines of a text log say, however it words it: times, arguments, accuracies, arrays of logits, and names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.files import resolve_path
from harness.core.stamps import StampClock, match_stamp, strip_stamp
from harness.core.text import is_whole

LONGEST = 400
"""Lines that one array, genotype or list of arguments may take."""
OPENS = re.compile(r"\[\[|\b(?:tensor|array|Genotype|Namespace)\(|\{")
"""What goes on until its brackets close."""
NUMBER = r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf)"


@dataclass(frozen=True)
class LogLine:
    """One message: its line's number, its time where it or a line before it has one, and its text."""

    number: int
    time: datetime | None
    text: str


def iterate_messages(text: str) -> Iterator[LogLine]:
    """The messages of a log; one that goes over several lines is one message."""
    clock = StampClock()
    rows = text.splitlines()
    at = 0
    while at < len(rows):
        clock.read(rows[at])
        said, first = strip_stamp(rows[at]), at
        at += 1
        if OPENS.search(said):
            depth = _measure_depth(said)
            while depth > 0 and at < len(rows) and at - first < LONGEST and match_stamp(rows[at]) is None:
                said += "\n" + rows[at]
                depth += _measure_depth(rows[at])
                at += 1
        yield LogLine(first + 1, clock.now, said)


def _measure_depth(text: str) -> int:
    return sum(text.count(c) for c in "([{") - sum(text.count(c) for c in ")]}")


# -- accuracies and losses -----------------------------------------------------------------------------------------

TOKEN = re.compile(
    r"(?P<part>(?<![a-z])(?:train(?:ing)?|trn|valid(?:ation)?|vali?|eval(?:uation)?|test(?:ing)?)(?![a-z]))"
    r"|(?P<kind>(?<![a-z])(?:(?:acc(?:uracy|uracies)?|err(?:or)?)(?:@1(?![\d.,]))?(?:[-_ ]?\(?top[-_ ]?1\)?)?"
    r"|(?:prec(?:ision)?|top|r)[-_ ]?@?1(?![\d.,])|loss|obj(?:ective)?s?)(?![a-z]))"
    rf"|(?<![\w.@])(?P<value>{NUMBER})(?![\w.])(?P<percent> ?%)?",
    re.IGNORECASE,
)
BETWEEN = re.compile(
    r"(?:[\s:=_/\-()\[\]'\",]|\b(?:is|of|on|for|in|the|set|data|dataset|split|at|avg|average|mean|final|search|top-?1|tensor|array)\b)*",
    re.IGNORECASE,
)
STEP = re.compile(
    r"^(?:train|valid|val|test|training|validation)\s+\d+\s|\b(?:step|iter|iteration|batch(?:es)?)\b|\]\s*\[\s*\d+/\d+\]",
    re.IGNORECASE,
)
"""What is said in the middle of an epoch."""
BENCHMARK = re.compile(r"^(?:cifar|imagenet|svhn)[\w-]*\s", re.IGNORECASE)
"""An answer of a benchmark about a derived architecture, which is no state of the search."""
BEST = re.compile(r"\b(?:best|post)[^,|;]*", re.IGNORECASE)
"""The best so far, and what SGAS measures after a decision: no states of the epoch."""
KINDS = {"l": "loss", "o": "loss", "e": "error"}


def find_statements(text: str) -> dict[tuple[str, str], tuple[float, bool]]:
    """The (part, kind) that a message gives numbers of, with whether it calls them percent. part: train or valid (what
    is tested is no state of a search, and is left out). kind: accuracy, error or loss.

    Any wording that names a part, a kind and then a number: `train_acc 31.2`, `Val acc: 39.5`, `valid_acc_top1 11.7`,
    `Train: loss 1.5, prec@1 40.2%`, `Accuracy (validation): 40`. A best value so far, an accuracy among the first five
    and what is said of a single step are none.
    """
    if STEP.search(text) or BENCHMARK.match(text):
        return {}
    text = BEST.sub("", text)
    found: dict[tuple[str, str], tuple[float, bool]] = {}
    part, kind, outer, anchor = "", "", "", 0
    for token in TOKEN.finditer(text):
        near = BETWEEN.fullmatch(text, anchor, token.start()) is not None
        if token["part"]:
            outer = kind if kind and near else outer  # "accuracy: train 40, valid 50"
            part, kind = token["part"].lower(), outer
        elif token["kind"]:
            kind, outer = KINDS.get(token["kind"][0].lower(), "accuracy"), ""
        elif kind and part and near and not part.startswith("test"):
            where = "train" if part[0] == "t" else "valid"
            found.setdefault((where, kind), (float(token["value"]), bool(token["percent"])))
            kind = ""
        else:
            kind = ""
        anchor = token.end()
    return found


def is_step(text: str) -> bool:
    """Whether a message is of the middle of an epoch."""
    return STEP.search(text) is not None


# -- arguments, names ----------------------------------------------------------------------------------------------

CALLED = re.compile(r"\bNamespace\((.*)\)", re.DOTALL)
LISTED = re.compile(
    r"^\W*(?:x?args|arguments|config(?:uration)?|hparams|params|options?)\b\W*(\{.*\})", re.I | re.DOTALL
)
PAIR = re.compile(r"['\"]?(\w+)['\"]?\s*[=:]\s*(?:'([^']*)'|\"([^\"]*)\"|([^,\s)}\]]+))")
COMMAND = re.compile(r"--([\w-]+)(?:=|\s+)([^\s-]\S*)")
WRITTEN = re.compile(
    r"^\W*((?:\w+[ _-])?seed|method|algo(?:rithm)?)\s*(?:[:=]|is|\s)\s*['\"]?([\w.-]+)['\"]?\W*$", re.I
)
SEED_NAME = re.compile(r"(?:^|[^a-z])seed[-_=]?(\d+)", re.IGNORECASE)
NUMBERED = re.compile(r"(?:log|run|trial|task|rep|repeat|search)[-_]?(\d{1,4})|(\d{1,4})", re.IGNORECASE)
ORDINARY = re.compile(r"(?:log|output|nohup|stdout|out|train|search|console)(?:[-_].*)?", re.IGNORECASE)
METHODS = ("method", "algo", "algorithm")


def parse_arguments(text: str) -> dict[str, str]:
    """The arguments that a message lists, in any form: a Namespace, a dictionary, a command line, `seed: 3`."""
    if found := CALLED.search(text) or LISTED.search(text):
        return {key: next((v for v in values if v), "") for key, *values in PAIR.findall(found[1])}
    if " --" in text and (pairs := COMMAND.findall(text)):
        return {key.replace("-", "_"): value for key, value in pairs}
    if found := WRITTEN.match(text):
        return {re.sub(r"[ -]", "_", found[1].lower()): found[2]}
    return {}


def find_seed(path: Path, told: Mapping[str, str]) -> int | None:
    """The seed of a log: as its arguments have it, else as its name or its folder's does; None where neither says."""
    seeds = {key.lower(): value for key, value in told.items() if key.lower().endswith("seed") and is_whole(value)}
    for key in ("seed", "search_seed", *sorted(seeds)):
        if key in seeds:
            return int(seeds[key])
    stem, folders = strip_suffixes(path), [parent.name for parent in resolve_path(path).parents][:2]
    for name in (stem, *folders):
        if found := SEED_NAME.search(name):
            return int(found[1])
    for name in (stem, folders[0] if folders else ""):
        if found := NUMBERED.fullmatch(name):
            return int(found[1] or found[2])
    return None


def find_method(path: Path, told: Mapping[str, str]) -> str:
    """The method as a log's arguments have it, else its file's name where that says more than `log`, else the name of
    the closest folder that is no mere seed."""
    for key in METHODS:
        if value := told.get(key):
            return value
    stem = SEED_NAME.sub("", strip_suffixes(path)).strip("-_. ")
    if stem and not ORDINARY.fullmatch(stem) and not NUMBERED.fullmatch(stem):
        return stem
    for parent in resolve_path(path).parents:
        name = SEED_NAME.sub("", parent.name).strip("-_. ")
        if name and not NUMBERED.fullmatch(name):
            return name
    return stem or path.stem


def find_text_logs(source: Path, *names: str) -> list[Path]:
    """The text logs of a folder by their names, those that tools commonly give and `names`; or the one log itself."""
    if source.is_file():
        return [source]
    kinds = ("log*.txt", "*.log", "*.out", *names)
    return sorted({p for kind in kinds for p in source.rglob(kind) if p.is_file()})


def strip_suffixes(path: Path) -> str:
    return re.sub(r"\.(?:txt|log|out|gz)$", "", path.name)


# -- arrays --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PrintedArray:
    """An array [rows, columns] as a log prints it. digits: behind the point, the most of any of its numbers. units:
    what the last digit of each number stands for, which is the same for all but those with an exponent."""

    values: NDArray[np.float64]
    digits: int
    units: NDArray[np.float64]


def parse_arrays(text: str) -> list[PrintedArray]:
    """The arrays [rows, columns] of numbers in a message, as torch and numpy print them."""
    found = []
    for body in re.findall(r"\[\s*(\[[^\[\]]*\](?:[,\s]*\[[^\[\]]*\])*)\s*\]", text):
        rows = [re.findall(NUMBER, row) for row in re.findall(r"\[([^\[\]]*)\]", body)]
        if not rows[0] or any(len(row) != len(rows[0]) for row in rows) or re.search(r"[A-Zb-df-mo-z']", body):
            continue
        places = np.array([[_count_places(n) for n in row] for row in rows])
        # without exponents all have as many digits, but for those that end in zeros: `1.` is 1.0000
        exponents = any("e" in n for row in rows for n in row)
        units = 10.0 ** -(places if exponents else np.full_like(places, places.max()))
        found.append(PrintedArray(np.array(rows, dtype=float), int(places.max()), units))
    return found


def _count_places(number: str) -> int:
    """The place of a number's last digit behind the point: 4 of 0.1234, 7 of 1.2345e-03."""
    mantissa, _, exponent = number.lower().partition("e")
    return len(mantissa.partition(".")[2]) - int(exponent or 0)
