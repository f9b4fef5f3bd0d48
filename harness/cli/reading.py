"""What the verbs that read finished runs share, and the report. Imports happen when a verb runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.printing import FORMATS
from harness.core.errors import HarnessError
from harness.core.files import DEFAULT_OUT
from harness.core.seeds import parse_seeds

if TYPE_CHECKING:
    from harness.results.runs import Runs
    from harness.runs.study import Study
    from harness.tables.measure import Measure

MOST_TOLD = 5
"""Seeds that a note names."""

form = click.option(
    "--format", "form", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print rows."
)
out = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=DEFAULT_OUT,
    show_default=True,
    help="Folder of all studies' runs.",
)


@dataclass(frozen=True)
class Asked:
    """Runs as the command line names them."""

    source: Path
    settings: tuple[str, ...]
    seeds: str | None
    out: Path

    def finished(self, *, endpoints_only: bool = False) -> Runs:
        """Those that are finished; says how many are not. endpoints_only: as of `open_runs`."""
        return open_told_runs(self.source, self.settings, self.seeds, self.out, endpoints_only=endpoints_only)

    def study(self, what: str) -> Study:
        """The study, where `what` needs one: a folder does not know which runs are to come."""
        from harness.runs.study import load_study

        if self.source.is_dir():
            raise HarnessError(f"{what} needs the study's file, not the folder {self.source}: it tells which runs come")
        return load_study(self.source, list(self.settings), self.seeds)


def load_asked_runs(command: Callable[..., None]) -> Callable[..., None]:
    """STUDY, --seeds, --set and --out, as one `asked`."""

    @click.argument("source", metavar="STUDY|FOLDER", type=click.Path(path_type=Path))
    @click.option("--seeds", help="These seeds alone: 0..9, 3, or 0,2,5..7.")
    @click.option("--set", "settings", multiple=True, metavar="A.B=VALUE", help="Change a key of the study.")
    @out
    @functools.wraps(command)
    def wrapped(source: Path, seeds: str | None, settings: tuple[str, ...], out: Path, **rest: Any) -> None:
        command(asked=Asked(source, settings, seeds, out), **rest)

    return wrapped


def add_finished_runs(command: Callable[..., None]) -> Callable[..., None]:
    """The same, as `runs`: the finished runs of a study file, or of a folder of results."""

    @load_asked_runs
    @functools.wraps(command)
    def wrapped(asked: Asked, **rest: Any) -> None:
        command(runs=asked.finished(), **rest)

    return wrapped


def open_told_runs(
    source: Path, settings: tuple[str, ...], seeds: str | None, out: Path, *, endpoints_only: bool = False
) -> Runs:
    """The finished runs; says how many are not. endpoints_only: as of `open_runs`."""
    from harness.results.load import open_runs

    runs = open_runs(source, settings, seeds, out, endpoints_only=endpoints_only)
    if runs.missing:
        total = runs.missing + len(runs)
        click.echo(f"note: {runs.missing} of {total} runs are not finished and are left out", err=True)
    if seeds and source.is_dir():  # of a study's file they are runs that are not finished
        present = set(runs.epochs["seed"])
        if absent := [seed for seed in parse_seeds(seeds) if seed not in present]:
            told = ", ".join(map(str, absent[:MOST_TOLD])) + (", ..." if len(absent) > MOST_TOLD else "")
            click.echo(f"note: no run there has seed {told} ({len(absent)} of those asked for)", err=True)
    for clause in runs.provenance:
        click.echo(f"note: {clause}", err=True)
    return runs


def measure_asked(runs: Runs, text: str | None) -> Measure | None:
    """The measure that a command line names; None where it names none. An error where the runs' table has no such."""
    from harness.tables.measure import Measure

    if not text:
        return None
    if runs.table is None:
        raise HarnessError(f"these runs have no table, so no {Measure.parse(text)}: leave --measure out")
    return runs.table.find_measure(text)


@click.command()
@add_finished_runs
@click.option(
    "--to", type=click.Path(path_type=Path), help="The HTML file  [default: report.html in the study's folder]"
)
def report(runs: Runs, to: Path | None) -> None:
    """Write one HTML page, which opens offline: verdicts, interactive trajectories, every figure, configuration."""
    from harness.report.build import build

    click.echo(build(runs, to or runs.folder / "report.html"))
