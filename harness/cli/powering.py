"""What so many seeds would find, as a table and a curve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from harness.runs.study import Study


def show_power(study: Study, pilots: Path, to: Path | None, form: Any) -> None:
    """Print the power of a study's comparison, by the differences that pilots had. to: where the curves go."""
    from harness.cli.printing import emit_cards
    from harness.results.load import load_folder
    from harness.verdicts.power import compute_powers

    declared = study.file.comparison
    found = load_folder(pilots)
    ends = replace(found, declared=declared).endpoints()
    methods = list(dict.fromkeys(run.method_name for run in study.runs))
    if absent := [name for name in methods if name not in ends.methods]:
        raise HarnessError(
            f"{pilots} holds no runs of {', '.join(absent)}, which the study compares: name pilots of all its methods, "
            "or only methods that have some, --set 'methods=[..]'"
        )
    left_out = tuple(run for run in ends.left_out if run.method in methods)
    ends = replace(ends, runs=ends.runs[ends.runs["method"].isin(methods)], left_out=left_out)
    if not declared.pairs and not declared.baseline:
        declared = declared.model_copy(update={"baseline": methods[0]})
    rows = compute_powers(ends, declared, len(study.file.seeds))
    how = "until decided, at most n seeds (mean number)" if declared.until_decided else "n seeds"
    emit_cards(rows, form, f"{study.name}: power in %, {how}, by {len(ends.runs)} pilots of {found.name}")
    if form == "table":
        pairs = {(row.new, row.base): row for row in rows}
        for (new, base), row in pairs.items():
            many = f"{row.pilots} pairs" if row.paired else f"{row.pilots} runs of each at least, not paired"
            tied = f", {100 * row.tied:.0f} % of them tied" if row.paired else ""
            click.echo(f"{new} against {base}: {many}{tied}")
        kind = "sequential" if declared.until_decided else "fixed"
        click.echo(
            f"The {kind} test that the study declares, at level {declared.level:g} divided by {len(pairs)}; studies "
            "are made of the pilots' differences, drawn again: few pilots say little of what happens rarely."
        )
    if to is not None:
        from harness.plots.content import save
        from harness.plots.power import PowerCurves

        figure = PowerCurves()
        content = figure.of(rows, f"{study.name}: differences that {how.split(' (', maxsplit=1)[0]} find")
        for path in save(figure.render(content), content, to, "power"):
            click.echo(path, err=True)
