"""The verb that says what a spread is made of: ledger. Imports happen when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.reading import add_finished_runs, form, measure_asked

if TYPE_CHECKING:
    from harness.results.runs import Runs


@click.command()
@add_finished_runs
@click.option("--measure", help="Another measure than the table's test, dataset/split@epochs.")
@form
def ledger(runs: Runs, measure: str | None, form: Any) -> None:
    """Say what a method's spread is made of: shares of the variance, and what to repeat.

    Of a study that varies kinds of random draws by themselves, in [randomness]. CSV and JSON have a row a part, with
    variances and their intervals; 'harness plot STUDY --figure ledger' draws the shares.
    """
    from harness.cli.printing import emit, emit_sentences
    from harness.verdicts.ledger import compute_ledgers, write_caption

    made = compute_ledgers(runs, measure_asked(runs, measure))
    if form in ("csv", "json"):
        emit([row for each in made for row in each.numbers()], form)
        return
    emit([each.row() for each in made], form, f"{runs.name}: what the spread is made of")
    emit_sentences([*(f"{each.verdict}." for each in made), write_caption(made, runs.declared)], form)
