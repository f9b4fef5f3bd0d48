"""The verbs of folders of runs, which need no study: verify, merge."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from harness.cli.reading import form


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@form
def verify(runs: tuple[Path, ...], form: Any) -> None:
    """Check every file of finished runs against the sums that their manifests keep.

    RUNS are folders: of a study's runs, of one run, of all studies, or of published results. Names each file that is
    not what was written. Exits with 1 where there is one; 'harness run --recompute-damaged' computes its run again.
    """
    from harness.cli.printing import emit
    from harness.runs.verify import verify as check

    found = check(runs)
    rows = [{"run": str(d.path.parent), "file": d.path.name, "damage": d.how} for d in found.damaged]
    counts = {
        "as they were written": found.whole,
        "of record format 1, which kept no sums": found.unsealed,
        "not finished": found.running,
        "damaged": {d.path.parent for d in found.damaged},
    }
    told = ", ".join(f"{len(paths)} {words}" for words, paths in counts.items() if paths)
    if rows or form != "table":
        emit(rows, form, "damaged files")
    click.echo(told, err=form != "table")
    if rows:
        sys.exit(1)


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="The folder that they are joined in.")
@form
def merge(folders: tuple[Path, ...], to: Path, form: Any) -> None:
    """Join the finished runs of studies' folders that were computed apart: harness merge A B C --to D.

    Nothing is written where two contradict each other: one run with other rows, other record formats, other declared
    comparisons. The target may hold runs already; a run that is doubled is kept from the first folder that has it.
    """
    from harness.cli.printing import emit
    from harness.runs.merge import merge as join

    found = join(folders, to)
    rows = [
        {
            "folder": str(s.folder),
            "runs": len(s.runs),
            "new": len(s.new),
            "doubled": len(s.doubled),
            "unfinished, left out": s.running,
        }
        for s in found
    ]
    emit(rows, form, f"merged into {to}")
    doubled = [(s.folder / name, where) for s in found for name, where in s.doubled.items()]
    for path, where in doubled[:3]:
        click.echo(f"note: {path} is in {where}, too, with the same rows", err=True)
    if len(doubled) > 3:
        click.echo(f"note: so are {len(doubled) - 3} more", err=True)
