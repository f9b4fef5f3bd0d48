"""Several studies in one figure: a method keeps its color, and each study has dashes and markers of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.core.errors import HarnessError
from harness.plots.look import FigureLook
from harness.plots.style import DASHES, MARKERS
from harness.results.runs import Runs
from harness.runs.schema import TABLES


def join_drawn(drawn: Sequence[tuple[Runs, FigureLook]]) -> tuple[Runs, FigureLook]:
    """The methods of several studies, each named "method (study)", and how they look.

    Args:
        drawn: what `choose_runs` gives of each study.

    Raises:
        HarnessError: they cannot stand on one axis: they were looked up in different tables, or have equal names.
    """
    import pandas as pd

    studies, names = [runs for runs, _ in drawn], [runs.name for runs, _ in drawn]
    if len({None if runs.table is None else runs.table.fingerprint for runs in studies}) > 1:
        raise HarnessError("the studies were looked up in different tables: their errors cannot be compared")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise HarnessError(f"two studies are called {twice!r}: figures could not tell their methods apart")
    frames: dict[str, Any] = {
        table: pd.concat(
            [
                frame.assign(method=frame["method"].astype(str) + f" ({runs.name})")
                for runs in studies
                if "method" in (frame := getattr(runs, table))
            ],
            ignore_index=True,
        )
        for table in TABLES
    }
    return replace(studies[0], **frames), join_looks([look for _, look in drawn], names)


def join_looks(looks: Sequence[FigureLook], names: Sequence[str]) -> FigureLook:
    """The lines of all: of a method that several have, in the first one's color; a study has dashes and markers of its
    own."""
    lines, labels = {}, {}
    for study, (look, name) in enumerate(zip(looks, names, strict=True)):
        dash, marker = DASHES[study % len(DASHES)], MARKERS[study % len(MARKERS)]
        for method, line in look.lines.items():
            color = next(each.lines[method] for each in looks if method in each.lines).color
            lines[f"{method} ({name})"] = line._replace(color=color, dash=dash, marker=marker)
            labels[f"{method} ({name})"] = f"{look.label(method)} ({name})"
    return FigureLook(lines, labels, looks[0].limits)
