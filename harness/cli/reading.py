"""The verbs that show finished runs: plot, report. Imports happen when a verb runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.printing import FORMATS

if TYPE_CHECKING:
    from harness.results.load import Finished

DEFAULT_OUT = Path("results/runs")
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


def finished_runs(command: Callable[..., None]) -> Callable[..., None]:
    """STUDY, --seeds, --set and --out: the finished runs of a study file, or of a folder of results."""

    @click.argument("source", metavar="STUDY|FOLDER", type=click.Path(path_type=Path))
    @click.option("--seeds", help="These seeds alone: 0..9, 3, or 0,2,5..7.")
    @click.option("--set", "settings", multiple=True, metavar="A.B=VALUE", help="Change a key of the study.")
    @out
    @functools.wraps(command)
    def wrapped(source: Path, seeds: str | None, settings: tuple[str, ...], out: Path, **rest: Any) -> None:
        from harness.results.load import open_finished

        found = open_finished(source, settings, seeds, out)
        if found.missing:
            total = found.missing + len(found.results)
            click.echo(f"note: {found.missing} of {total} runs are not finished and are left out", err=True)
        for clause in found.provenance:
            click.echo(f"note: {clause}", err=True)
        command(found=found, **rest)

    return wrapped


@click.command()
@finished_runs
@click.option("--metric", type=click.Choice(["error", "regret"]), default="error", show_default=True)
@click.option("--measure", help="dataset/split@epochs of the table  [default: the table's test]")
@click.option("--all", "every", is_flag=True, help="Every figure that these runs have numbers for.")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Folder of the figure  [default: the study's]")
def plot(found: Finished, metric: Any, measure: str | None, every: bool, folder: Path | None) -> None:
    """Draw the trajectory figure of a study: SVG, PNG, PDF, and the plotted rows as CSV.

    \b
    --all adds
      seeds       the last error of every seed      eigenvalue  of the Hessian, over epochs
      onset       runs that have collapsed          landscape   of the validation loss
      profile     performance profile               surface     the same, in 3D
      ranks       critical difference over seeds    ranking     shared weights against the table
      place       among the table's architectures   alphas      mixing weights over epochs
      cell        the cell derived most often
    """
    from harness.plots import trajectory
    from harness.plots.figures import save_all
    from harness.tables.measure import Measure

    chosen = Measure.parse(measure) if measure else None
    content = trajectory.data(found.results, metric=metric, measure=chosen)
    to = folder or found.folder / "figures"
    paths = trajectory.save(content, to)
    missing: dict[str, str] = {}
    if every:
        more, missing = save_all(found.results, found.declared, to)
        paths += more
    for path in paths:
        click.echo(path)
    for name, reason in missing.items():
        click.echo(f"no figure {name!r}: {reason}", err=True)


@click.command()
@finished_runs
@click.option(
    "--to", type=click.Path(path_type=Path), help="The HTML file  [default: report.html in the study's folder]"
)
def report(found: Finished, to: Path | None) -> None:
    """Write one HTML page, which opens offline: verdicts, interactive trajectories, every figure, configuration."""
    from harness.report.build import build

    click.echo(build(found, to or found.folder / "report.html"))
