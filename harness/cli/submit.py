"""The verb that gives a study to a cluster's queue and ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from harness.cli.executing import Choice, add_executor_options
from harness.cli.study import add_study_options
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.runs.study import Study


@click.command()
@add_study_options
@add_executor_options
@click.option("--jobs", type=click.IntRange(1), help="Tasks of the array  [default: one for each missing run]")
@click.option("--dry-run", is_flag=True, help="Print the script and submit nothing.")
@click.pass_context
def submit(context: click.Context, study: Study, out: Path, choice: Choice, jobs: int | None, dry_run: bool) -> None:
    """Submit what is missing of a study as an array job, and end; 'harness status' shows how far it is.

    Every task of the array is a 'harness run' that takes run after run; one that meets its time limit is queued again,
    and goes on from its last epoch. --dry-run prints the script, to be changed and submitted by hand.
    """
    from harness.runs.check import check_study
    from harness.runs.execute import locate_study_folder, plan, survey

    if study.file.comparison.until_decided:
        raise HarnessError(
            "an array job has all of its seeds at once, and this study adds them until it is decided: harness run "
            "--executor slurm adds them from here"
        )
    executor = choice.executor("slurm")
    planned = plan(study, out)
    missing = [p.run for p, s in zip(planned, survey(planned), strict=True) if not s.finished]
    check_study(study, missing)
    if not missing:
        click.echo(f"{study.name}: all of its {len(planned)} runs are finished", err=True)
        return
    tasks = min(jobs or len(missing), len(missing))
    script = executor.script([sys.executable, "-m", "harness", "run", *build_arguments(context.params)], tasks)
    if dry_run:
        click.echo(script, nl=False)
        return
    told = executor.submit(script, locate_study_folder(out, study) / ".slurm")
    click.echo(f"{study.name}: {len(missing)} of {len(planned)} runs are left to {told}")


def build_arguments(params: dict[str, Any]) -> list[str]:
    """Those of the `harness run` of one task, from this verb's own."""
    given = [str(params["study"]), "--out", str(params["out"]), "--jobs", "1", "--no-wait"]
    for name in ("seeds", "precision"):
        given += [f"--{name}", params[name]] if params[name] else []
    return given + [word for setting in params["settings"] for word in ("--set", setting)]
