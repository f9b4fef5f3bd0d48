"""The numbers that the page's chart shows."""

from __future__ import annotations

import math
from typing import Any

from harness.core.text import keep_exact
from harness.plots.look import FigureLook
from harness.results.runs import Runs
from harness.tables.measure import Measure

DIGITS = 4
Values = dict[str, list[list[Any]]]
"""What is known of an architecture: [trial, accuracy in %] by measure."""


def build_payload(found: Runs, look: FigureLook) -> dict[str, Any]:
    """label, unit, reference, methods (color, dash), architectures (encoding, table values by measure), and runs:
    epochs, seconds, error (null: missing, as everywhere), architecture (an index)."""
    from matplotlib.colors import to_hex

    scale = found.scale
    rows = found.rows()
    places = {a: i for i, a in enumerate(rows["architecture"].unique())}
    methods = list(rows["method"].unique())
    table = found.table
    known = collect_values(found)
    runs = []
    for (method, _), run in rows.sort_values("epoch").groupby(["method", "seed"], sort=False):
        runs.append(
            {
                "method": method,
                "seed": keep_exact(int(run["seed"].iloc[0])),
                "epochs": run["epoch"].tolist(),
                "seconds": [round_value(s) for s in run["seconds"]],
                "error": [round_value(e) for e in run["error_pct"]],
                "architecture": [places[a] for a in run["architecture"]],
            }
        )
    return {
        "label": f"supernet {scale.error}" if table is None else f"{scale.error}, {table.test}",
        "unit": f" {scale.unit}" if scale.unit else "",
        "reference": {} if table is None else {k: round(v, DIGITS) for k, v in table.references(table.test).items()},
        "methods": {m: {"color": to_hex(look[m].color), "dash": format_dashes(look[m].dash)} for m in methods},
        "architectures": [{"encoding": a, "values": known.get(a, {})} for a in places],
        "runs": runs,
    }


def collect_values(runs: Runs) -> dict[str, Values]:
    """What was looked up of each architecture. Of the rows, since a table that trains what it is asked for is not to be
    asked again."""
    if runs.table is None or runs.lookups.empty:
        return {}
    cells = runs.epochs[["method", "seed", "epoch", "architecture"]]
    column = ["dataset", "split", "table_epochs", "trial"]
    rows = runs.lookups.merge(cells, on=["method", "seed", "epoch"]).drop_duplicates(["architecture", *column])
    found: dict[str, Values] = {}
    for encoding, dataset, split, epochs, trial, value in rows[["architecture", *column, runs.scale.column]].itertuples(
        index=False
    ):
        measures = found.setdefault(encoding, {})
        measures.setdefault(str(Measure(dataset, split, int(epochs))), []).append([str(trial), round_value(value)])
    return found


def round_value(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), DIGITS)


def format_dashes(dash: Any) -> str:
    """A matplotlib dash as SVG writes it."""
    return "" if isinstance(dash, str) else " ".join(str(3 * d) for d in dash[1])
