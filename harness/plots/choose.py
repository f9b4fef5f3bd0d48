"""Which runs are drawn, how their methods look, and what figures need to know of them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.arguments import spell_argument
from harness.core.errors import HarnessError
from harness.plots.look import FigureLook, find_own_methods
from harness.results.runs import Runs
from harness.runs.preregistration import Declared
from harness.spaces.base import Space
from harness.tables.measure import Measure
from harness.tables.table import Table

MOST_METHODS = 200
"""Of a figure: as many take some 20 seconds and show nothing of each; the time grows with their square."""


def choose_runs(
    runs: Runs, *, methods: Sequence[str] = (), measure: Measure | str | None = None
) -> tuple[Runs, FigureLook]:
    """The runs that are drawn, in the order of drawing, and how their methods look: the same whichever are drawn.

    Args:
        methods: these alone; all of them in the study's order, if not said.
        measure: what judges them instead of the table's test.

    Raises:
        HarnessError: there are no runs, no such method, hundreds of them, or no such measure.
    """
    if not len(runs):
        raise HarnessError("there are no finished runs to draw")
    judged = runs if measure is None else runs.judge_by(measure)
    wanted = [m for m in runs.figures.order if m in runs.methods]
    order = list(methods) or [*wanted, *(m for m in runs.methods if m not in wanted)]
    if len(order) > MOST_METHODS:
        raise HarnessError(
            f"{len(order):,} methods are too many to draw, {MOST_METHODS} at most: name some "
            f"({spell_argument('methods')}, or folders that hold fewer); harness compare shows the numbers of all"
        )
    return judged.select_methods(order), choose_look(runs)


def choose_look(runs: Runs) -> FigureLook:
    """How the methods of these runs look."""
    baseline = find_baseline(runs.declared, runs.methods)
    return FigureLook.of(runs.methods, baseline, find_own_methods(runs.manifests), runs.figures)


def find_baseline(declared: Declared, methods: Sequence[str]) -> str | None:
    """The method that others are compared with: as declared, in the section or by its pairs."""
    named = [declared.baseline, *(base for _, base in declared.pairs)]
    return next((name for name in named if name in methods), None)


def require_space(runs: Runs) -> Space:
    """The space that was searched.

    Raises:
        HarnessError: the runs do not say it.
    """
    if runs.space is None:
        raise HarnessError("this figure needs to know the space that was searched, and these runs do not say it")
    return runs.space


def require_whole_table(runs: Runs) -> Table:
    """The table, which knows all of its space's architectures.

    Raises:
        HarnessError: there is no such table.
    """
    if runs.table is None or not runs.table.knows_all(runs.table.test):
        raise HarnessError("the spread of a table's architectures needs a table that holds all of them")
    return runs.table
