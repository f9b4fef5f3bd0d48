"""The verbs of a study and its runs: plan, run, status, publish."""

from __future__ import annotations

import functools
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.executing import Choice, add_device_option, add_executor_options
from harness.cli.reading import form, out
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from harness.runs.execute import Planned, Standing
    from harness.runs.randomness import Design
    from harness.runs.study import Study


def add_study_options(command: Callable[..., None]) -> Callable[..., None]:
    """STUDY, --seeds, --precision, --set and --out: the study as changed here, and where its runs are."""

    @click.argument("study", type=click.Path(path_type=Path))
    @click.option("--seeds", help="Seeds instead of the study's: 0..9, 3, or 0,2,5..7.")
    @click.option("--precision", type=click.Choice(["fp32", "tf32", "bf16"]), help="Numbers to train in.")
    @click.option("--set", "settings", multiple=True, metavar="A.B=VALUE", help="Change a key of the study.")
    @out
    @functools.wraps(command)
    def wrapped(
        study: Path, seeds: str | None, precision: str | None, settings: tuple[str, ...], out: Path, **rest: Any
    ) -> None:
        from harness.runs.study import load_study

        changes = [*settings, *([f"training.precision={precision}"] if precision else [])]
        changes += ["comparison.until_decided=true"] if rest.pop("until_decided", False) else []
        load = load_study
        if (images := rest.pop("images", None)) is not None and not rest.get("price"):
            raise HarnessError("--images says what --price measures on: add --price")
        if rest.get("price"):
            load = functools.partial(load_priceable_study, images=images)
        command(study=load(study, changes, seeds), out=out, **rest)

    return wrapped


def load_priceable_study(study: Path, changes: Sequence[str], seeds: str | None, images: str | None = None) -> Study:
    """A study to be measured, also where its published table or images are not here, which is said."""
    from harness.runs.absent import load_priceable

    loaded, absent = load_priceable(study, changes, seeds, images)
    for sentence in absent:
        click.echo(f"note: priced without what is not here, all runs taken for missing: {sentence}", err=True)
    return loaded


WIDE = 16
"""Channels from which on networks side by side take as long as one by one (benchmarks/speed/together.py)."""
MANY = 200
"""Runs from which a table counts them by method, and `status` opens none of those that are finished."""


def list_planned_runs(
    planned: Sequence[Planned], standings: Sequence[Standing], design: Design | None = None
) -> list[dict[str, Any]]:
    """A row a run; of a study that varies streams by themselves, `point` is what its other tables call the seed."""

    def at(p: Planned) -> dict[str, Any]:
        if design is None or not design.varied or p.run.point is None:
            return {"seed": p.run.number}
        return {"point": p.run.number} | design.levels(p.run.point)

    return [
        {"method": p.run.method_name} | at(p) | {"state": s.words, "folder": p.run.folder_name}
        for p, s in zip(planned, standings, strict=True)
    ]


def show_runs(rows: Sequence[dict[str, Any]], form: Any, title: str) -> None:
    """A row a run; where a table would have too many, one for each method and state."""
    from harness.cli.printing import emit

    if form != "table" or len(rows) <= MANY:
        emit(rows, form, title)
        return
    counts = Counter((row["method"], row["state"]) for row in rows)
    told = [{"method": method, "state": state, "runs": n} for (method, state), n in sorted(counts.items())]
    emit(told, form, f"{title}; --format csv has a row for each")


def tell_left_out(study: Study, planned: Sequence[Planned], out: Path) -> None:
    """Say which runs of other record formats lie in the study's folder and do not count."""
    from harness.results.provenance import describe_left_out
    from harness.runs.execute import locate_study_folder

    for sentence in describe_left_out(locate_study_folder(out, study), [p.run.folder_name for p in planned]):
        click.echo(f"note: {sentence}", err=True)


def tell_randomness(study: Study) -> None:
    """Say what of the randomness is held and what varies, and which methods do not draw from it."""
    if study.file.randomness.plain:
        return
    from harness.runs.rehearsal import find_idle_factors

    held = ", ".join(f"{name} {level}" for name, level in study.file.randomness.held.items())
    told = "; ".join(filter(None, [study.design.told, held and f"held: {held}", "all else follows the seed"]))
    click.echo(f"note: of the randomness: {told}", err=True)
    for method, factors in find_idle_factors(study).items():
        click.echo(
            f"note: {method} does not depend on {', '.join(factors)} (idle): its runs at other levels of it repeat one "
            "another",
            err=True,
        )


