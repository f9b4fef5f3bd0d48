"""Texts of cells as people paste them, brought to plain values; what a value means each space says itself."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from harness.core.errors import HarnessError
from harness.core.stamps import strip_stamp
from harness.core.text import is_whole

LONGEST = 10_000
"""Characters of a text, of which no cell has as many."""
NAME = re.compile(r"^[^|\[({#=:]{0,80}?(?:[=:]|\bis\b)\s*(?=\S)")
"""What a cell is called where it is pasted: `genotype = `, `DARTS_V2 = `, `The final genotype is: `."""
INDEX = re.compile(r"#\s*(\d+)|(\d+)")
WRAPPERS = (
    "array",
    "tensor",
    "asarray",
    "int",
    "int32",
    "int64",
    "list",
    "tuple",
    "str",
    "str_",
    "OrderedDict",
    "dict",
)
"""Calls that stand for what they are given."""
WORDS = {"null": None, "true": True, "false": False, "None": None}
LONG = 100
"""Numbers of a range, of which no cell has as many."""


def unwrap_text(text: str) -> str:
    """A pasted text without the time and the name before it, and without quotes around it."""
    found = strip_stamp(text.strip())
    for _ in range(3):
        shorter = NAME.sub("", found, count=1).strip().rstrip(",;")
        if len(shorter) > 1 and shorter[0] == shorter[-1] and shorter[0] in "'\"`":
            shorter = shorter[1:-1].strip()
        if shorter == found:
            break
        found = shorter
    return found


def parse_index(text: str) -> int | None:
    """The number of a text that is a published index, `#2299` or `2299`; None where it is none. A number with leading
    zeros is none."""
    found = INDEX.fullmatch(text.strip())
    if found is None or (found[2] or "0")[0] == "0" != (found[2] or "0"):
        return None
    digits = found[1] or found[2]
    return int(digits) if is_whole(digits) else None


def parse_literal(text: str) -> Any:
    """The value of a text in Python's, JSON's or numpy's notation; a call of a namedtuple is the dictionary of its
    fields, with those that have no name under their places. None where it is no value."""
    if len(text) > LONGEST:
        raise HarnessError(f"a text of {len(text):,} characters is no cell: name one cell")
    try:
        return _evaluate_node(ast.parse(text.strip(), mode="eval").body)
    except HarnessError:
        raise
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        pass
    try:  # numbers with spaces between them, as numpy prints them
        return json.loads(re.sub(r"(?<=[\d.\]])\s+(?=[-\d\[])", ",", re.sub(r"(\d)\.(?!\d)", r"\1.0", text)))
    except (ValueError, RecursionError):
        return None


def _evaluate_node(node: Any) -> Any:  # noqa: PLR0911 - a way a kind of node
    match node:
        case ast.Constant(value):
            return value
        case ast.UnaryOp(ast.USub(), operand):
            return -_evaluate_node(operand)
        case ast.List(elements):
            return [_evaluate_node(e) for e in elements]
        case ast.Tuple(elements):
            return tuple(_evaluate_node(e) for e in elements)
        case ast.Dict(keys, values):
            return {_evaluate_node(k): _evaluate_node(v) for k, v in zip(keys, values, strict=True)}
        case ast.Name(name) if name in WORDS:
            return WORDS[name]
        case ast.Call(function, given, keywords):
            return _evaluate_call(getattr(function, "attr", getattr(function, "id", "")), given, keywords)
    raise ValueError("no value")


def _evaluate_call(name: str, given: list[Any], keywords: list[Any]) -> Any:
    if name == "range":
        return [*range(*(_evaluate_node(a) for a in given))[:LONG]]
    if name in WRAPPERS and given:
        return _evaluate_node(given[0])
    if name[:1].isupper():
        return dict(enumerate(map(_evaluate_node, given))) | {k.arg: _evaluate_node(k.value) for k in keywords}
    raise ValueError("no value")
