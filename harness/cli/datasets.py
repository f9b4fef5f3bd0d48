"""`harness datasets`: getting and checking the published data sets."""

from __future__ import annotations

import functools
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

import click

from harness.cli.reading import form


def format_sizes(told: Iterable[str]) -> str:
    """10 x 99 MB + 39 MB."""
    return " + ".join(f"{n} x {size}" if n > 1 else size for size, n in Counter(told).items())


@click.group()
def datasets() -> None:
    """Fetch and check published data sets. A study then names one, dataset = "cifar10", and finds it."""


@datasets.command("list")
@form
def list_(form: Any) -> None:
    """List the published data sets, and which are there."""
    from harness.cli.printing import emit
    from harness.datasets.official import list_official_datasets

    rows = [
        {
            "data set": name,
            "state": data.state,
            "size": format_sizes(a.size for a in data.archives),
            "licence": data.archives[0].licence,
            "folder": str(data.folder),
        }
        for name, data in list_official_datasets().items()
    ]
    emit(rows, form, "published data sets")


@datasets.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Show what it is and where it is, and stop.")
def fetch(name: str, dry_run: bool) -> None:
    """Download the data set NAME into the cache, check it, and unpack it. A broken download goes on where it was."""
    from harness.datasets.official import fetch as get
    from harness.datasets.official import find_official

    data = find_official(name)
    for archive in data.archives:
        for field, value in archive.told().items():
            click.echo(f"{field}: {value}", err=True)
    if not dry_run:
        click.echo(get(data, functools.partial(click.echo, err=True)))


@datasets.command()
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Hash the files of data sets again (all that are there, or those named) and compare with what is published.

    Exits with 1 when a file is missing or another one.
    """
    from harness.datasets.official import find_official, list_official_datasets

    chosen = [find_official(name) for name in names] or [
        d for d in list_official_datasets().values() if d.state != "not there"
    ]
    if not chosen:
        click.echo("no published data set is there: get one by 'harness datasets fetch NAME'", err=True)
    wrong = {data.name: data.wrong() for data in chosen}
    for name, found in wrong.items():
        click.echo(f"{name}: {'; '.join(found) or 'as published'}")
    if any(wrong.values()):
        sys.exit(1)