def tell_too_few(study: Study) -> None:
    """That a study has fewer seeds than its comparison can show anything with."""
    from harness.verdicts.deciding import count_pairs, find_fewest_seeds

    seeds, pairs = len(study.file.seeds), count_pairs(study)
    if not pairs or (study.design and study.design.varied) or seeds >= (fewest := find_fewest_seeds(study)):
        return
    told = f"{seeds} seed{'s' if seeds > 1 else ''} cannot show a difference between methods, however large"
    among = f"{pairs} comparisons" if pairs > 1 else "one comparison"
    click.echo(
        f"note: {told}, in {among} at level {study.file.comparison.level:g}: {fewest} are the fewest that can", err=True
    )


def tell_together(study: Study, planned: Sequence[Planned], places: int) -> None:
    """Say which runs are trained side by side, and which of the methods cannot be."""
    if study.file.together is None:
        return
    from harness.runs.units import group_units

    units = [unit for unit in group_units(planned, places) if unit and unit[0].run.stacked]
    groups = Counter(tuple(Counter(task.run.method_name for task in unit).items()) for unit in units)
    told = [
        " with ".join(f"{name} {size}" for name, size in group) + (f" (in each of {count} groups)" if count > 1 else "")
        for group, count in groups.items()
    ]
    alone = list(dict.fromkeys(run.method_name for run in study.runs if not run.stacked))
    words = [f"trained side by side, runs in a group: {', '.join(told)}"] if told else []
    words += [f"trained one by one: {', '.join(alone)}"] if alone else []
    if words:
        click.echo(f"note: {'; '.join(words)}", err=True)
    if any(run.stacked and run.supernet.channels >= WIDE for run in study.runs):
        click.echo(f"note: networks of {WIDE} channels or more gain nothing side by side: leave together out", err=True)


def tell_probes(study: Study) -> None:
    """Say that probes cost time, and how to know how much."""
    probes = study.runs[0].probes
    if probes:
        told = ", ".join(p.name if p.every == 1 else f"{p.name} (every {p.every} epochs)" for p in probes)
        click.echo(
            f"note: probes take time of their own, which is not counted as the search's: {told}; 'harness plan "
            f"{study.source} --price' measures how much",
            err=True,
        )


@click.command()
@add_study_options
@click.option("--price", is_flag=True, help="Measure a few steps of every method: time, memory, disk.")
@click.option(
    "--images",
    metavar="NxHxWxC",
    help="Price with so many random images, of this height, width and channels, where an .npz file is not here.",
)
@click.option("--jobs", type=click.IntRange(1), help="Runs (or groups) at a time to reckon with  [default: one a core]")
@add_device_option("Where --price measures: auto, cpu or cuda:N.")
@click.option(
    "--power",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="How many seeds find which difference, by these pilots: a folder of runs or published results.",
)
@click.option("--to", type=click.Path(path_type=Path), help="Where --power writes its curves.")
@form
def plan(
    study: Study,
    out: Path,
    price: bool,
    jobs: int | None,
    device: str,
    power: Path | None,
    to: Path | None,
    form: Any,
) -> None:
    """Show the runs of a study and which are missing; runs nothing.

    Before, it looks whether data, batches, networks and table fit; where methods are trained differently, it shows by
    what. With --price, what the missing runs cost on this machine: measured once, then known from the cache. A
    published table and images need not be here for that. With --power, how many seeds find which difference, by the
    test that the study declares.
    """
    from harness.cli.printing import emit
    from harness.core.arithmetic import count_default_jobs
    from harness.runs.check import check_study
    from harness.runs.execute import plan as make_plan
    from harness.runs.execute import survey

    if power is not None:
        from harness.cli.powering import show_power

        show_power(study, power, to, form)
        return
    planned = make_plan(study, out)
    standings = survey(planned)
    check_study(study, [p.run for p, s in zip(planned, standings, strict=True) if not s.finished])
    if price:
        from harness.cli.pricing import show_price

        show_price(study.name, planned, jobs, device, form)
        return
    apart = study.apart
    rows = list_planned_runs(planned, standings, study.design)
    if form != "table":
        nothing = dict.fromkeys(key for own in apart.values() for key in own)
        rows = [row | nothing | apart.get(row["method"], {}) for row in rows]
    show_runs(rows, form, f"{study.name}: {len(study.runs)} runs")
    if form == "table" and apart:
        emit([{"method": method} | own for method, own in apart.items()], form, "settings in which the methods differ")
    tell_randomness(study)
    missing = [p for p, s in zip(planned, standings, strict=True) if not s.finished]
    tell_together(study, missing, jobs or count_default_jobs("cpu"))
    if study.file.comparison.until_decided:
        from harness.verdicts.deciding import find_first_look

        told = f"after {find_first_look(study)} at the earliest"
        click.echo(f"note: at most so many: seeds are added until the comparison is decided, {told}", err=True)
    else:
        tell_too_few(study)
    tell_left_out(study, planned, out)


