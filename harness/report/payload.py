"""The numbers that the page's chart shows."""

from __future__ import annotations

import math
from typing import Any

from harness.plots.source import Source
from harness.results.frames import Results

DIGITS = 4


def payload(source: Source) -> dict[str, Any]:
    """label, reference, methods (colour, dash), architectures (encoding, table values by measure), and runs: epochs,
    seconds, error in % (null: missing, as everywhere), architecture (an index)."""
    from matplotlib.colors import to_hex

    results, look = source.results, source.look
    rows = results.rows()
    places = {a: i for i, a in enumerate(rows["architecture"].unique())}
    methods = list(rows["method"].unique())
    table = results.table
    runs = []
    for (method, _), run in rows.sort_values("epoch").groupby(["method", "seed"], sort=False):
        runs.append(
            {
                "method": method,
                "seed": int(run["seed"].iloc[0]),
                "epochs": run["epoch"].tolist(),
                "seconds": [rounded(s) for s in run["seconds"]],
                "error": [rounded(e) for e in run["error_pct"]],
                "architecture": [places[a] for a in run["architecture"]],
            }
        )
    return {
        "label": "supernet error" if table is None else f"error, {table.test}",
        "reference": {} if table is None else {k: round(v, DIGITS) for k, v in table.references(table.test).items()},
        "methods": {m: {"colour": to_hex(look[m].colour), "dash": dashes(look[m].dash)} for m in methods},
        "architectures": [{"encoding": a, "values": values(results, a)} for a in places],
        "runs": runs,
    }


def values(results: Results, encoding: str) -> dict[str, list[list[Any]]]:
    """What the table holds of an architecture: [trial, accuracy in %] by measure."""
    if results.table is None:
        return {}
    found: dict[str, list[list[Any]]] = {}
    for column, value in results.table.all_values(results.table.space.parse(encoding)):
        found.setdefault(str(column.measure), []).append([str(column.trial), rounded(value)])
    return found


def rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), DIGITS)


def dashes(dash: Any) -> str:
    """A matplotlib dash as SVG writes it."""
    return "" if isinstance(dash, str) else " ".join(str(3 * d) for d in dash[1])
