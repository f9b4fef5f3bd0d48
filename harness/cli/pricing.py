"""What the missing runs of a study cost, as a table."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harness.runs.execute import Planned


def show_price(name: str, planned: Sequence[Planned], jobs: int | None, device: str, form: Any) -> None:
    """Print a row a method, and the total of what is missing."""
    from harness.cli.printing import emit
    from harness.core.arithmetic import count_default_jobs, resolve_device
    from harness.core.text import format_duration
    from harness.runs.price import compute_total_seconds, measure_prices

    missing = [p for p in planned if not p.finished]
    where = resolve_device(device)
    side_by_side = min(jobs or count_default_jobs(where), max(1, len(missing)))
    found = measure_prices([p.run for p in missing], where, functools.partial(click.echo, err=True))
    rows = []
    for method, price in found.items():
        runs = [p for p in missing if p.run.method_name == method]
        rows.append(
            {
                "method": method,
                "missing": len(runs),
                "steps/epoch": price.steps,
                "ms/step": round(1000 * price.step_s, 1),
                "s/evaluation": round(price.evaluation_s, 3),
                **({"s judging/run": round(price.judging_s, 1)} if price.judging_s else {}),
                **({"s probes/run": round(price.probes_s, 1)} if price.probes_s else {}),
                "s/run": round(price.run_s(runs[0].run), 1),
                "memory MB": round(price.memory_mb),
                "disk MB/run": round(price.disk_mb, 2),
            }
        )
    emit(rows, form, f"{name}: price on {where}")
    if form == "table":
        left = [found[p.run.method_name].run_s(p.run) * (1 - p.recorded / (p.run.epochs + 1)) for p in missing]
        memory = side_by_side * max((p.memory_mb for p in found.values()), default=0)
        disk = sum(found[p.run.method_name].disk_mb for p in missing)
        click.echo(
            f"{len(missing)} runs, {side_by_side} at a time: "
            f"{format_duration(compute_total_seconds(left, side_by_side))} where each has a core or "
            f"device to itself, {memory:.0f} MB of memory, {disk:.1f} MB on disk"
        )
        if any(p.run.stacked for p in missing):
            click.echo("runs that are trained side by side are priced here one by one: together they take less")
        if any(p.judging_s for p in found.values()):
            click.echo(
                "what is derived is trained once a distinct cell, so runs that derive one cell share its training"
            )
