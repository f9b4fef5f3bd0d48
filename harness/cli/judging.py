"""The verbs that judge finished runs: compare, paper, gate. Imports happen when a verb runs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.reading import Asked, add_finished_runs, form, load_asked_runs, measure_asked
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from harness.results.runs import Runs

EXITS = {"stable": 0, "moved": 1, "inconclusive": 3, "too few": 4}
"""2 is bad input, as of every verb."""


@click.command()
@load_asked_runs
@click.option(
    "--endpoint",
    type=click.Choice(["final", "selected", "oracle", "area"]),
    help="Another endpoint than the declared one: exploratory.",
)
@click.option("--measure", help="Another measure than the table's test, dataset/split@epochs: exploratory.")
@click.option(
    "--quantile",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Of every method's runs, beside the median: 0.9 is what the worst run of ten goes beyond.",
)
@form
def compare(asked: Asked, endpoint: Any, measure: str | None, quantile: float | None, form: Any) -> None:
    """Compare methods: the shift of the error with its interval and exact test, and a sentence a pair.

    The study says beforehand, in [comparison], what is compared with what, and at which endpoint.
    """
    from harness.cli.printing import emit, emit_cards, emit_sentences
    from harness.runs.apart import describe_alike
    from harness.verdicts.collapse import compute_base_rate, describe_rule
    from harness.verdicts.compare import compare as compare_methods
    from harness.verdicts.compare import describe

    runs = asked.finished(endpoints_only=measure is None)
    declared = runs.declared.model_copy(update={"endpoint": endpoint}) if endpoint else runs.declared
    chosen, table = measure_asked(runs, measure), runs.table
    ends = runs.endpoints(chosen)
    told = runs.standing
    if declared.endpoint != runs.declared.endpoint or (chosen and table and chosen != table.test):
        told = "exploratory: not what was declared"
    exploratory = told.startswith("exploratory")
    pairs = [replace(pair, exploratory=exploratory) for pair in compare_methods(ends, declared)]
    kind = " or ".join(dict.fromkeys(pair.shift.kind for pair in pairs))
    what = f"{declared.endpoint} {runs.scale.error}" + (f" in {chosen}" if chosen else "")
    if form == "table":
        judge = runs.no_table_note
        base = compute_base_rate(runs, chosen)
        emit(
            describe(ends, declared, base, quantile),
            form,
            f"{runs.name}: {what} of every method{judge and f' ({judge})'}",
        )
    told = "; ".join(
        filter(None, [runs.no_table_note, told, f"{kind}, Holm", describe_alike(ends.settings), *runs.provenance])
    )
    title = f"{runs.name}: {what} ({told})"
    emit_cards(pairs, form, title)
    lines = [f"{pair.verdict}." for pair in pairs]
    if form == "table":
        lines.insert(0, f"Collapsed: {describe_rule(declared, base)}.")
    emit_sentences(lines if form == "table" else [f"{title}.", *lines], form)


@click.command()
@add_finished_runs
@click.option("--measure", "measures", multiple=True, help="A column, dataset/split@epochs  [default: all that judge]")
@click.option("--statistic", type=click.Choice(["mean", "median"]), default="mean", show_default=True)
@form
def paper(runs: Runs, measures: tuple[str, ...], statistic: Any, form: Any) -> None:
    """Print the table of a paper: methods by measures, with optimum, random level and marks of significance.

    --format latex needs \\usepackage{booktabs}; markdown, csv and json are there too.
    """
    from harness.cli.printing import emit, emit_sentences
    from harness.tables.measure import Measure
    from harness.verdicts.paper import build_paper_table

    rows, caption = build_paper_table(runs, [Measure.parse(m) for m in measures], statistic)
    emit(rows, form, runs.name)
    emit_sentences([caption], form)


@click.command()
@add_finished_runs
@click.option("--against", type=click.Path(path_type=Path), help="The baseline, a Parquet file.")
@click.option("--write", type=click.Path(path_type=Path), help="Write these runs as a baseline, and stop.")
@click.option("--error", type=float, help="Margin of the final error, percentage points  [default: 2]")
@click.option(
    "--failure",
    type=float,
    help="Margin of the share of runs that collapse, or end far beyond the worst before  [default: 0.3]",
)
@click.option("--onset", type=float, help="Margin of the epoch of collapse  [default: a quarter of the epochs]")
@click.option("--eigenvalue", type=float, help="Factor by which the dominant eigenvalue may change  [default: 2]")
@click.option("--level", type=float, help="Level of the tests  [default: 0.05]")
@click.option("--only", multiple=True, metavar="NAME", help="Check this method, or this quantity, alone.")
@click.option(
    "--accept",
    type=click.Choice(["inconclusive"]),
    help="Exit with 0 where nothing is shown to have moved, and no run is missing.",
)
@click.option("--exact", is_flag=True, help="Every row to the last bit: for the same machine.")
@form
def gate(
    runs: Runs,
    against: Path | None,
    write: Path | None,
    only: tuple[str, ...],
    accept: str | None,
    exact: bool,
    form: Any,
    **margins: float | None,
) -> None:
    """Fail when a method's runs moved beyond a margin from those of a baseline.

    \b
    Exits with
      0  every quantity is shown to be within its margin, or every bit is the same
      1  a quantity is shown to have moved (with --exact: a bit)
      2  bad input
      3  neither is shown: the runs differ too much among themselves
      4  there are too few runs: one of the baseline is missing, or so few cannot show both
    """
    from harness.cli.printing import emit, emit_cards
    from harness.results.provenance import check_code
    from harness.verdicts.baseline import compare_exactly as compare_rows
    from harness.verdicts.baseline import list_changes, read_baseline, write_baseline
    from harness.verdicts.gate import (
        build_margins,
        judge_overall,
        list_unchecked,
        select_methods,
        summarize_checks,
        warn_of_few,
    )
    from harness.verdicts.gate import gate as run_gate

    if write is not None:
        few = warn_of_few(runs, build_margins(margins))
        write_baseline(runs, write)
        click.echo(write)
        if few:
            click.echo(f"note: {few}", err=True)
        return
    if against is None:
        raise HarnessError("a gate needs a baseline: --against FILE.parquet, or --write FILE.parquet to make one")
    check_code(runs.manifests, runs.name)
    baseline = read_baseline(against)
    if exact and (known := set(only) - set(baseline["method"])):
        raise HarnessError(
            f"--exact compares whole rows: --only takes methods of the baseline there, not {min(known)!r}"
        )
    checks = [] if exact else run_gate(runs, baseline, build_margins(margins), only)
    for line in [*list_changes(runs.manifests, baseline), *list_unchecked(runs, baseline, only)]:
        click.echo(line, err=form != "table")
    if exact:
        differences = compare_rows(runs, select_methods(baseline, only))
        if not differences:
            what = f"{', '.join(only)} in {against}" if only else against
            click.echo(f"{runs.name}: every row of {what} is there again, to the last bit", err=form != "table")
        if form == "table":
            click.echo("".join(f"{line}\n" for line in differences), nl=False)
        else:
            emit([{"difference": line} for line in differences], form)
        sys.exit(1 if differences else 0)
    emit_cards(checks, form, f"{runs.name} against {against}")
    click.echo(summarize_checks(checks), err=form != "table")
    state = judge_overall(checks)
    accepted = accept and state != "moved" and not any(check.lacking for check in checks)
    sys.exit(0 if accepted else EXITS[state])


@click.command()
@add_finished_runs
@form
def audit(runs: Runs, form: Any) -> None:
    """Say what is suspicious in the logs of searches, own or imported, with the evidence and how sure it is.

    Weights that never move, one cell all along, runs that are one another's copy, lost and doubled epochs, accuracies
    that their own loss rules out or that are the table's, a falling accuracy, another phase, an operation of nothing in
    front.
    """
    from harness.cli.printing import emit_cards
    from harness.verdicts.audit import audit as find

    findings, many = find(runs), len(runs)
    title = f"{runs.name}: what is suspicious in {many} run{'s' * (many != 1)}"
    emit_cards(findings, form, title)
    about = len({(f.method, f.seed) for f in findings})
    click.echo(f"{len(findings)} findings about {about} of {many} runs", err=True)