@click.command()
@add_study_options
@click.option("--jobs", type=click.IntRange(1), help="Runs at a time  [default: one a core, or one a CUDA device]")
@add_device_option("auto, cpu, cuda:N, cuda:0..3 or cuda:all.")
@click.option("--jobs-per-device", type=click.IntRange(1), help="Runs at a time on each CUDA device.")
@add_executor_options
@click.option("--no-wait", is_flag=True, help="Leave runs that other processes compute, instead of waiting for them.")
@click.option("--recompute-damaged", is_flag=True, help="Compute finished runs again whose files are damaged.")
@click.option("--again", is_flag=True, help="Compute runs again that other code has computed or begun.")
@click.option("--until-decided", is_flag=True, help="Add seeds until every pair is decided; the study's are the most.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@form
def run(
    study: Study,
    out: Path,
    choice: Choice,
    no_wait: bool,
    recompute_damaged: bool,
    again: bool,
    dry_run: bool,
    form: Any,
    **places: Any,
) -> None:
    """Run what is missing of a study, then print its final results.

    Finished runs are kept, interrupted ones go on from their last epoch, those that another process computes are left
    to it. Ctrl-C, SIGTERM and SIGUSR1 are safe at any moment. Exits with 1 when a run failed.

    With --until-decided (or comparison.until_decided = true in the study) seeds are added, of all methods, until the
    declared comparison stands, by a test that may be looked at after each of them.
    """
    from harness.cli.progress import show_live_progress
    from harness.core.signals import Stopped, raise_on_signals
    from harness.runs.execute import DEFAULT_EXECUTOR
    from harness.runs.prepare import prepare
    from harness.verdicts.deciding import Look, choose_way

    until_decided = study.file.comparison.until_decided
    if until_decided and no_wait:
        raise HarnessError("a study that runs until it is decided looks at whole seeds: leave --no-wait out")
    executor = choice.executor(DEFAULT_EXECUTOR)
    prepared = prepare(study, out, executor)
    planned = prepared.planned
    if dry_run:
        title = f"{study.name}: {len(planned)} runs, nothing run (--dry-run)"
        show_runs(list_planned_runs(planned, prepared.standings), form, title)
        return
    devices = executor.places(places["device"], places["jobs"], places["jobs_per_device"])
    prepared = prepared.begin(
        devices, recompute_damaged=recompute_damaged, again=again, say=lambda line: click.echo(line, err=True)
    )
    tell_left_out(study, planned, out)
    missing = prepared.missing
    if missing and study.table is not None and " of " in study.table.told_size:
        click.echo(
            f"note: table {study.table.name} holds {study.table.told_size} architectures: a run that derives another "
            "one stops",
            err=True,
        )
    if missing:
        tell_probes(study)
    click.echo(f"{study.name}: {len(planned) - len(missing)} of {len(planned)} runs finished before", err=True)
    failures, done, look = [], 0, None
    try:
        with raise_on_signals(), show_live_progress(planned) as say:
            for outcome in choose_way(study)(prepared, devices, wait=not no_wait, say=say):
                if isinstance(outcome, Look):
                    look = outcome
                    say(look.told)
                    continue
                done += 1
                what = "point" if study.design.varied else "seed"
                label = f"{outcome.planned.run.method_name} {what} {outcome.planned.run.number}"
                ended = outcome.error or ("finished by another process" if outcome.elsewhere else "finished")
                say(f"[{done}/{'at most ' * until_decided}{len(missing)}] {label}: {ended}")
                if outcome.error and not outcome.elsewhere:
                    failures.append(f"{label}: {outcome.error}")
    except KeyboardInterrupt as stop:
        done = sum(p.finished for p in planned)
        click.echo(
            f"\nstopped with {done} of {len(planned)} runs finished; every finished epoch is kept. "
            f"Go on with the same command: harness {' '.join(sys.argv[1:])}",
            err=True,
        )
        sys.exit(stop.code if isinstance(stop, Stopped) else 130)
    show_results(study, planned, form)
    if look is not None:
        click.echo("\n".join(f"{line}." for line in look.lines), err=form != "table")
    if failures:
        click.echo(f"error: {len(failures)} of {len(missing)} runs failed; the first: {failures[0]}", err=True)
        sys.exit(1)


def show_results(study: Study, planned: Sequence[Planned], form: Any) -> None:
    """The table of final results, with the floors that the table itself gives."""
    from harness.cli.printing import emit
    from harness.core.text import list_records
    from harness.results.load import read_planned
    from harness.results.provenance import list_provenance
    from harness.runs.apart import describe_alike

    runs = read_planned(study, [p for p in planned if p.finished])
    told = "; ".join(filter(None, [runs.no_table_note, describe_alike(runs.settings)]))
    emit(list_records(runs.final()), form, f"{study.name}: final results{told and f' ({told})'}")
    for clause in list_provenance(runs.manifests, study.name):
        click.echo(f"note: {clause}", err=True)
    if study.table is not None and form == "table" and (known := study.table.references(study.table.test)):
        scale = study.table.scale
        told = ", ".join(f"{name} {scale.told(value, 3)}" for name, value in known.items())
        click.echo(f"{study.table.name}, {study.table.test}, test {scale.error}: {told}")


@click.command()
@add_study_options
@form
def status(study: Study, out: Path, form: Any) -> None:
    """Show how far each run of a study is, and the results of those that are finished.

    Exits with 1 when a finished run is damaged. Of more than 200 finished runs none is opened: 'harness verify' checks
    them, 'harness compare' shows their results.
    """
    from harness.runs.execute import find_damaged, survey
    from harness.runs.execute import plan as make_plan

    planned = make_plan(study, out)
    standings = survey(planned)
    finished = [p for p, s in zip(planned, standings, strict=True) if s.finished]
    many = len(finished) > MANY
    wrong = {} if many else find_damaged(finished)
    rows = [
        row | ({"state": "DAMAGED"} if row["folder"] in wrong else {}) | {"epochs": f"{s.recorded}/{p.run.epochs + 1}"}
        for row, p, s in zip(list_planned_runs(planned, standings), planned, standings, strict=True)
    ]
    show_runs(rows, form, f"{study.name}: {len(finished) - len(wrong)} of {len(planned)} runs finished")
    tell_left_out(study, planned, out)
    if many:
        click.echo(f"note: {len(finished)} finished runs were not opened: harness verify, harness compare", err=True)
    elif form == "table" and (sound := [p for p in finished if p.run.folder_name not in wrong]):
        show_results(study, sound, form)
    for sentence in wrong.values():
        click.echo(f"error: {sentence}", err=True)
    if wrong:
        sys.exit(1)


@click.command()
@add_study_options
@click.option("--to", type=click.Path(path_type=Path), default=Path("results/published"), show_default=True)
def publish(study: Study, out: Path, to: Path) -> None:
    """Write a finished study's rows, figure, manifest and results table to a folder to commit."""
    from harness.report.publish import publish as write
    from harness.runs.execute import plan as make_plan
    from harness.verdicts.deciding import select_looked_at

    planned = make_plan(study, out)
    if study.file.comparison.until_decided:
        planned = select_looked_at(planned) or planned
    click.echo(write(study, planned, to))
