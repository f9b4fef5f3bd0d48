"""Pages of every figure, every method and every key of a study, from the classes."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from tools.reference.words import escaped

ROOT = Path(__file__).parent.parent.parent
FIGURES_FROM = "results/published/ten-seeds"
"""The results of which every figure of the reference is drawn."""
FIGURES_OF_LOGS = "results/public-logs/robustdarts-s1 --set comparison.skips=6"
"""Those of which figures are drawn that our own studies have no numbers for: searches at several doses."""
OF_LOGS = ("dose", "stopping")
FIGURES_OF_LEDGER = "results/published/cifar10-8-ledger"
"""Those of the figure of a study that varies kinds of random draws by themselves."""
FIGURES_TO = "docs/reference/figures"
PICTURES = """
Every method searches the same thing from the same seed: NAS-Bench-201 with one cell a stage of 4 channels, 64 steps on
handwritten digits, with a rate of alpha so high that these few steps decide something. A picture shows one edge: a line
is an operation's mixing weight after each step; dots are the weights at which the network's own weights were trained in
that step, where a method perturbs or draws them; the triangle is the operation that the search derives. The broad pale
lines behind are `darts`: where a method lies on them, what it adds did not act, or not on this edge, in so short a
search. Methods that ask a table show what they asked: a dot is an architecture's validation error (small: asked for
before its training had ended), the line the incumbent's. One seed and 64 steps: the pictures say what a method does,
never how good it is. (`shapley-nas` and `zarts` draw fewer samples here than by default.) Made by
`python docs/pictures.py`.
"""


def figures() -> Iterator[str]:
    """Every figure: what it shows, its picture, what to see in it, and the command that made it."""
    from harness.plots.base import FIGURES, Figure

    yield "# Figures\n"
    yield "Every figure of finished runs, as SVG, PDF and PNG with its numbers as CSV. `--width 3.25` is a column of a"
    yield "paper, `--title none` leaves the title to the caption, `--methods a,b` draws some methods in order. Labels,"
    yield "order, colours and limits of all figures of a study are in its section [`[figures]`](study.md#figures).\n"
    for name, cls in FIGURES.classes.items():
        yield f"## {name}\n\n{described(cls)}\n\nIt needs {cls.needs}.\n"
        yield f"![{name}](figures/{name}.png)\n\n{cls.see}\n"
        source = FIGURES_OF_LOGS if name in OF_LOGS else FIGURES_FROM
        source = FIGURES_OF_LEDGER if name == "ledger" else source
        yield f"```console\n$ harness plot {source} --figure {name} --to {FIGURES_TO}\n```\n"
        yield from fields(cls, Figure)


def methods() -> Iterator[str]:
    """Every method: its parts, paper and proof, and a picture of what it does (made by pictures.py)."""
    from harness.cli.listing import list_members
    from harness.search.methods import build_method

    yield "# Methods\n"
    yield "Every name of `harness list methods`. Each is a searcher with regularizers, which can be combined otherwise:"
    yield "`beta-darts + sdarts-adv`. What the status says, what each costs and where it departs from its paper:"
    yield "[Methods](../explanation/methods.md).\n"
    yield f"## The pictures\n\n{PICTURES}\n"
    for row in sorted(list_members("methods"), key=lambda row: str(row["method"])):
        made = build_method(row["method"])
        yield f"## {row['method']}\n\n{row['paper']}. Status: **{row['status']}**; passes a step (forward + backward):"
        yield f"{row['passes']}. Made of `{row['searcher']}`, regularizers: `{row['regularizers']}`.\n"
        if (ROOT / "docs" / "reference" / "methods" / f"{row['method']}.png").is_file():
            yield f"![{row['method']}](methods/{row['method']}.png)\n"
        # of a plain searcher with regularizers, these are what the method is
        for part in made.regularizers or made.searchers:
            yield described(type(part)) + "\n"
            yield from fields(type(part), None)


def claims() -> Iterator[str]:
    """Every kind of claim: what it says, and its keys."""
    from harness.verdicts.claims.base import CLAIMS, Claim, RunClaim

    yield "# Kinds of claims\n"
    yield "What `kind` may be in a file of claims ([how to check what a paper claims](../howto/claims.md)).\n"
    shared: dict[str, Any] = {}
    for title, base in (("Every claim", Claim), ("Claims of runs", RunClaim)):
        yield f"## {title}\n\n{described(base)}\n"
        yield from keys(base, without=shared)
        shared |= base.model_fields
    for name, cls in CLAIMS.classes.items():
        yield f"## {name}\n\n{described(cls)}\n"
        yield from keys(cls, without=shared if issubclass(cls, RunClaim) else Claim.model_fields)


def study() -> Iterator[str]:
    """Every key of a study file, section by section."""
    from pydantic import BaseModel

    from harness.runs.study import StudyFile

    yield "# Study files\n"
    yield "A study is a TOML file with these keys and sections. Any of them can be changed from the command line, as in"
    yield "`--set training.batch_size=32`; a key that is not known ends in a sentence that says which one was meant.\n"
    sections = {
        key: f.annotation
        for key, f in StudyFile.model_fields.items()
        if isinstance(f.annotation, type) and issubclass(f.annotation, BaseModel)
    }
    yield 'Seeds may be written `"0..9"`.\n'
    yield f"{described(StudyFile)}\n"
    yield from keys(StudyFile, without=sections)
    for key, model in sections.items():
        yield f"## {key}\n\nThe section `[{key}]`. {described(model)}\n"
        yield from keys(model)


def keys(model: type[Any], without: Iterable[str] = ()) -> Iterator[str]:
    """A table of the keys of a section: what each takes, its default, and what it is."""
    said = describe_fields(model)
    yield "| key | takes | default | what it is |\n| --- | --- | --- | --- |"
    for key, field in model.model_fields.items():
        if key not in without:
            bounds = [f"{sign} {getattr(m, name)}" for m in field.metadata for name, sign in BOUNDS if hasattr(m, name)]
            takes = ", ".join([told(field.annotation), *bounds]).replace("|", "\\|")
            default = "required" if field.is_required() else f"`{toml(field.get_default(call_default_factory=True))}`"
            what = escaped(said.get(key, "")).replace("|", "\\|")
            yield f"| `{key}` | {takes} | {default.replace('`None`', 'none')} | {what} |"
    yield ""


BOUNDS = (("ge", "\u2265"), ("gt", ">"), ("le", "\u2264"), ("lt", "<"))
WORDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "NoneType": "", "Any": "any"}


def told(kind: Any) -> str:
    """A type, in words."""
    of = [a for a in get_args(kind) if a is not ...]
    origin = get_origin(kind)
    if origin is Literal:
        return ", ".join(f"`{toml(a)}`" for a in of)
    if origin is Annotated:
        return told(of[0])
    if origin in (list, tuple):
        return f"list of: {' and '.join(dict.fromkeys(told(a) for a in of))}"
    if origin is dict:
        return f"table of: {told(of[1])}"
    if origin in (Union, UnionType):
        return " or ".join(filter(None, map(told, of)))
    name = getattr(kind, "__name__", str(kind))
    return WORDS.get(name, name)


def toml(value: Any) -> str:
    """A default as a study file writes it."""
    if isinstance(value, list | tuple | dict):
        return json.dumps(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def described(cls: type[Any]) -> str:
    return escaped(inspect.cleandoc(cls.__doc__ or ""))


@cache
def describe_fields(cls: type[Any]) -> dict[str, str]:
    """What stands below each field of a class, or of a class that it is made of, as one line."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("harness"):
            (body,) = (node.body for node in ast.parse(textwrap.dedent(inspect.getsource(base))).body)  # type: ignore[attr-defined]
            for field, below in pairwise(body):
                told = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
                if isinstance(field, ast.AnnAssign) and told:
                    found[field.target.id] = " ".join(str(below.value.value).split())  # type: ignore[union-attr]
    return found


def fields(cls: type[Any], base: type[Any] | None) -> Iterator[str]:
    """The fields of a part with their defaults, without those of its base class."""
    own = {k: f for k, f in cls.model_fields.items() if base is None or k not in base.model_fields}
    said = describe_fields(cls)
    for key, field in own.items():
        yield f"- `{key} = {'required' if field.is_required() else repr(field.default)}`: {escaped(said[key])}"
    if own:
        yield ""
