"""Text for where it goes: a terminal, a CSV file, a page of markdown or HTML, LaTeX. What comes from elsewhere, such as
the name of a method in somebody's log, is text in each of them, and never code.

tabulate (0.10.0) was looked at and not taken: its Markdown escapes neither a bar nor the end of a line in a cell, and
it writes text that looks like a number as another one ("12.50" as 12.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from harness.core.text import replace_invisible

TAG = re.compile(r"<(?=[A-Za-z/!?])")
ENTITY = re.compile(r"&(?=#?\w+;)")
LINK = re.compile(r"\](?=[(\[])|:(?=//)|\bwww(?=\.)", re.IGNORECASE)
BACKSLASH = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
NUMBERS = re.compile(r"[-+](?:[\d\s.,\[\]+%eE-]|inf|nan)*")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take the first letter of a formula for."""
QUOTE = "'"
"""Before it a spreadsheet takes a cell for text."""


def format_value(value: Any) -> str:
    return "" if value is None else str(value)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def escape_for_terminal(value: Any) -> str:
    """A value as a terminal shows it, which moves no cursor and rings no bell."""
    return replace_invisible(format_value(value), "\n")


def escape_for_csv(value: Any) -> Any:
    """A value as a cell: what a spreadsheet would compute is text there. `unescape_csv` gives it back."""
    if not isinstance(value, str) or not value.startswith((*FORMULA, QUOTE)):
        return value
    plain = value[0] in "+-" and NUMBERS.fullmatch(value)
    return value if plain or not value.lstrip(QUOTE).startswith(FORMULA) else QUOTE + value


def unescape_csv(text: str) -> str:
    """The text of a cell that `escape_for_csv` wrote."""
    quoted = text.startswith(QUOTE) and text.lstrip(QUOTE).startswith(FORMULA)
    return text[1:] if quoted else text


def write_csv_text(frame: Any) -> str:
    """A DataFrame as a CSV file."""
    texts = [column for column in frame.columns if frame[column].map(lambda value: isinstance(value, str)).any()]
    written = frame.assign(**{str(column): frame[column].map(escape_for_csv) for column in texts})
    found: str = written.rename(columns=escape_for_csv).to_csv(index=False)
    return found


def escape_for_html(value: Any) -> Any:
    """A value for a page that escapes its tags: without what no page may hold."""
    return replace_invisible(value, "\n\t") if type(value) is str else value


def escape_for_markdown(value: Any) -> str:
    """A value within a line of markdown: no tag, no link, no end of the line. Emphasis stays."""
    text = BACKSLASH.sub(r"\\\\", replace_invisible(format_value(value).replace("\n", " ")))
    return TAG.sub("&lt;", ENTITY.sub("&amp;", LINK.sub(lambda found: f"{found[0]}\\", text)))


def render_markdown_table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a pipe table of Markdown."""
    if not rows:
        return ""
    marks = ["---:" if is_number(v) else "---" for v in rows[0].values()]
    lines = [list(rows[0]), marks, *([*row.values()] for row in rows)]
    return "\n".join(
        "| " + " | ".join(escape_for_markdown(v).replace("|", "\\|") for v in line) + " |" for line in lines
    )


LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "†": r"\dag{}",
        "<": "$<$",
        ">": "$>$",
        "|": r"\textbar{}",
        "\\": r"\textbackslash{}",
    }
)


def escape_for_latex(value: Any) -> str:
    """A value within a line of LaTeX."""
    return replace_invisible(format_value(value).replace("\n", " ")).translate(LATEX)


def comment_for_latex(text: str) -> str:
    """A text as lines that LaTeX does not read."""
    return "\n".join(f"% {replace_invisible(line)}" for line in text.split("\n"))


def render_latex_table(rows: Sequence[dict[str, Any]]) -> str:
    """A tabular with the rules of the package booktabs; numbers to the right."""
    if not rows:
        return ""
    columns = "".join("r" if is_number(v) else "l" for v in rows[0].values())

    def line(values: Iterable[Any]) -> str:
        told = " & ".join(map(escape_for_latex, values))
        # after the end of a row and after a rule these would be an argument, and a star
        return ("{}" if told.startswith(("[", "*")) else "") + told + r" \\"

    body = "\n".join(line(row.values()) for row in rows)
    head = line(key.replace("_", " ") for key in rows[0])
    parts = (f"\\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", body, r"\bottomrule", r"\end{tabular}")
    return "\n".join(parts)
