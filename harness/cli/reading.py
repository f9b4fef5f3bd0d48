"""The verbs that read finished runs: plot, compare, gate, report, import. Imports happen when a verb runs."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.printing import FORMATS
from harness.core.errors import HarnessError

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
    "--endpoint",
    type=click.Choice(["final", "selected", "oracle", "area"]),
    help="Another endpoint than the declared one: exploratory.",
)
@form
def compare(found: Finished, endpoint: Any, form: Any) -> None:
    """Compare methods: difference with interval, exact test, chance of improvement, failures, and a sentence a pair.

    The study says beforehand, in [comparison], what is compared with what, and at which endpoint.
    """
    from harness.cli.printing import emit
    from harness.results.endpoints import endpoints
    from harness.verdicts.compare import compare as compare_methods
    from harness.verdicts.compare import describe

    if endpoint:
        exploring = endpoint != found.declared.primary
        declared = found.declared.model_copy(update={"primary": endpoint})
    else:
        exploring, declared = False, found.declared
    ends = endpoints(found.results, declared)
    pairs = compare_methods(ends, declared)
    told = "exploratory: not the declared endpoint" if exploring else found.standing
    kind = "paired by seed, signed-rank" if pairs[0].paired else "unpaired, rank-sum"
    told = "; ".join([told, kind + ", Holm", *found.provenance])
    title = f"{found.name}: {declared.primary} error ({told})"
    if form == "table":
        emit(describe(ends, declared), form, f"{found.name}: {declared.primary} error of every method")
    emit([p.numbers() if form in ("csv", "json") else p.row() for p in pairs], form, title)
    if form == "table":
        for pair in pairs:
            click.echo(f"{pair.verdict}.")


@click.command()
@finished_runs
@click.option("--against", type=click.Path(path_type=Path), help="The baseline, a Parquet file.")
@click.option("--write", type=click.Path(path_type=Path), help="Write these runs as a baseline, and stop.")
@click.option("--error", type=float, help="Margin of the final error, percentage points  [default: 2]")
@click.option("--failure", type=float, help="Margin of the share of collapsed runs  [default: 0.3]")
@click.option("--onset", type=float, help="Margin of the epoch of collapse  [default: 10]")
@click.option("--eigenvalue", type=float, help="Factor by which the dominant eigenvalue may change  [default: 2]")
@click.option("--level", type=float, help="Level of the tests  [default: 0.05]")
@click.option("--exact", is_flag=True, help="Every row to the last bit: for the same machine.")
@form
def gate(
    found: Finished, against: Path | None, write: Path | None, exact: bool, form: Any, **margins: float | None
) -> None:
    """Fail when a method's runs moved beyond a margin from those of a baseline.

    Exits with 0 when every quantity is shown to be within its margin, with 1 when one is shown to have moved, and with
    3 when the runs can show neither.
    """
    from harness.cli.printing import emit
    from harness.verdicts.baseline import exact as compare_rows
    from harness.verdicts.baseline import read_baseline, write_baseline
    from harness.verdicts.gate import gate as run_gate
    from harness.verdicts.gate import margins_of, overall

    if write is not None:
        write_baseline(found.results, write)
        click.echo(write)
        return
    if against is None:
        raise HarnessError("a gate needs a baseline: --against FILE.parquet, or --write FILE.parquet to make one")
    baseline = read_baseline(against)
    if exact:
        differences = compare_rows(found.results, baseline)
        for line in differences or [f"{found.name}: every row of {against} is there again, to the last bit"]:
            click.echo(line)
        sys.exit(1 if differences else 0)
    checks = run_gate(found.results, baseline, margins_of(margins), found.declared)
    emit([c.row() for c in checks], form, f"{found.name} against {against}")
    state = overall(checks)
    click.echo({"stable": "stable", "moved": "MOVED"}.get(state, "inconclusive: neither moved nor stable is shown"))
    sys.exit({"stable": 0, "moved": 1}.get(state, 3))


@click.command()
@finished_runs
@click.option(
    "--to", type=click.Path(path_type=Path), help="The HTML file  [default: report.html in the study's folder]"
)
def report(found: Finished, to: Path | None) -> None:
    """Write one HTML page, which opens offline: verdicts, interactive trajectories, every figure, configuration."""
    from harness.report.build import build

    click.echo(build(found, to or found.folder / "report.html"))


@click.group("import")
def import_() -> None:
    """Import the logs of other tools as a folder of results."""


@import_.command("naslib")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--table", required=True, help="The table to look the architectures up in.")
@click.option("--to", type=click.Path(path_type=Path), default=Path("results/imported"), show_default=True)
def import_naslib(source: Path, table: str, to: Path) -> None:
    """Import NASLib's searches on NAS-Bench-201, <Optimizer>/errors_<seed>.json under SOURCE.

    The folder that it writes is what plot, compare and gate read.
    """
    from harness.results.importers.naslib import import_naslib as read
    from harness.tables.catalog import open_table

    click.echo(read(source, open_table(table), to))
