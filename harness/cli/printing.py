"""Printing rows as a table, JSON or CSV, and the live progress of runs."""

from __future__ import annotations

import csv
import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, get_args

from harness.core.text import duration

if TYPE_CHECKING:
    from harness.runs.execute import Planned

Format = Literal["table", "json", "csv", "markdown", "latex"]
FORMATS = get_args(Format)
POLL_SECONDS = 0.5


def emit(rows: Sequence[dict[str, Any]], form: Format, title: str = "") -> None:
    """Print rows to standard output in the chosen format."""
    if form == "json":
        print(json.dumps(list(rows), indent=1))
    elif form == "csv":
        writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    elif form in ("markdown", "latex"):
        print(markdown(rows) if form == "markdown" else latex(rows))
    else:
        from rich.console import Console
        from rich.table import Table

        console = Console()
        if not rows:
            console.print(f"{title}: nothing" if title else "nothing")
            return
        grid = Table(title=title or None, title_justify="left")
        for key, value in rows[0].items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            heading = key.replace("_", " ")  # so that a narrow terminal breaks it between words
            grid.add_column(heading, justify="right" if number else "left", overflow="fold", no_wrap=key == "method")
        for row in rows:
            grid.add_row(*("" if v is None else str(v) for v in row.values()))
        console.print(grid)


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """A pipe table."""
    if not rows:
        return ""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([*row.values()] for row in rows)]
    return "\n".join("| " + " | ".join("" if v is None else str(v) for v in line) + " |" for line in lines)


LATEX = str.maketrans({c: f"\\{c}" for c in "&%$#_{}"} | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"})


def latex(rows: Sequence[dict[str, Any]]) -> str:
    """A tabular with the rules of the package booktabs; numbers to the right."""
    if not rows:
        return ""
    numbers = [isinstance(v, int | float) and not isinstance(v, bool) for v in rows[0].values()]
    columns = "".join("r" if number else "l" for number in numbers)

    def line(values: Iterable[Any]) -> str:
        return " & ".join("" if v is None else str(v).translate(LATEX) for v in values) + r" \\"

    body = "\n".join(line(row.values()) for row in rows)
    head = line(key.replace("_", " ") for key in rows[0])
    parts = (f"\\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", body, r"\bottomrule", r"\end{tabular}")
    return "\n".join(parts)


@contextmanager
def live_progress(planned: Sequence[Planned]) -> Iterator[Callable[[str], None]]:
    """Show epochs done, epochs in all and the time left, per running run and over all, while the block runs.

    Reads the runs' progress files, so it works for runs in other processes. Yields a function that prints a line
    above the display. Without a terminal (standard error) there are only those lines.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    missing = [p for p in planned if not p.finished]
    if not console.is_terminal or not missing:
        yield lambda line: print(line, file=sys.stderr)
        return
    columns = ("[bold]{task.description}", "epochs", "{task.fields[left]}")
    bars = Progress(
        TextColumn(columns[0]), BarColumn(), MofNCompleteColumn(), TextColumn(columns[1]), TextColumn(columns[2]),
        console=console, transient=True,
    )  # fmt: skip
    stop = threading.Event()

    def watch() -> None:
        began = time.monotonic()
        before = {p.run.folder_name: p.recorded for p in missing}
        total = bars.add_task("all runs", total=sum(p.run.epochs + 1 for p in missing), left="")
        tasks: dict[str, Any] = {}
        while not stop.is_set():
            for p in missing:
                name = p.run.folder_name
                current = p.folder.progress()
                if current and name not in tasks:
                    tasks[name] = bars.add_task(
                        f"{p.run.method_name} seed {p.run.seed}", total=p.run.epochs + 1, left=""
                    )
                if name in tasks:
                    bars.update(tasks[name], completed=p.recorded, left=_left(current), visible=not p.finished)
            done = sum(p.recorded for p in missing)
            fresh = done - sum(before.values())
            remaining = sum(p.run.epochs + 1 for p in missing) - done
            rate = (time.monotonic() - began) / fresh if fresh else None
            bars.update(total, completed=done, left="" if rate is None else f"{duration(rate * remaining)} left")
            stop.wait(POLL_SECONDS)

    with bars:
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield lambda line: console.print(line, markup=False, highlight=False)
        finally:
            stop.set()
            watcher.join()


def _left(progress: dict[str, Any] | None) -> str:
    """Time left of one run, from its mean seconds an epoch."""
    if not progress or progress["recorded"] < 2:
        return ""
    each = progress["wall_s"] / max(1, progress["recorded"] - 1)
    return f"{duration(each * (progress['epochs'] - progress['recorded']))} left"
