"""Printing rows as a table that fits the terminal, or as JSON, CSV, markdown or LaTeX."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from harness.core.markup import in_csv, in_markdown, in_terminal, is_number, latex, latex_comment, markdown
from harness.core.text import exact

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Format = Literal["table", "json", "csv", "markdown", "latex"]
FORMATS = get_args(Format)
PADDING = 3
"""What a column of a table takes beside its words: a space on each side, and a line."""
LONG = 12
"""Rows from which a table that is too wide loses columns instead of being turned."""


class Card(Protocol):
    """A result that can be told in two ways."""

    def row(self) -> dict[str, Any]:
        """As a page has room for it."""

    def numbers(self) -> dict[str, Any]:
        """The same, in full."""


def emit(rows: Sequence[dict[str, Any]], form: Format, title: str = "") -> None:
    """Print rows to standard output in the chosen format."""
    if form == "json":
        print(json.dumps([{k: known(v) for k, v in row.items()} for row in rows], indent=1, allow_nan=False))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        columns = list(rows[0]) if rows else []
        writer.writerow(map(in_csv, columns))
        writer.writerows([in_csv(row.get(column)) for column in columns] for row in rows)
    elif form in ("markdown", "latex"):
        print(markdown(rows) if form == "markdown" else latex(rows))
    else:
        show(rows, title)


def known(value: Any) -> Any:
    """A value as JSON has it, which knows no infinity and no NaN, and whose readers round whole numbers (`exact`)."""
    return None if isinstance(value, float) and not math.isfinite(value) else exact(value)


def emit_cards(cards: Sequence[Card], form: Format, title: str = "") -> None:
    """Print results: their numbers where a program reads, else what a page has room for."""
    emit([card.numbers() if form in ("csv", "json") else card.row() for card in cards], form, title)


def emit_sentences(sentences: Sequence[str], form: Format) -> None:
    """Print what stands under rows, a line a sentence, where the format has a place for it."""
    written = {"table": in_terminal, "markdown": lambda line: f"\n{in_markdown(line)}", "latex": latex_comment}
    if form in written:
        print("\n".join(map(written[form], sentences)))


def show(rows: Sequence[dict[str, Any]], title: str) -> None:
    """A table on the terminal. Words are never broken: what is too wide for that is turned, a block a row; of a long
    list the widest columns are left out, which is said."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    if not rows:
        console.print(Text(f"{in_terminal(title)}: nothing" if title else "nothing"))
        return
    # a column that says nothing in any row takes room for nothing
    columns = [k for k in rows[0] if any(row[k] not in (None, "") for row in rows)] or list(rows[0])
    left_out: list[str] = []
    while (room := console.width - sum(PADDING + least(rows, k) for k in columns) - 1) < 0:
        if len(rows) <= LONG or len(columns) <= 2:
            turned(console, rows, [*columns, *left_out], title)
            return
        left_out.append(max(columns[1:], key=lambda k: least(rows, k)))
        columns.remove(left_out[-1])
    console.print(grid(rows, columns, room, title))
    if left_out:
        told = ", ".join(left_out)
        console.print(Text(f"{console.width} columns have no room for: {told} (--format csv, or a wider terminal)"))


def grid(rows: Sequence[dict[str, Any]], columns: list[str], room: int, title: str) -> Table:
    """A table of these columns, with `room` characters to share out between those that would have to wrap."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(in_terminal(title), style="italic") if title else None, title_justify="left")
    wanted = {k: max(len(line) for r in rows for line in (k, in_terminal(r[k]))) - least(rows, k) for k in columns}
    for place, key in enumerate(sorted(columns, key=wanted.__getitem__)):  # small wishes first: they are granted whole
        wanted[key] = min(wanted[key], room // (len(columns) - place))
        room -= wanted[key]
    for key in columns:
        side: Literal["left", "right"] = "right" if is_number(rows[0][key]) else "left"
        table.add_column(Text(heading(key)), justify=side, width=least(rows, key) + wanted[key])
    for row in rows:
        table.add_row(*(Text(in_terminal(row[k])) for k in columns))
    return table


def turned(console: Console, rows: Sequence[dict[str, Any]], columns: list[str], title: str) -> None:
    """A block a row, a line a column."""
    from rich.text import Text

    if title:
        console.print(Text(in_terminal(title), style="italic"))
    wide = max(len(heading(k)) for k in columns)
    for row in rows:
        first, *rest = columns
        console.print(Text(in_terminal(row[first]), style="bold"), soft_wrap=True)
        for key in rest:
            if in_terminal(row[key]):
                console.print(Text(f"  {heading(key):{wide}}  {in_terminal(row[key])}"), soft_wrap=True)


def heading(key: str) -> str:
    return in_terminal(key).replace("_", " ")  # so that a narrow terminal breaks it between words


def least(rows: Sequence[dict[str, Any]], key: str) -> int:
    """Width of the longest word of a column."""
    return max(longest(heading(key)), *(longest(in_terminal(row[key])) for row in rows))


def longest(text: str) -> int:
    """Length of the longest word."""
    return max(map(len, text.split()), default=0)
