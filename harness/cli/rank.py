"""The verb that ranks methods over several tasks. Imports happen when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.reading import form, open_told_runs, out


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="STUDY|FOLDER...", type=click.Path(path_type=Path))
@click.option("--endpoint", type=click.Choice(["final", "selected", "oracle", "area"]), help="What is ranked.")
@out
@form
def rank(sources: tuple[Path, ...], endpoint: Any, out: Path, form: Any) -> None:
    """Rank the methods of several studies, each a task: which can be told apart.

    A method's result on a task is the median of its runs. Friedman's test by random orders; pairs by signed ranks over
    tasks (Holm) and by Nemenyi's test; intervals of mean ranks are of tasks and seeds that are drawn again.
    """
    from harness.cli.printing import emit_cards, emit_sentences
    from harness.verdicts.ranking import rank as rank_methods

    found = rank_methods([open_told_runs(source, (), None, out) for source in sources], endpoint)
    emit_cards(found.methods, form, f"mean ranks over {', '.join(found.tasks)} (1 is best)")
    emit_sentences([f"{found.verdict}."], form)
