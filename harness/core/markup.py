"""Rows as markdown or LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def shown(value: Any) -> str:
    return "" if value is None else str(value)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """A pipe table."""
    if not rows:
        return ""
    marks = ["---:" if is_number(v) else "---" for v in rows[0].values()]
    lines = [list(rows[0]), marks, *([*row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(shown(v).replace("|", "\\|") for v in line) + " |" for line in lines)


LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "<": "$<$",
        ">": "$>$",
        "|": r"\textbar{}",
        "\\": r"\textbackslash{}",
    }
)


def latex(rows: Sequence[dict[str, Any]]) -> str:
    """A tabular with the rules of the package booktabs; numbers to the right."""
    if not rows:
        return ""
    columns = "".join("r" if is_number(v) else "l" for v in rows[0].values())

    def line(values: Iterable[Any]) -> str:
        return " & ".join(shown(v).translate(LATEX) for v in values) + r" \\"

    body = "\n".join(line(row.values()) for row in rows)
    head = line(key.replace("_", " ") for key in rows[0])
    parts = (f"\\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", body, r"\bottomrule", r"\end{tabular}")
    return "\n".join(parts)
