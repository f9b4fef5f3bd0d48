"""The verb that says what stands behind printed numbers. Imports happen when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.reading import form
from harness.core.errors import HarnessError

LISTED = 12
"""Explanations that a terminal has room for."""


@click.command()
@click.argument("row", required=False)
@click.option("--file", "path", type=click.Path(path_type=Path), help="Read every row of a .tex, .md or .csv file.")
@click.option("--table", "name", metavar="TABLE", help="Look there  [default: the embedded table of most measures]")
@click.option(
    "--columns", metavar="MEASURES", help="What the numbers are: dataset/split@epochs,...  [default: try all]"
)
@click.option("--runs", type=click.IntRange(2, 20), help="How many runs a mean is over  [default: 2 to 5 are tried]")
@form
def trace(
    row: str | None, path: Path | None, name: str | None, columns: str | None, runs: int | None, form: Any
) -> None:
    """Say what a ROW of printed accuracies (%) is: which cells, trials, means, versions, schedules and splits round to
    it, and how many would by chance alone.

    \b
    ROW is plain text, or a row of LaTeX or markdown: "39.77 54.30 15.03 15.61 16.43 16.32", "94.37±0.00 & 73.51".
    Numbers stand in the order of papers, validation before test of each data set; - is a column without a number.
    """
    from harness.cli.printing import emit, emit_cards
    from harness.tables.embedding import find_richest_table
    from harness.verdicts.trace.explain import Tracer
    from harness.verdicts.trace.printed import read_file, read_row

    if (row is None) == (path is None):
        raise HarnessError("say what to trace: a row of numbers, or --file with a paper's tables")
    if name:
        from harness.tables.catalog import open_table  # which takes longer than a row

        table = open_table(name)
    else:
        table = find_richest_table()
    tracer = Tracer(table, columns.split(",") if columns else (), runs)
    if path is not None:
        found = [tracer.trace(each) for each in read_file(path)]
        if not found:
            raise HarnessError(f"{path} has no row with an accuracy in %")
        told = [
            {
                "line": each.row.line,
                "row": each.row.label,
                "numbers": " ".join("-" if n is None else n.text for n in each.row.numbers),
                "is": each.sentence,
            }
            for each in found
        ]
        emit(told, form, f"{path}, looked up in {table.name}")
        return
    assert row is not None
    traced = tracer.trace(read_row(row))
    if form != "table":
        emit_cards(traced.explanations, form)
    elif traced.explanations:
        title = f"what {row!r} is in {table.name}"
        emit_cards(traced.explanations[:LISTED], form, title)
        if len(traced.explanations) > LISTED:
            click.echo(f"{len(traced.explanations) - LISTED} more explanations: --format json has them all")
    for finding in traced.findings:
        click.echo(finding, err=form != "table")
    click.echo(f"in short: {traced.sentence}", err=form != "table")
