"""The verbs of benchmark tables. Imports happen when a verb runs."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import click

from harness.cli.executing import add_device_option
from harness.cli.program import Program
from harness.cli.reading import form
from harness.core.errors import HarnessError
from harness.core.files import CACHE, cache_folder


@click.group(cls=Program)
def tables() -> None:
    """Add, inspect and train benchmark tables."""


@tables.command("list")
@form
def tables_list(form: Any) -> None:
    """List the tables that are there."""
    from harness.cli.listing import list_members
    from harness.cli.printing import emit

    emit(list_members("tables"), form, "tables")


@tables.command()
@click.argument("name")
@form
def info(name: str, form: Any) -> None:
    """Show what a table holds: measures, trials, missing values, optimum, random median."""
    from harness.cli.listing import list_measures
    from harness.cli.printing import emit
    from harness.tables.catalog import open_table

    table = open_table(name)
    rows = list_measures(table)
    title = f"{table.name}: {table.told_size} architectures of {table.info['space']}"
    if form != "table":
        emit(rows, form)
    else:
        beside = ("best architecture", "tied with")
        emit([{k: v for k, v in row.items() if k not in beside} for row in rows], form, title)
        for row in rows:
            index = "" if row["best index"] is None else f"#{row['best index']} "
            part = f"the {len(table) + table.absent - row['missing']:,} known of " if row["missing"] else ""
            click.echo(f"best of {part}{row['measure']}: {index}{row['best architecture']}")
            if row["tied with"]:
                click.echo(f"  of the same value, {row['best']}: {row['tied with']}")
        for key, value in table.info["about"].items():
            click.echo(f"{key}: {value}")
        click.echo(f"fingerprint: {table.fingerprint}")
        click.echo(f"folder: {table.folder}")
        click.echo(f"cache of added tables ({CACHE}): {cache_folder()}")


@tables.command()
@click.argument("name")
@click.argument("architecture")
@click.option("--costs", "only_costs", is_flag=True, help="Show its costs alone  [default: a table shows both]")
@form
def lookup(name: str, architecture: str, only_costs: bool, form: Any) -> None:
    """Show every value that table NAME holds of an ARCHITECTURE, with its percentile, and what it costs.

    \b
    ARCHITECTURE is written as the space writes it ('|nor_conv_3x3~0|+...'), as its published index (1835), or,
    in a table without a space, as its key.
    """
    from harness.cli.listing import find_architecture, list_costs, list_values
    from harness.cli.printing import emit
    from harness.tables.catalog import open_table

    table = open_table(name)
    cell = find_architecture(table, architecture)
    index = table.index(table.row(cell))
    title = f"{table.name}: {'' if index is None else f'#{index} '}{cell.encoding}"
    if not only_costs:
        emit(list_values(table, cell), form, title)
    if only_costs or (form == "table" and table.all_costs):
        emit(list_costs(table, cell), form, f"{title}: costs")


@tables.command()
@click.argument("name")
@click.argument("architecture")
@click.option("--to", "other", metavar="ARCHITECTURE", help="Show the ways to this one  [default: its neighborhood]")
@click.option("--measure", help="dataset/split@epochs  [default: the table's test]")
@click.option(
    "--radius", type=click.IntRange(0), default=3, show_default=True, help="Choices that may differ, at most."
)
@form
def flatness(name: str, architecture: str, other: str | None, measure: str | None, radius: int, form: Any) -> None:
    """Show how flat table NAME is around an ARCHITECTURE, or the barrier between it and another one.

    A row a distance in choices: accuracies in % of all architectures there. With --to: of those on the shortest ways
    between the two, and the barrier, (acc(a) + acc(b)) / 2 minus the lowest mean of a row.
    """
    from dataclasses import asdict

    from harness.cli.listing import find_architecture
    from harness.cli.printing import emit
    from harness.tables.catalog import open_table
    from harness.tables.flatness import describe_neighborhood, find_path

    table = open_table(name)
    chosen, center = table.find_measure(measure or table.test), find_architecture(table, architecture)
    ways = find_path(table, center, find_architecture(table, other), chosen) if other else None
    levels = ways.levels if ways else describe_neighborhood(table, center, chosen, radius)
    rows = [{k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(level).items()} for level in levels]
    emit(rows, form, f"{table.name}, {chosen}: {'ways from' if ways else 'around'} {center.encoding}")
    if ways:
        click.echo(f"barrier: {ways.barrier:.4f} percentage points", err=form != "table")


@tables.command()
@click.argument("what", metavar="FILE|FOLDER|SOURCE")
@click.option("--name", help="Name of the table  [default: the official one; needed for tidy files]")
@click.option("--space", help="Search space of a tidy file, such as nasbench201.")
@click.option("--test", help="Measure of a tidy file that judges a search, dataset/split@epochs.")
@click.option("--validation", help="Measure of a tidy file that selects, dataset/split@epochs.")
@click.option("--unit", type=click.Choice(("percent", "fraction")), help="Of a tidy file's accuracies.")
@click.option(
    "--columns",
    multiple=True,
    metavar="NAME=COLUMN",
    help="What a tidy file calls a column, or which of its columns holds a measure.",
)
@click.option("--replace", is_flag=True, help="Replace a table of that name.")
@click.option("--jobs", type=click.IntRange(1), help="Processes that read an archive folder  [default: one a core]")
def add(
    what: str, test: str | None, validation: str | None, jobs: int | None, columns: tuple[str, ...], **options: Any
) -> None:
    """Add a table: an official file or folder, or a tidy CSV or Parquet file.

    'harness list formats' says which files; one of your own has the columns arch, dataset, split, epochs, trial and
    accuracy (in %). A wide file has a column for each measure: name each, --columns cifar10/ori-test@200=test_acc (or
    cifar10/ori-test@200:777=.. of one trial), and what it calls the architecture, --columns arch=cell.

    SOURCE is a name of 'harness tables fetch': its file is looked for in the cache and in $TORCH_HOME. A killed
    conversion goes on with the same command.
    """
    from harness.core.arithmetic import count_default_jobs
    from harness.tables.measure import Measure
    from harness.tables.sources.add import add_table

    pairs = [text.partition("=") for text in columns]
    if wrong := [text for text, (name, _, own) in zip(columns, pairs, strict=True) if not (name and own)]:
        raise HarnessError(f"--columns {wrong[0]} is no pair: write NAME=COLUMN, such as arch=cell")
    options["columns"] = {name.strip(): own.strip() for name, _, own in pairs}
    judged, selected = (Measure.parse(m) if m else None for m in (test, validation))
    say = functools.partial(click.echo, err=True)
    added = add_table(
        what, test=judged, validation=selected, jobs=jobs or count_default_jobs("cpu"), say=say, **options
    )
    for table in added:
        held = f"{table.told_size} architectures, {len(table.columns)} columns"
        click.echo(f"{table.name}: {held}, test {table.test}, in {table.folder}")


@tables.command()
@click.argument("name", metavar="SOURCE", required=False)
@click.option("--dry-run", is_flag=True, help="Show what it is and where it is, and stop.")
@form
def fetch(name: str | None, dry_run: bool, form: Any) -> None:
    """Download a source's file into the cache, or list the sources. A broken download goes on where it was."""
    from harness.cli.printing import emit
    from harness.tables.sources.download import fetch as download
    from harness.tables.sources.published import find_source, list_sources

    if name is None:
        rows = [{"source": n, "what": s.title, "size": s.size, "licence": s.licence} for n, s in list_sources().items()]
        emit(rows, form, "sources")
        return
    source = find_source(name)
    for field, value in source.told().items():
        click.echo(f"{field}: {value}", err=True)
    if dry_run:
        return
    path = download(source, functools.partial(click.echo, err=True))
    click.echo(path)
    step = f"tar xf {path} -C {path.parent} && " if source.unpacked else ""
    click.echo(f"next: {step}harness tables add {name}", err=True)


