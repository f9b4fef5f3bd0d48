"""The verb `claims`: what papers say, and whether the table and the runs that are there bear it out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from harness.cli.reading import form, out
from harness.core.errors import HarnessError

PUBLISHED, PUBLIC_LOGS = Path("results/published"), Path("results/public-logs")
folder = click.option(
    "--claims",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("benchmarks/published"),
    show_default=True,
    help="Folder of *.claims.toml.",
)


@click.group(invoke_without_command=True)
@folder
@out
@form
@click.pass_context
def claims(ctx: click.Context, folder: Path, out: Path, form: Any) -> None:
    """List what papers claim, and say of each: reproduced, not reproduced, or why it cannot be tested.

    Claims that need no search come first, decided by the table alone; the others by results/published,
    results/public-logs and by what is finished under --out.
    """
    if ctx.invoked_subcommand is not None:
        return
    from harness.verdicts.claims.check import check_all, find_in_folders
    from harness.verdicts.claims.files import read_folder

    show(check_all(read_folder(folder), find_in_folders(PUBLISHED, PUBLIC_LOGS, out)), form, f"claims of {folder}")


@claims.command()
@click.argument("source", metavar="STUDY|FOLDER", type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="A.B=VALUE", help="Change a key of the study's [comparison].")
@folder
@out
@form
def check(source: Path, settings: tuple[str, ...], folder: Path, out: Path, form: Any) -> None:
    """Decide the claims that the finished runs of a study, or of a folder of results, may decide.

    Exits with 1 when one is not reproduced.
    """
    from harness.results.load import open_runs
    from harness.verdicts.claims.check import check_all, select_claims
    from harness.verdicts.claims.files import read_folder

    found = open_runs(source, settings, None, out)
    known = read_folder(folder)
    about = select_claims(found, known)
    if not about:
        studies = sorted({s for n in known for s in (*n.file.studies, *n.file.small)})
        raise HarnessError(f"no claim in {folder} is about runs of {found.name!r}, only of {', '.join(studies)}")
    for word in ("failure", "skips", "parameter_free", "degraded"):
        if any(setting.startswith(f"comparison.{word}=") for setting in settings):
            raise HarnessError(f"a claim says itself what counts as collapsed: leave out --set comparison.{word}")
    checked = check_all(about, lambda name: found if name == found.name else None)
    told = f" ({found.standing})" if settings else ""
    show(checked, form, f"claims about {found.name}{told}")
    sys.exit(1 if any(c.verdict.state == "not reproduced" for c in checked) else 0)


@claims.command()
@click.argument("to", type=click.Path(path_type=Path), default=Path("docs/claims.md"))
@folder
def write(to: Path, folder: Path) -> None:
    """Write the page of all claims, from committed results alone  [default: docs/claims.md]."""
    from harness.core.files import write_file
    from harness.verdicts.claims.check import check_all, find_in_folders
    from harness.verdicts.claims.files import read_folder
    from harness.verdicts.claims.page import render_page

    write_file(to, render_page(check_all(read_folder(folder), find_in_folders(PUBLISHED, PUBLIC_LOGS))).encode())
    click.echo(to)


def show(checked: Any, form: Any, title: str) -> None:
    from harness.cli.printing import emit, emit_cards

    if form == "table":
        emit([c.short() for c in checked], form, title)
    else:
        emit_cards(checked, form, title)
