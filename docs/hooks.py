"""What `make docs` adds to the pages that are written: one of every figure and one of every method, from the classes,
and a search that works where pages are opened from the disk."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

FIGURES_FROM = "results/published/ten-seeds"
"""The results of which every figure of the reference is drawn."""
FIGURES_TO = "docs/reference/figures"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, page in (("figures", figures()), ("methods", methods())):
        files.append(File.generated(config, f"reference/{name}.md", content="\n".join(page)))
    return files


def on_post_build(config: MkDocsConfig) -> None:
    """The index as a script, which the theme reads where it may not fetch."""
    index = Path(config.site_dir) / "search" / "search_index.json"
    index.with_suffix(".js").write_text(f"var __index = {index.read_text()}")


def figures() -> Iterator[str]:
    """Every figure: what it shows, its picture, what to see in it, and the command that made it."""
    from harness.plots.base import FIGURES, Figure

    yield "# Figures\n"
    yield "Every figure of finished runs, as SVG, PDF and PNG with its numbers as CSV. `--width 3.25` is a column of a"
    yield "paper, `--title none` leaves the title to the caption, `--methods a,b` draws some methods in order. Labels,"
    yield "order, colours and limits of all figures of a study are in its section `[figures]`:\n"
    yield "::: harness.runs.appearance.Appearance\n    options:\n      heading_level: 2\n      members: false\n"
    for name, cls in FIGURES.classes.items():
        yield f"## {name}\n\n{described(cls)}\n\nIt needs {cls.needs}.\n"
        yield f"![{name}](figures/{name}.png)\n\n{cls.see}\n"
        yield f"```console\n$ harness plot {FIGURES_FROM} --figure {name} --to {FIGURES_TO}\n```\n"
        yield from fields(cls, Figure)


def methods() -> Iterator[str]:
    """Every method: its parts, paper and proof."""
    from harness.cli.listing import listing
    from harness.search.methods import method

    yield "# Methods\n"
    yield "Every name of `harness list methods`. Each is a searcher with regularizers, which can be combined otherwise:"
    yield "`beta-darts + sdarts-adv`. What the status says, what each costs and where it departs from its paper:"
    yield "[Methods](../explanation/methods.md).\n"
    for row in sorted(listing("methods"), key=lambda row: str(row["method"])):
        made = method(row["method"])
        yield f"## {row['method']}\n\n{row['paper']}. Status: **{row['status']}**; passes a step (forward + backward):"
        yield f"{row['passes']}. Made of `{row['searcher']}`, regularizers: `{row['regularizers']}`.\n"
        # of a plain searcher with regularizers, these are what the method is
        for part in made.regularizers or made.searchers:
            yield described(type(part)) + "\n"
            yield from fields(type(part), None)


def described(cls: type[Any]) -> str:
    return inspect.cleandoc(cls.__doc__ or "").replace("<", "\\<").replace("*", "\\*")


def fields(cls: type[Any], base: type[Any] | None) -> Iterator[str]:
    """The fields of a part with their defaults, without those of its base class."""
    own = {k: f for k, f in cls.model_fields.items() if base is None or k not in base.model_fields}
    if own:
        told = (f"`{k} = {'required' if f.is_required() else f.default!r}`" for k, f in own.items())
        yield f"Fields: {', '.join(told)}.\n"
