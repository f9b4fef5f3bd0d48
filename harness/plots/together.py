"""Two studies in one figure: a method keeps its colour, and the second study has other dashes and markers."""

from __future__ import annotations

from dataclasses import replace

from harness.core.errors import HarnessError
from harness.plots.look import Look
from harness.plots.source import Source
from harness.plots.style import DASHES, MARKERS
from harness.results.frames import Results
from harness.runs.schema import TABLES


def together(first: Source, second: Source, names: tuple[str, str]) -> Source:
    """Both studies' methods, each named "method (study)". names: of the studies.

    Raises HarnessError where they cannot stand on one axis: by different tables, or with equal names.
    """
    import pandas as pd

    prints = [None if s.results.table is None else s.results.table.fingerprint for s in (first, second)]
    if prints[0] != prints[1]:
        raise HarnessError("the two studies were looked up in different tables: their errors cannot be compared")
    if names[0] == names[1]:
        raise HarnessError(f"both studies are called {names[0]!r}: figures could not tell their methods apart")
    frames = {
        table: pd.concat(
            [
                frame.assign(method=frame["method"].astype(str) + f" ({name})")
                for s, name in zip((first, second), names, strict=True)
                for frame in [getattr(s.results, table)]
                if "method" in frame
            ],
            ignore_index=True,
        )
        for table in TABLES
    }
    results: Results = replace(first.results, **frames)
    return Source(results, first.declared, both(first.look, second.look, names))


def both(first: Look, second: Look, names: tuple[str, str]) -> Look:
    """The lines of both: of a method that both have, in the first one's colour."""
    lines, labels = {}, {}
    for study, (look, name) in enumerate(zip((first, second), names, strict=True)):
        for method, line in look.lines.items():
            colour = first.lines.get(method, line).colour
            lines[f"{method} ({name})"] = line._replace(colour=colour, dash=DASHES[study], marker=MARKERS[study])
            labels[f"{method} ({name})"] = f"{look.label(method)} ({name})"
    return Look(lines, labels, first.limits)
