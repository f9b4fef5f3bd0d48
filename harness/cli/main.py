"""The `harness` command. Verbs import what they need when they run, so `--help` is instant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from harness.cli.claims import claims
from harness.cli.datasets import datasets
from harness.cli.exchange import export, import_, rederive
from harness.cli.folders import merge, verify
from harness.cli.judging import audit, compare, gate, paper
from harness.cli.ledger import ledger
from harness.cli.plot import plot
from harness.cli.program import Program
from harness.cli.rank import rank
from harness.cli.reading import form, report
from harness.cli.study import plan, publish, run, status
from harness.cli.submit import submit
from harness.cli.tables import tables
from harness.cli.trace import trace
from harness.cli.train import train
from harness.core.arguments import speak_of_options
from harness.core.errors import HarnessError
from harness.core.version import __version__

EXAMPLES = """
\b
Examples:
  harness run benchmarks/trajectories/digits.toml             run a study, see its results
  harness run STUDY --seeds 0..9 --jobs 2                     ten seeds, two at a time
  harness run STUDY --set methods.sdarts-adv.adversarial.epsilon=0.1
  harness plot STUDY                                          the trajectory figure
  harness compare STUDY                                       which differences the seeds can carry
  harness rank STUDY STUDY STUDY                              which methods differ over several tasks
  harness paper STUDY --format latex                          the table of a paper
  harness ledger STUDY                                        what a method's spread is made of
  harness gate STUDY --against BASELINE.parquet               has anything moved?
  harness trace "39.77 54.30 15.03 15.61 16.43 16.32"         what a printed row is
  harness audit FOLDER                                        what is suspicious in its runs
  harness report STUDY                                        all of it on one page
  harness train GENOTYPE --space darts.full --dataset cifar10 train a derived cell as papers do
  harness tables info nasbench201.digits                      what a table holds
  harness conform tests/conformance/records                   prove the arithmetic

\b
Environment:
  NASBENCH_HARNESS_CACHE   folder of added tables, fetched files and trainings  [default: the platform's cache folder]
"""


@click.group(cls=Program, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
@click.pass_context
def main(context: click.Context) -> None:
    """Reproduce differentiable architecture searches over NAS-Bench tables, and check what they claim."""
    context.with_resource(speak_of_options())


STUDIES = (plan, run, submit, status, verify, merge, publish, train)
READERS = (plot, compare, rank, paper, ledger, gate, audit, report, import_, export, rederive, trace)
for verb in (*STUDIES, *READERS, datasets, tables, claims):
    main.add_command(verb)


KINDS = (
    "methods",
    "regularizers",
    "searchers",
    "probes",
    "spaces",
    "datasets",
    "importers",
    "exporters",
    "executors",
    "formats",
    "figures",
    "policies",
    "tables",
)


@main.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@form
def list_(kind: str | None, form: Any) -> None:
    """List methods and their parts, spaces, datasets, formats or tables: all of it, or one KIND."""
    from harness.cli.listing import list_members
    from harness.cli.printing import emit

    for each in [kind] if kind else KINDS:
        title = "methods (passes: forward + backward of the one-shot network a step)" if each == "methods" else each
        emit(list_members(each), form, title)


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@form
def conform(paths: tuple[Path, ...], form: Any) -> None:
    """Replay conformance records and print each quantity's largest relative error.

    PATHS are .npz and .json records or folders of them. Exits with 1 when an error in float64 is above 1e-9, with 2
    when a file is damaged; the others are replayed before.
    """
    from harness.cli.printing import emit
    from harness.testing.conformance import TOLERANCE, QuantityCheck, replay_files

    found = []
    for replayed, told in enumerate(replay_files(list(paths)), start=1):
        found += told
        errors = [c.error for c in told if isinstance(c, QuantityCheck)]
        words = f"largest relative error {max(errors):.1e}" if errors else "skipped"
        click.echo(f"{replayed}: {told[0].record if told else 'a record'}: {words}", err=True)
    checks = [c for c in found if isinstance(c, QuantityCheck)]
    rows = [
        {
            "record": c.record,
            "quantity": c.quantity,
            "error": f"{c.error:.1e}",
            "conforms": "yes" if c.conforms else "NO",
        }
        for c in checks
    ]
    emit(rows, form, f"relative errors, limit {TOLERANCE:g}")
    for skipped in found:
        if not isinstance(skipped, QuantityCheck):
            click.echo(f"skipped {skipped.record}: {skipped.reason}", err=True)
    bad = [c for c in checks if not c.conforms]
    records = {c.record for c in checks}
    click.echo(f"{len(records)} records, {len(checks)} quantities, {len(bad)} beyond {TOLERANCE:g}", err=True)
    if not checks:
        raise HarnessError("none of the files is a record that this version can replay")
    if bad:
        sys.exit(1)
    damaged = [c.record for c in found if not isinstance(c, QuantityCheck) and c.damaged]
    if damaged:
        raise HarnessError(
            f"{len(damaged)} of the files could not be replayed to the end (the first: {damaged[0]}): fetch them again"
        )
