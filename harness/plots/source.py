"""What figures are drawn from: finished runs, how they were declared to be compared, and how methods look."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from harness.core.errors import HarnessError, suggest_names
from harness.plots.look import FigureLook, find_own_methods
from harness.results.endpoints import Endpoints, compute_endpoints
from harness.results.frames import Results
from harness.runs.appearance import Appearance
from harness.runs.preregistration import Declared
from harness.runs.schema import TABLES
from harness.spaces.base import Space
from harness.tables.measure import Measure
from harness.tables.table import Table

MOST_METHODS = 200
"""Of a figure: as many take some 20 seconds and show nothing of each; the time grows with their square."""


@dataclass(frozen=True)
class PlotSource:
    """results: rows of the methods that are drawn, in the order of drawing."""

    results: Results
    declared: Declared = field(default_factory=Declared)
    look: FigureLook = field(default_factory=FigureLook)

    @classmethod
    def of(
        cls,
        results: Results,
        declared: Declared | None = None,
        figures: Appearance | None = None,
        manifests: Sequence[dict[str, Any]] = (),
        *,
        methods: Sequence[str] = (),
        measure: Measure | None = None,
    ) -> PlotSource:
        """The runs of a study, or those of some of its methods alone, judged by its table's test or another measure.

        figures: how the study wants them to look. manifests: of the runs, which tell a user's own methods. A method
        looks the same whichever others are drawn.

        Raises HarnessError where there are no runs, no such method, hundreds of them, or no such measure.
        """
        declared, figures = declared or Declared(), figures or Appearance()
        results = results if measure is None else judge_by(results, measure)
        if not len(results):
            raise HarnessError("there are no finished runs to draw")
        every = [str(m) for m in results.epochs["method"].unique()]
        for name in methods:
            if name not in every:
                raise HarnessError(f"these runs have no method {name!r}: {suggest_names(name, every)}")
        wanted = [m for m in figures.order if m in every]
        order = list(methods) or [*wanted, *(m for m in every if m not in wanted)]
        if len(order) > MOST_METHODS:
            raise HarnessError(
                f"{len(order):,} methods are too many to draw, {MOST_METHODS} at most: name some (--methods a,b, or "
                "folders that hold fewer); harness compare shows the numbers of all"
            )
        look = FigureLook.of(every, find_baseline(declared, every), find_own_methods(manifests), figures)
        return cls(select_methods(results, order), declared, look)

    @cached_property
    def ends(self) -> Endpoints:
        """One row a run."""
        return compute_endpoints(self.results, self.declared)

    @property
    def space(self) -> Space:
        """The space that was searched."""
        if self.results.space is None:
            raise HarnessError("this figure needs to know the space that was searched, and these runs do not say it")
        return self.results.space

    @property
    def whole_table(self) -> Table:
        """The table, which knows all of its space's architectures."""
        table = self.results.table
        if table is None or not table.knows_all(table.test):
            raise HarnessError("the spread of a table's architectures needs a table that holds all of them")
        return table


def find_baseline(declared: Declared, methods: Sequence[str]) -> str | None:
    """The method that others are compared with: as declared, in the section or by its pairs."""
    named = [declared.baseline, *(base for _, base in declared.pairs)]
    return next((name for name in named if name in methods), None)


def judge_by(results: Results, measure: Measure) -> Results:
    """The same runs, judged by another measure of their table than its test."""
    if results.table is None:
        raise HarnessError(f"there is no {measure} without a table: leave --measure out")
    results.table.trials(measure)  # an error where the table has none
    table = copy.copy(results.table)
    table.test = measure
    return replace(results, table=table)


def select_methods(results: Results, methods: Sequence[str]) -> Results:
    """The rows of these methods, in their order."""
    places = {name: i for i, name in enumerate(methods)}
    frames = {name: getattr(results, name) for name in TABLES}
    chosen = {
        name: frame[frame["method"].isin(methods)].sort_values("method", key=lambda c: c.map(places), kind="stable")
        for name, frame in frames.items()
        if "method" in frame
    }
    return replace(results, **frames | chosen)
