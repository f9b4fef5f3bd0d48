"""The verb `plot`: figures of finished runs, or of one architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.reading import open_told_runs, out
from harness.core.errors import HarnessError


@click.command()
@click.argument("study", metavar="[STUDY|FOLDER]", required=False, type=click.Path(path_type=Path))
@click.option("--figure", "figures", multiple=True, metavar="NAME", help="A figure (repeatable)  [default: trajectory]")
@click.option("--all", "every", is_flag=True, help="Every figure that these runs have numbers for.")
@click.option("--methods", help="These methods alone, in this order: a,b.")
@click.option(
    "--compare",
    "others",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Another study, drawn with this one (repeatable).",
)
@click.option("--measure", help="dataset/split@epochs of the table  [default: the table's test]")
@click.option("--metric", type=click.Choice(["error", "regret"]), help="Of the trajectory  [default: error]")
@click.option("--width", type=click.FloatRange(1), help="Inches: 3.25 is a column, 6.75 two  [default: 6.75]")
@click.option("--height", type=click.FloatRange(1), help="Inches  [default: as the figure needs]")
@click.option("--title", help="Another title; none: without one.")
@click.option(
    "--architecture",
    metavar="ARCH",
    help="Draw one architecture of --table (its string or index) or of --space, and no runs.",
)
@click.option("--table", help="The table in which the architecture stands.")
@click.option("--space", help="The space that it is from, where there is no table.")
@click.option("--seeds", help="These seeds alone: 0..9, 3, or 0,2,5..7.")
@click.option("--set", "settings", multiple=True, metavar="A.B=VALUE", help="Change a key of the study.")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Folder of the figures  [default: the study's]")
@out
def plot(study: Path | None, architecture: str | None, table: str | None, space: str | None, **options: Any) -> None:
    """Draw figures of a study: SVG, PNG, PDF, and the plotted rows as CSV.

    'harness list figures' shows them all. The section [figures] of a study holds labels, order, colours, limits and
    options for all of its figures.
    """
    size = {"width": options.pop("width"), "height": options.pop("height"), "title": options.pop("title")}
    fields = {name: value for name, value in size.items() if value is not None}
    missing: dict[str, str] = {}
    if architecture is not None:
        paths = draw_architecture(architecture, table, space, fields, options["folder"])
    elif study is None:
        raise HarnessError("what is to be drawn? name a study or a folder of results, or an --architecture")
    else:
        paths, missing = draw_runs(study, fields, **options)
    for path in paths:
        click.echo(path)
    for name, reason in missing.items():
        click.echo(f"no figure {name!r}: {reason}", err=True)


def draw_runs(
    study: Path,
    fields: dict[str, Any],
    *,
    figures: tuple[str, ...],
    every: bool,
    methods: str | None,
    others: tuple[Path, ...],
    measure: str | None,
    metric: str | None,
    seeds: str | None,
    settings: tuple[str, ...],
    folder: Path | None,
    out: Path,
) -> tuple[list[Path], dict[str, str]]:
    """Write the chosen figures; returns the paths, and why others are missing. A figure asked for by name must be
    there."""
    from harness.plots.base import FIGURES
    from harness.plots.choose import choose_runs
    from harness.plots.gallery import make, save_all
    from harness.plots.look import describe_unknown_names
    from harness.plots.together import join_drawn
    from harness.tables.measure import Measure

    found = open_told_runs(study, settings, seeds, out)
    chosen = [name.strip() for name in methods.split(",")] if methods else []
    judge = Measure.parse(measure) if measure else None

    every_study = [found, *(open_told_runs(other, (), seeds, out) for other in others)]
    drawn = [choose_runs(each, methods=chosen, measure=judge) for each in every_study]
    runs, look = join_drawn(drawn) if others else drawn[0]
    for sentence in describe_unknown_names(found.figures, look.lines):
        click.echo(f"note: {sentence}", err=True)
    names = list(FIGURES.classes) if every else list(figures or ("trajectory",))
    each = {name: found.figures.of(name) | fields for name in names}
    if metric is not None:
        holders = [name for name in names if "metric" in FIGURES.find(name).model_fields]
        if not holders:
            raise HarnessError(f"none of the figures {', '.join(names)} has a --metric: leave it out")
        each |= {name: each[name] | {"metric": metric} for name in holders}
    made, missing = make(runs, names, each, look)
    if missing and not every:
        name, reason = next(iter(missing.items()))
        raise HarnessError(reason if len(names) == 1 else f"figure {name}: {reason}")
    return save_all(made, folder or found.folder / "figures"), missing


def draw_architecture(
    text: str, table: str | None, space: str | None, fields: dict[str, Any], folder: Path | None
) -> list[Path]:
    """Write `architecture.*` of one cell, and of where it stands in a table."""
    from harness.cli.listing import find_architecture
    from harness.plots.content import save
    from harness.plots.portrait import Portrait
    from harness.spaces.base import SPACES
    from harness.tables.catalog import open_table

    if (table is None) == (space is None):
        raise HarnessError("an architecture is of a table or of a space: say --table TABLE, or --space SPACE")
    opened = open_table(table) if table is not None else None
    of = opened.space if opened is not None else SPACES.find(str(space))()
    figure = Portrait(**fields)
    content = figure.of(of, of.parse(text) if opened is None else find_architecture(opened, text), opened)
    return save(figure.render(content), content, folder or Path(), "architecture")
