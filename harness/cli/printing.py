"""Printing rows as a table that fits the terminal, or as JSON, CSV, markdown or LaTeX."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from harness.core.markup import (
    comment_for_latex,
    escape_for_csv,
    escape_for_markdown,
    escape_for_terminal,
    is_number,
    render_latex_table,
    render_markdown_table,
)
from harness.core.text import keep_exact

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
        """Every number of it, as a row for JSON and CSV."""


def emit(rows: Sequence[dict[str, Any]], form: Format, title: str = "") -> None:
    """Print rows to standard output in the chosen format."""
    if form == "json":
        print(json.dumps([{k: encode_plain(v) for k, v in row.items()} for row in rows], indent=1, allow_nan=False))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        columns = list(rows[0]) if rows else []
        writer.writerow(map(escape_for_csv, columns))
        writer.writerows([escape_for_csv(row.get(column)) for column in columns] for row in rows)
    elif form in ("markdown", "latex"):
        print(render_markdown_table(rows) if form == "markdown" else render_latex_table(rows))
    else:
        show(rows, title)


def encode_plain(value: Any) -> Any:
    """A value as JSON has it, without infinity and NaN, whose readers round whole numbers (see `keep_exact`)."""
    return None if isinstance(value, float) and not math.isfinite(value) else keep_exact(value)


def emit_cards(cards: Sequence[Card], form: Format, title: str = "") -> None:
    """Print results: their numbers where a program reads, else what a page has room for."""
    emit([card.numbers() if form in ("csv", "json") else card.row() for card in cards], form, title)


def emit_sentences(sentences: Sequence[str], form: Format) -> None:
    """Print what stands under rows, a line a sentence, where the format has a place for it."""
    written = {
        "table": escape_for_terminal,
        "markdown": lambda line: f"\n{escape_for_markdown(line)}",
        "latex": comment_for_latex,
    }
    if form in written:
        print("\n".join(map(written[form], sentences)))


def show(rows: Sequence[dict[str, Any]], title: str) -> None:
    """A table on the terminal. Words are never broken: what is too wide for that is turned, a block a row; of a long
    list the widest columns are left out, which is said."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    if not rows:
        console.print(Text(f"{escape_for_terminal(title)}: nothing" if title else "nothing"))
        return
    # a column that says nothing in any row takes room for nothing
    columns = [k for k in rows[0] if any(row[k] not in (None, "") for row in rows)] or list(rows[0])
    left_out: list[str] = []
    while (room := console.width - sum(PADDING + find_longest_word_in_column(rows, k) for k in columns) - 1) < 0:
        if len(rows) <= LONG or len(columns) <= 2:
            print_blocks(console, rows, [*columns, *left_out], title)
            return
        left_out.append(max(columns[1:], key=lambda k: find_longest_word_in_column(rows, k)))
        columns.remove(left_out[-1])
    console.print(build_grid(rows, columns, room, title))
    if left_out:
        told = ", ".join(left_out)
        console.print(Text(f"{console.width} columns have no room for: {told} (--format csv, or a wider terminal)"))


def build_grid(rows: Sequence[dict[str, Any]], columns: list[str], room: int, title: str) -> Table:
    """A table of these columns, with `room` characters to share out between those that would have to wrap."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(escape_for_terminal(title), style="italic") if title else None, title_justify="left")
    wanted = {
        k: max(len(line) for r in rows for line in (k, escape_for_terminal(r[k])))
        - find_longest_word_in_column(rows, k)
        for k in columns
    }
    for place, key in enumerate(sorted(columns, key=wanted.__getitem__)):  # small wishes first: they are granted whole
        wanted[key] = min(wanted[key], room // (len(columns) - place))
        room -= wanted[key]
    for key in columns:
        side: Literal["left", "right"] = "right" if is_number(rows[0][key]) else "left"
        table.add_column(
            Text(format_heading(key)), justify=side, width=find_longest_word_in_column(rows, key) + wanted[key]
        )
    for row in rows:
        table.add_row(*(Text(escape_for_terminal(row[k])) for k in columns))
    return table


def print_blocks(console: Console, rows: Sequence[dict[str, Any]], columns: list[str], title: str) -> None:
    """A block a row, a line a column."""
    from rich.text import Text

    if title:
        console.print(Text(escape_for_terminal(title), style="italic"))
    wide = max(len(format_heading(k)) for k in columns)
    for row in rows:
        first, *rest = columns
        console.print(Text(escape_for_terminal(row[first]), style="bold"), soft_wrap=True)
        for key in rest:
            if escape_for_terminal(row[key]):
                console.print(Text(f"  {format_heading(key):{wide}}  {escape_for_terminal(row[key])}"), soft_wrap=True)


def format_heading(key: str) -> str:
    return escape_for_terminal(key).replace("_", " ")  # so that a narrow terminal breaks it between words


def find_longest_word_in_column(rows: Sequence[dict[str, Any]], key: str) -> int:
    """Width of the longest word of a column."""
    return max(
        measure_longest_word(format_heading(key)),
        *(measure_longest_word(escape_for_terminal(row[key])) for row in rows),
    )


def measure_longest_word(text: str) -> int:
    """Length of the longest word."""
    return max(map(len, text.split()), default=0)
