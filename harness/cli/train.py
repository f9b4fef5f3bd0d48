"""The verb that trains derived architectures."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.executing import add_device_option
from harness.cli.reading import form
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from harness.runs.retraining.job import Retraining
    from harness.tables.measure import Scale


@click.command()
@click.argument("cells", nargs=-1, required=True, metavar="GENOTYPE|RUN|ARCHITECTURE...")
@click.option("--space", help="Search space, such as darts.full  [default: the run's]")
@click.option("--dataset", help="Images to train on, such as cifar10  [default: the run's]")
@click.option("--recipe", "recipes", multiple=True, default=("published",), show_default=True, help="published, small.")
@click.option("--seeds", default="0", show_default=True, help="Seeds: 0..9, 3, or 0,2,5..7.")
@click.option("--set", "settings", multiple=True, metavar="A.B=VALUE", help="Change recipe.FIELD or dataset.FIELD.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of all trainings  [default: that of the studies]")
@add_device_option("auto, cpu or cuda:N.")
@form
def train(
    cells: tuple[str, ...],
    space: str | None,
    dataset: str | None,
    recipes: tuple[str, ...],
    seeds: str,
    settings: tuple[str, ...],
    out: Path | None,
    device: str,
    form: Any,
) -> None:
    """Train the networks of derived cells as papers do, and print what they reach on the test images.

    \b
    A cell is written as the field writes it, 'Genotype(normal=[...], ...)', or as its space does; RUN is the folder
    of a finished run, whose last architecture is meant. Recipe `published`: 20 cells, 36 channels, 600 epochs,
    auxiliary head, cutout, drop-path; `small`: minutes.

    What is trained is kept, once a distinct cell, and shared with studies that say table = "trained". An interrupted
    training goes on from its last epoch; the same command in a second terminal takes the other half.
    """
    import torch

    from harness.cli.printing import emit
    from harness.core.arithmetic import resolve_device
    from harness.core.seeds import parse_seeds
    from harness.core.signals import Stopped, raise_on_signals
    from harness.runs.changes import apply_settings
    from harness.runs.retraining.asked import find_cells as named
    from harness.runs.retraining.job import Retraining
    from harness.runs.retraining.recipe import build_recipe
    from harness.runs.retraining.table import locate_networks, train_all

    raw: dict[str, Any] = {"dataset": dataset} if dataset else {}
    apply_settings(raw, list(settings))
    if unknown := set(raw) - {"dataset", "recipe"}:
        raise HarnessError(f"--set {sorted(unknown)[0]!r} is not known here: set recipe.FIELD or dataset.FIELD")
    if "dataset" in raw and not dataset:
        raise HarnessError("--set dataset.FIELD needs --dataset NAME, whose field it is")
    data = {"name": dataset} if isinstance(raw.get("dataset"), str) else raw.get("dataset")
    try:
        wanted = parse_seeds(seeds)
    except ValueError as error:
        raise HarnessError(f"--seeds: {error}") from None
    root = out or locate_networks()
    jobs = {
        (cell.label, name): [
            Retraining(
                cell.space, cell.architecture, cell.dataset, build_recipe(name, raw.get("recipe", {}), cell.space), seed
            )
            for seed in wanted
        ]
        for cell in named(cells, space, data)
        for name in recipes
    }
    every = list({job.id: job for of in jobs.values() for job in of}.values())
    try:
        with raise_on_signals():
            where = torch.device(resolve_device(device))
            for done, job in enumerate(train_all(every, root, where, lambda line: click.echo(line, err=True)), start=1):
                click.echo(f"[{done}/{len(every)}] {job.folder(root).final}", err=True)
    except KeyboardInterrupt as stop:
        click.echo("\nstopped; every finished epoch is kept: go on with the same command", err=True)
        sys.exit(stop.code if isinstance(stop, Stopped) else 130)
    emit(
        summarize_trainings(jobs, root),
        form,
        "trained: what is reached on the test data after the last epoch, mean over seeds",
    )


def summarize_trainings(jobs: Mapping[tuple[str, str], Sequence[Retraining]], root: Path) -> list[dict[str, Any]]:
    """One row a cell and recipe; of several recipes, the mean and the best of their means too."""
    from harness.tables.measure import SCALES

    rows = []
    for label in dict.fromkeys(label for label, _ in jobs):
        means = {}
        for name in [recipe for cell, recipe in jobs if cell == label]:
            folders = [job.folder(root) for job in jobs[label, name]]
            scale = SCALES[jobs[label, name][0].recipe.measured]
            last = [float(f.tables()["epochs"][f"test_{scale.column}"].iloc[-1]) for f in folders]
            errors = [float(scale.error_of(value)) for value in last]
            size = {key: round(value, 4) for key, value in folders[0].manifest()["costs"].items()}
            means[name] = sum(errors) / len(errors)
            rows.append({"cell": label, "recipe": name, **size} | summarize_errors(errors, scale))
        if len(means) > 1:
            over = list(means.values())
            rows.append(
                {"cell": label, "recipe": "mean over recipes"} | summarize_errors([sum(over) / len(over)], scale)
            )
            best = min(means, key=lambda name: means[name])
            rows.append({"cell": label, "recipe": f"best: {best}"} | summarize_errors([means[best]], scale))
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return [{key: row.get(key) for key in columns} for row in rows]


def summarize_errors(errors: Sequence[float], scale: Scale) -> dict[str, Any]:
    """Mean of errors, and the range of several."""
    row: dict[str, Any] = {"n": len(errors), scale.suffix: round(sum(errors) / len(errors), 2)}
    return row | ({"lowest": round(min(errors), 2), "highest": round(max(errors), 2)} if len(errors) > 1 else {})
