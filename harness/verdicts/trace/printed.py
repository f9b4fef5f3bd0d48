"""Numbers as papers print them: rows of plain text, LaTeX, markdown and CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError

MACRO = re.compile(
    r"\\(?:cite[tp]?|ref|footnote|label|cellcolor|rowcolor|color|hspace|vspace)\*?(?:\[[^\]]*\])?\{[^{}]*\}"
)
SPAN = re.compile(r"\\multi(?:column|row)\{[^{}]*\}\{[^{}]*\}")
WORD = re.compile(r"\\[A-Za-z]+\*?")
PLUS_MINUS = re.compile(r"\\pm(?![A-Za-z])|\+\s*/?\s*-|&plusmn;|±")
AMOUNT = r"\d+(?:\.\d+)?"
PRINTED = re.compile(rf"(?P<value>{AMOUNT})(?:\s*(?:±\s*|\(\s*±?\s*)(?P<deviation>{AMOUNT})\s*\)?)?")
NOTHING = re.compile("^(?:[-\u2013\u2014]+|n/?a)$", re.IGNORECASE)
"""A hyphen, a dash, or words for nothing."""
MINUS = "\u2212"
LETTER = re.compile(r"[^\W\d_]|#")
RULE = re.compile(r"^[\s|:+=-]*$")
NO_ACCURACY = re.compile(
    r"param|flop|cost|day|time|hour|gpu|latency|size|epoch|seed|year|memory|speed|rank", re.IGNORECASE
)
"""What heads columns of a file that hold no accuracies."""
LARGEST_FILE = 10_000_000
COLUMN_MARKS = {".tex": "&", ".md": "|", ".csv": ","}
"""What stands between the columns of a file, by its ending."""


@dataclass(frozen=True)
class PrintedAccuracy:
    """An accuracy in %. half: half of its last digit; deviation: what follows ±, None where nothing does."""

    text: str
    value: float
    half: float
    deviation: float | None = None
    deviation_half: float = 0.0


@dataclass(frozen=True)
class Row:
    """label: the words of the row. numbers: None where a column says that it has none. line: of a file."""

    label: str
    numbers: tuple[PrintedAccuracy | None, ...]
    line: int = 0


def clean_text(text: str) -> str:
    """Without what sets it in bold, colors it or cites."""
    for pattern in (MACRO, SPAN):
        text = pattern.sub(" ", text)
    text = PLUS_MINUS.sub("±", text.replace(r"\%", " ").replace(r"\\", " "))
    text = WORD.sub(" ", text).replace(r"\,", " ").replace(MINUS, "-")
    return re.sub(r"[$%{}*~`\"_]|\^\S*|\\[hlmctb]*rule|†|‡", " ", text)


def compute_half_digit(text: str) -> float:
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


def number(found: re.Match[str]) -> PrintedAccuracy:
    value, deviation = found["value"], found["deviation"]
    return PrintedAccuracy(
        "".join(found[0].split()),
        float(value),
        compute_half_digit(value),
        None if deviation is None else float(deviation),
        0.0 if deviation is None else min(compute_half_digit(deviation), compute_half_digit(value)),  # ±0 is ±0.00
    )


def parse_numbers(column: str) -> list[PrintedAccuracy | None] | None:
    """The numbers of a column; None where it holds words."""
    if NOTHING.match(column.strip()):
        return [None]
    if LETTER.search(column):
        return None
    return [number(m) for m in PRINTED.finditer(column)]


def read_columns(columns: list[str], line: int = 0) -> Row:
    """A row whose columns are told apart."""
    words, found = [], []
    for column in columns:
        own = parse_numbers(column)
        if own is None:
            words.append(" ".join(column.split()))
        else:
            found += own
    return Row(" ".join(words), tuple(found), line)


def read_row(text: str) -> Row:
    """A row that somebody types or pastes.

    Raises:
        HarnessError: It holds no accuracy in %.
    """
    plain = clean_text(text)
    mark = next((m for m in ("&", "|") if m in plain), None)
    if mark is None:  # words and numbers are told apart by blanks, so what belongs together is joined first
        joined = re.sub(r"\s*±\s*", "±", re.sub(r"\s+\(\s*±?\s*([\d.]+)\s*\)", r"±\1", plain))
        columns = re.split(r"[\s,;/]+(?![^(]*\))", joined.strip())
    else:
        columns = plain.split(mark)
    row = read_columns([c for c in columns if c.strip()])
    known = [n for n in row.numbers if n is not None]
    if not known:
        raise HarnessError(
            f'{text!r} holds no number: write accuracies in % as they are printed, such as "54.30 15.61"'
        )
    for each in known:
        if each.value > 100:
            raise HarnessError(f"{each.text} in {text!r} is no accuracy in %: leave such columns out, or write - there")
    return row


def read_file(path: Path) -> Iterator[Row]:
    """The rows of a file's tables that hold accuracies, in %. Columns that are headed by a cost or a size, and numbers
    above 100, are left out.

    Raises:
        HarnessError: There is no such file, or it is of no kind that is known.
    """
    mark = COLUMN_MARKS.get(path.suffix)
    if mark is None:
        raise HarnessError(
            f"{path} ends in none of {', '.join(COLUMN_MARKS)}: what stands between columns is not known"
        )
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise HarnessError(f"{path} has more than {LARGEST_FILE:,} bytes and is no paper")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise HarnessError(f"{path} cannot be read ({error.strerror})") from None
    header: list[str] = []
    for place, line in enumerate(text.splitlines(), start=1):
        if mark not in line or RULE.match(line) or line.lstrip().startswith("%"):
            continue
        columns = clean_text(re.sub(r"(?<!\\)%.*" if mark == "&" else r"(?!)", "", line)).split(mark)
        columns = columns[1:-1] if mark == "|" and not columns[0].strip() else columns
        if all(parse_numbers(c) in (None, []) for c in columns):
            header = columns
            continue
        headed = header if len(header) == len(columns) else [""] * len(columns)
        row = read_columns([c for c, head in zip(columns, headed, strict=True) if not NO_ACCURACY.search(head)], place)
        accuracies = tuple(n for n in row.numbers if n is None or n.value <= 100)
        if any(n is not None for n in accuracies):
            yield Row(row.label, accuracies, place)
