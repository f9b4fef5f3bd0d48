"""The verbs that bring foreign logs in and finished runs out: import, export; and rederive, which makes new ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.reading import Asked, load_asked_runs, out
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from harness.runs.study import Study


UNITS = ("percent", "fraction")


class Formats(click.Command):
    """A command whose help lists the formats of a registry."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from harness.cli.listing import read_first_sentence
        from harness.results.exporters.base import EXPORTERS
        from harness.results.importers.base import IMPORTERS

        known = (IMPORTERS if self.name == "import" else EXPORTERS).classes
        with formatter.section("Formats"):
            formatter.write_dl([(name, read_first_sentence(cls)) for name, cls in known.items()])


@click.command("import", cls=Formats)
@click.argument("what", nargs=-1, required=True, metavar="[FORMAT] FILE|FOLDER")
@click.option("--table", help="The table to look the architectures up in; without one nothing is looked up.")
@click.option("--space", help="The search space, where there is no table: harness list spaces.")
@click.option("--to", type=click.Path(path_type=Path), default=Path("results/imported"), show_default=True)
@click.option("--method", help="Call the method this, where the source holds one.")
@click.option("--seed", type=click.IntRange(0), help="Number the run this, where the source holds one.")
@click.option("--unit", type=click.Choice(UNITS), help="Of accuracies that do not say it  [default: percent]")
@click.option("--map", "renamed", multiple=True, metavar="NAME=COLUMN", help="A CSV file calls column NAME otherwise.")
@click.option("--replace", is_flag=True, help="Write over a folder of that name.")
def import_(
    what: tuple[str, ...],
    table: str | None,
    space: str | None,
    to: Path,
    method: str | None,
    seed: int | None,
    unit: Any,
    renamed: tuple[str, ...],
    replace: bool,
) -> None:
    """Import the logs of other tools as a folder that plot, compare, gate and report read.

    The format is found by itself, or named first: harness import csv runs.csv --table nasbench201.digits. Every row is
    checked, and its architecture looked up in the table; nothing is written where one is wrong. Of a space without a
    table say --space alone: epochs, cells and logits are there, and what needs no lookup works.
    """
    from harness.results.importers.base import IMPORTERS, find_importer, import_logs
    from harness.spaces.base import STACKS, search_space
    from harness.tables.catalog import NO_TABLE, open_table

    if len(what) > 2:
        raise HarnessError(f"one file or folder at a time, not {len(what)}: harness import [FORMAT] FILE|FOLDER")
    source = Path(what[-1])
    importer = IMPORTERS.find(what[0])() if len(what) == 2 else find_importer(source)
    importer.columns = parse_column_names(renamed, importer)
    opened = None if table in (None, NO_TABLE) else open_table(str(table))
    if opened is not None and space is not None and opened.space.name != space:
        raise HarnessError(f"table {table} is of {opened.space.name}, not of {space}: leave --space out")
    if opened is not None and not opened.complete and STACKS not in opened.space.has:
        click.echo(f"note: table {table} can train none of its architectures: nothing is looked up", err=True)
        space, opened = opened.space.name, None
    searched = search_space(space) if space is not None else None
    folder, notes = import_logs(
        importer, source, opened, to, space=searched, method=method, seed=seed, unit=unit, replace_older=replace
    )
    for note in notes:
        click.echo(f"note: {note}", err=True)
    click.echo(folder)


def parse_column_names(renamed: tuple[str, ...], importer: Any) -> dict[str, str]:
    """What columns are called in a file, by their names here."""
    if renamed and not importer.mapped:
        raise HarnessError(f"--map is for files with columns, and {importer.name} has none: leave it out")
    pairs = [text.partition("=") for text in renamed]
    if wrong := [text for text, (name, _, column) in zip(renamed, pairs, strict=True) if not (name and column)]:
        raise HarnessError(
            f"--map {wrong[0]} is no pair: write --map arch=cell, the name here and the column's in the file"
        )
    return {name.strip().lower(): column.strip().lower() for name, _, column in pairs}


@click.command(cls=Formats)
@load_asked_runs
@click.option("--format", "form", required=True, help="One of the formats below.")
@click.option("--to", help="File, folder or address  [default: the format's own, in this folder]")
@click.option("--follow", is_flag=True, help="Send each epoch when it is finished, until all runs of the study are.")
def export(asked: Asked, form: str, to: str | None, follow: bool) -> None:
    """Export finished runs: one tidy table, or the files of a tracker. Offline, after the fact, and resumable.

    With --follow the epochs of runs that are being computed go to a tracker, too, whoever computes them. Runs are only
    read; what follows them may be killed, and goes on with the same command.
    """
    from harness.results.exporters.base import EXPORTERS

    exporter: Any = EXPORTERS.find(form)()
    if follow:
        follow_runs(asked.study("--follow"), asked.out, exporter, to)
        return
    found = asked.finished()
    click.echo(exporter.write(found, found.name, to))


def follow_runs(study: Study, out: Path, exporter: Any, to: str | None) -> None:
    """Send epochs until all runs are finished, or somebody stops it."""
    from harness.core.signals import Stopped, raise_on_signals
    from harness.results.exporters.base import EXPORTERS, Tracker
    from harness.results.following import follow

    if not isinstance(exporter, Tracker):
        trackers = ", ".join(name for name, cls in EXPORTERS.classes.items() if issubclass(cls, Tracker))
        raise HarnessError(f"{exporter.name} is one file, and takes no epochs as they come: --follow is for {trackers}")
    if study.file.comparison.until_decided:
        click.echo("note: which seeds are run is not known before they decide: Ctrl-C ends this", err=True)
    try:
        with raise_on_signals():
            click.echo(follow(study, out, exporter, to, lambda line: click.echo(line, err=True)))
    except KeyboardInterrupt as stop:
        click.echo("\nstopped; the runs are as they were, and the same command goes on where this one was", err=True)
        sys.exit(stop.code if isinstance(stop, Stopped) else 130)


@click.command()
@click.argument("runs", metavar="STUDY|FOLDER", type=click.Path(path_type=Path))
@click.option("--policy", "name", required=True, help="How logits become an architecture: harness list policies.")
@click.option("--to", type=click.Path(path_type=Path), default=Path("results/rederived"), show_default=True)
@out
def rederive(runs: Path, name: str, to: Path, out: Path) -> None:
    """Derive other architectures from the logits that runs stored, and look them up: no new search.

    Every epoch is derived again. The runs are only read; what is written is a folder NAME.POLICY that plot, compare,
    gate and report read, with the methods called "METHOD [POLICY]".
    """
    from harness.results.load import open_runs
    from harness.results.policies.base import POLICIES
    from harness.results.rederive import rederive as derive_again

    found = open_runs(runs, (), None, out)
    folder, notes = derive_again(found, POLICIES.build(name, {}), to)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    click.echo(folder)