@tables.command()
@click.argument("names", nargs=-1)
@click.option(
    "--against",
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE",
    help="The official file or folder of one table, to be read by its own package.",
)
@click.option("--sample", type=click.IntRange(1), help="With --against: so many architectures alone, drawn by a seed.")
def verify(names: tuple[str, ...], against: Path | None, sample: int | None) -> None:
    """Hash the arrays of tables again (all of them, or those named) and compare with what was written.

    With --against, every number at the end of training is compared with what the benchmark's own package reads in the
    official file: every data set, split, trial, mean and cost, of every architecture or of a sample. Of NAS-Bench-101
    nasbench_pytorch checks the cells' hashes and the size of their networks. The packages run what a pickle tells them
    to: give them only a file that you trust.

    Exits with 1 when anything has changed, or differs.
    """
    from harness.tables.catalog import list_table_folders, open_table
    from harness.tables.write import verify as check

    if against is not None:
        if len(names) != 1:
            raise HarnessError("--against holds one table against one file: name the table, such as nasbench201")
        from harness.tables.sources.verify import hold_table

        held = hold_table(open_table(names[0]), against, sample, functools.partial(click.echo, err=True))
        click.echo(held.told)
        if held.different:
            sys.exit(1)
        return
    if sample is not None:
        raise HarnessError("--sample is of --against FILE, which compares a table with the official file")
    wrong = []
    for name in names or list_table_folders():
        table = open_table(name)
        found = check(table)
        click.echo(f"{name}: {'; '.join(found) or 'as written'}")
        wrong += found
    if wrong:
        sys.exit(1)


@tables.command()
@click.argument("space")
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Folder of the unfinished table.")
@click.option("--trials", default="0", show_default=True, help="Trials to train: 0..2, or 0,2.")
@click.option("--share", default="1/1", show_default=True, help="Train the K-th of N shares, for N processes.")
@click.option("--limit", type=click.IntRange(1), help="Only the first N distinct cells (a rehearsal).")
@click.option("--steps", type=click.IntRange(8), help="Training steps a network instead of the recipe's.")
@add_device_option("auto, cpu or cuda:N.")
@click.option(
    "--to", "target", type=click.Path(path_type=Path), help="Write the table to this folder when all is there."
)
def train(space: str, work: Path, target: Path | None, **options: Any) -> None:
    """Train a table: every distinct cell of SPACE as a small network on pairs of digits. Resumable.

    So nasbench201.digits and nasbench1shot1.s1.digits were made.
    """
    from harness.report.datasheet import write_datasheet
    from harness.spaces.base import SPACES
    from harness.tables.table import Table
    from harness.tables.training.command import train_table

    for line in train_table(work, SPACES.find(space)(), target=target, **options):
        click.echo(line)
    if target is not None:
        write_datasheet(Table(target))
