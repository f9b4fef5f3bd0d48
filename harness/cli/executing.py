"""Choosing the executor on the command line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.core.devices import check_device
from harness.core.errors import HarnessError
from harness.core.notation import read_toml

if TYPE_CHECKING:
    from harness.runs.executors.base import Executor


def add_device_option(told: str) -> Callable[..., Any]:
    """--device with its check. told: what it is for, and what it takes."""

    def check(context: click.Context, option: click.Parameter, value: str) -> str:
        return check_device(value)

    return click.option("--device", default="auto", show_default=True, callback=check, help=told)


@dataclass(frozen=True)
class Choice:
    """What the command line says of the executor: its name, fields as A=VALUE, those with an option of their own, and a
    cluster's file."""

    name: str | None
    fields: tuple[str, ...]
    own: dict[str, Any]
    cluster: Path | None

    def executor(self, default: str) -> Executor:
        """The one that is chosen; the command line wins over the cluster's file, a name over the default."""
        from harness.runs.changes import apply_settings
        from harness.runs.executors.base import EXECUTORS

        raw = {} if self.cluster is None else read_cluster(self.cluster)
        apply_settings(raw, list(self.fields), "--set-executor")
        raw |= self.own
        named = self.name or raw.get("name", default)
        if not isinstance(named, str):
            raise HarnessError(f"{self.cluster}: name = {named!r} is no executor's name: see harness list executors")
        found: Executor = EXECUTORS.build(named, {key: value for key, value in raw.items() if key != "name"})
        return found


def read_cluster(path: Path) -> dict[str, Any]:
    """The section [executor] of a cluster's file."""
    raw = read_toml(path, "cluster")
    section = raw.pop("executor", None)
    if raw or not isinstance(section, dict):
        raise HarnessError(
            f"{path} is to have one section, [executor], with a name and that executor's fields"
            + (f", not {sorted(raw)[0]!r}" if raw else "")
        )
    return section


def add_executor_options(command: Callable[..., None]) -> Callable[..., None]:
    """--executor, --set-executor, --time, --gpus and --cluster, as one `choice`."""

    @click.option("--executor", "engine", help="Where runs are computed: a name of 'harness list executors'.")
    @click.option("--set-executor", "fields", multiple=True, metavar="A=VALUE", help="A field of the executor.")
    @click.option("--time", help="Limit of a job, of an executor that has one: 30m, 4h or 2d.")
    @click.option("--gpus", type=click.IntRange(0), help="GPUs of a job, of an executor that asks for them.")
    @click.option(
        "--cluster", type=click.Path(path_type=Path), help="A TOML file with [executor]: its name and fields."
    )
    @functools.wraps(command)
    def wrapped(
        engine: str | None,
        fields: tuple[str, ...],
        time: str | None,
        gpus: int | None,
        cluster: Path | None,
        **rest: Any,
    ) -> None:
        own = {key: value for key, value in (("time", time), ("gpus", gpus)) if value is not None}
        command(choice=Choice(engine, fields, own, cluster), **rest)

    return wrapped
