"""Pages of Python classes and functions, from their signatures and docstrings (Google style)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import griffe

from tools.reference.words import escaped, line

WIDTH = 100
LISTED = {"parameters": "Arguments", "attributes": "Attributes"}
"""Sections of docstrings that list names."""


class Shown(NamedTuple):
    """What a page shows. path: of a module, a class or a function. members: of it, these alone. before: what is said
    above it."""

    path: str
    members: tuple[str, ...] = ()
    before: str = ""


API = (
    Shown("harness.api.studies", ("plan", "run")),
    Shown("harness.api.runs", ("load", "LoadedRuns")),
    Shown("harness.results.runs.Runs"),
    Shown("harness.api.runs", ("compare", "gate", "ledger", "plot", "rank", "report")),
    Shown("harness.tables.catalog.open_table"),
    Shown(
        "harness.tables.table.Table",
        (
            "lookup", "vector", "all_values", "optimum", "random_median", "percentile", "missing", "training_seconds",
            "costs",
        ),
    ),
    Shown("harness.spaces.base.search_space"),
)  # fmt: skip
PLUGINS = (
    Shown("harness.spaces.base", ("Space", "Enumerable", "Choices", "Preset", "Networks"), "## Search spaces"),
    Shown("harness.search.regularizers.base.Regularizer", (), "## Regularizers"),
    Shown("harness.search.steps", ("Moment", "ArchitectureStep", "WeightStep"), "What the hooks are told:"),
    Shown("harness.core.streams.Streams"),
    Shown("harness.search.searchers.base.SupernetSearcher", (), "## Searchers"),
    Shown("harness.datasets.base", ("Dataset", "Images"), "## Data sets"),
    Shown("harness.search.probes.base.Probe", (), "## Probes"),
    Shown("harness.results.importers.base", ("Importer", "Epoch", "Log"), "## Importers"),
    Shown(
        "harness.results.exporters.base", ("Exporter", "Tracker", "Part", "Board", "tabulate_epochs"), "## Exporters"
    ),
    Shown("harness.results.policies.base", ("Policy",), "## Policies"),
    Shown("harness.plots.base", ("Picture", "Figure"), "## Figures"),
    Shown("harness.results.runs.Runs", (), "What a figure is drawn from, and what it gives:"),
    Shown("harness.plots.content.Content"),
    Shown("harness.runs.executors.base", ("Executor",), "## Executors"),
    Shown("harness.tables.formats.base", ("TableFormat", "Conversion"), "## Table formats"),
)


def api() -> Iterator[str]:
    """What `import harness` gives."""
    yield "# Python\n"
    yield "`import harness` takes no torch, pandas or matplotlib; names are imported when they are first asked for.\n"
    for shown in API:
        yield from page_of(shown)


def plugins() -> Iterator[str]:
    """What parts of other packages are made of."""
    yield "# Plugins\n"
    yield "Each kind is one class in one file, registered by an entry point `nasbench_harness.<kind>` of your package,"
    yield "under the class's `name`.\n"
    for shown in PLUGINS:
        yield from page_of(shown)


@cache
def package() -> Any:
    """The package, read and not imported."""
    return griffe.load("harness", search_paths=["."])


def page_of(shown: Shown) -> Iterator[str]:
    """A module's members, or a class or function."""
    found = package()[shown.path.removeprefix("harness.")]
    if shown.before:
        yield f"{shown.before}\n"
    if found.is_module:
        for name in shown.members:
            yield from described(found[name], ())
    else:
        yield from described(found, shown.members)


def described(found: Any, members: Sequence[str]) -> Iterator[str]:
    """A class with its members, or a function."""
    yield f"### {found.name}\n"
    if not found.is_class:
        yield from function(found, found.name)
        return
    public = {n: m for n, m in found.members.items() if not (n.startswith("_") or m.is_alias)}
    fields = [m for m in public.values() if m.is_attribute and (m.annotation is not None or m.docstring)]
    bases = f"({', '.join(map(str, found.bases))})" if found.bases else ""
    lines = [f"    {field_of(m)}" for m in fields if not members]
    yield "\n".join(["```py", f"class {found.name}{bases}:", *(lines or ["    ..."]), "```\n"])
    yield from text_of(found)
    for field in fields:
        if field.docstring and not members:
            yield f"- `{field.name}`: {line(field.docstring.value)}"
    yield ""
    methods = {n: m for n, m in public.items() if m.is_function or (m.is_attribute and "property" in m.labels)}
    for name in members or methods:
        if methods[name].is_function:
            yield f"#### {found.name}.{name}\n"
            yield from function(methods[name], name)


def field_of(field: Any) -> str:
    """A field of a class as it is written there."""
    told = field.name if field.annotation is None else f"{field.name}: {field.annotation}"
    value = str(field.value) if field.value is not None else ""
    return f"{told} = {value}" if value and len(value) < WIDTH and "\n" not in value else told


def function(found: Any, name: str) -> Iterator[str]:
    """Signature and docstring."""
    told = f"def {found.signature(return_type=True, name=name)}: ..."
    if len(told) > WIDTH:
        bare = found.signature(return_type=False, name=name)
        inside = bare.removeprefix(f"{name}(").removesuffix(")")
        rest = "" if found.returns is None else f" -> {found.returns}"
        told = "\n".join([f"def {name}(", *(f"    {p}," for p in parameters(inside)), f"){rest}: ..."])
    yield f"```py\n{told}\n```\n"
    yield from text_of(found)


def parameters(text: str) -> Iterator[str]:
    """The parameters of a signature, one by one."""
    depth, begun = 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            yield text[begun:place].strip()
            begun = place + 1
    yield text[begun:].strip()


def text_of(found: Any) -> Iterator[str]:
    """A docstring, its sections as lists."""
    if found.docstring is None:
        return
    for section in found.docstring.parse(griffe.Parser.google, warnings=False):
        kind = section.kind.value
        if kind == "text":
            yield f"{escaped(section.value)}\n"
        elif kind in LISTED:
            yield f"{LISTED[kind]}:\n"
            yield from (f"- `{p.name}`: {line(p.description)}" for p in section.value)
            yield ""
        elif kind == "returns":
            yield f"Returns: {' '.join(line(r.description) for r in section.value)}\n"
        elif kind == "raises":
            yield "Raises:\n"
            yield from (f"- `{r.annotation}`: {line(r.description)}" for r in section.value)
            yield ""
        elif section.title == "Example":
            yield f"```pycon\n{section.value.description}\n```\n"
        elif kind == "admonition":
            yield f"{escaped(section.title or '')}: {escaped(section.value.description)}\n"
        else:
            raise ValueError(f"{found.path}: a section {kind!r} of its docstring is not known here")
