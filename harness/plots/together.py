"""Several studies in one figure: a method keeps its color, and each study has dashes and markers of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.core.errors import HarnessError
from harness.plots.look import FigureLook
from harness.plots.source import PlotSource
from harness.plots.style import DASHES, MARKERS
from harness.results.frames import Results
from harness.runs.schema import TABLES


def join_sources(sources: Sequence[PlotSource], names: Sequence[str]) -> PlotSource:
    """The methods of several studies, each named "method (study)". names: of the studies.

    Raises HarnessError where they cannot stand on one axis: by different tables, or with equal names.
    """
    import pandas as pd

    prints = {None if s.results.table is None else s.results.table.fingerprint for s in sources}
    if len(prints) > 1:
        raise HarnessError("the studies were looked up in different tables: their errors cannot be compared")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise HarnessError(f"two studies are called {twice!r}: figures could not tell their methods apart")
    frames = {
        table: pd.concat(
            [
                frame.assign(method=frame["method"].astype(str) + f" ({name})")
                for s, name in zip(sources, names, strict=True)
                for frame in [getattr(s.results, table)]
                if "method" in frame
            ],
            ignore_index=True,
        )
        for table in TABLES
    }
    results: Results = replace(sources[0].results, **frames)
    return PlotSource(results, sources[0].declared, join_looks([s.look for s in sources], names))


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
