"""The table of a paper: one row a method, one column a measure of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from harness.core.errors import HarnessError
from harness.core.seeds import derive_seed
from harness.results.endpoints import Endpoints, endpoints
from harness.results.frames import Results
from harness.runs.preregistration import Declared
from harness.stats.intervals import median, single
from harness.tables.measure import Measure
from harness.tables.table import Table
from harness.verdicts.compare import compare

Statistic = Literal["mean", "median"]
BETTER, WORSE = "*", "†"
UNKNOWN = "-"


def paper_table(
    results: Results, declared: Declared, measures: Sequence[Measure] = (), statistic: Statistic = "mean"
) -> tuple[list[dict[str, Any]], str]:
    """Accuracy in % of what every method derived, in every measure, with the table's optimum and random median.

    Args:
        measures: the columns; if none are named, those for validation and test at the schedule of the table's test.
        statistic: "mean" gives mean ± standard deviation over seeds (divisor n - 1); "median" the median with its
            bootstrap interval over seeds and trials, at the declared level.

    Returns:
        The rows, and what stands under the table: what the numbers are, and what the marks mean. A method is marked
        where the declared test (exact, Holm over the methods of its column) finds it better or worse than the baseline.

    Raises:
        HarnessError: there is no table, a measure that it does not hold, or an endpoint that is no architecture's.
    """
    table = results.table
    if table is None:
        raise HarnessError("these runs have no table, so there are no accuracies to print: name one in the study")
    if declared.primary == "area":
        raise HarnessError("the endpoint 'area' is no architecture's: --set comparison.primary=final")
    chosen = list(measures) or default_measures(table)
    for measure in chosen:
        if measure not in table.measures:
            raise HarnessError(f"table {table.name} has no {measure}: it has {', '.join(map(str, table.measures))}")
    methods = list(results.epochs["method"].unique())
    columns = {measure: column(results, declared, measure, methods, statistic) for measure in chosen}
    seeds = results.epochs.groupby("method")["seed"].nunique()
    names = labels(chosen)
    rows: list[dict[str, Any]] = [
        {"method": m, "n": int(seeds[m])} | {names[c]: columns[c][m] for c in chosen} for m in methods
    ]
    if table.complete:
        best = {names[c]: f"{results.scale.value_of(results.levels(c)[0]):.2f}" for c in chosen}
        rows.append({"method": "best in the table", "n": None} | best)
    middle = {names[c]: f"{results.scale.value_of(results.levels(c)[1]):.2f}" for c in chosen}
    rows.append({"method": "random (median)", "n": None} | middle)
    under = caption(table, declared, statistic, methods)
    if any(columns[c][m].rstrip(BETTER + WORSE) == UNKNOWN for c in chosen for m in methods):
        under += f" {UNKNOWN}: the table has no value there of any architecture that the method derived."
    return rows, under


def default_measures(table: Table) -> list[Measure]:
    """Every measure for validation or test at the schedule of the table's test."""
    return [m for m in table.measures if m.epochs == table.test.epochs and table.role(m) not in ("train", "unknown")]


def labels(measures: Sequence[Measure]) -> dict[Measure, str]:
    """Short headings that a line may break; the schedule is said where there is more than one."""
    one = len({m.epochs for m in measures}) == 1
    return {m: f"{m.dataset} {m.split}" + ("" if one else f" @{m.epochs}") for m in measures}


def column(
    results: Results, declared: Declared, measure: Measure, methods: Sequence[str], statistic: Statistic
) -> dict[str, str]:
    """The cell of each method."""
    try:
        found = endpoints(results, declared, measure)
    except HarnessError:  # nothing that was derived has a value in this measure
        return dict.fromkeys(methods, UNKNOWN)
    marks = marked(found, declared)
    return {m: cell(found, declared, m, statistic) + marks.get(m, "") for m in methods}


def cell(found: Endpoints, declared: Declared, method: str, statistic: Statistic) -> str:
    accuracy = found.scale.value_of(found.values(method, declared.primary))
    known = accuracy[~np.isnan(accuracy)]
    some = f" ({len(known)} of {len(accuracy)})" if len(known) < len(accuracy) else ""
    if not len(known):
        return UNKNOWN
    if statistic == "mean":
        spread = f" ± {known.std(ddof=1):.2f}" if len(known) > 1 else ""
        return f"{known.mean():.2f}{spread}{some}"
    if some:
        return f"{np.median(known):.2f}{some}"
    (codes,), trials = found.coded((method,), declared.primary)
    rng = np.random.default_rng(derive_seed("paper", method, declared.primary))
    error = single(codes, trials, median, rng, level=declared.level)
    estimate, *ends = (found.scale.value_of(e) for e in (error.estimate, error.low, error.high))
    return f"{estimate:.2f} [{min(ends):.2f}, {max(ends):.2f}]"


def marked(found: Endpoints, declared: Declared) -> dict[str, str]:
    """The mark of each method that differs from its baseline; none where nothing can be compared."""
    try:
        pairs = compare(found, declared)
    except (HarnessError, ValueError):
        return {}
    shown = [p for p in pairs if p.p_holm <= p.level]
    return {p.new: BETTER if p.improvement > 0.5 else WORSE for p in shown}


def caption(table: Table, declared: Declared, statistic: Statistic, methods: Sequence[str]) -> str:
    chosen = {
        "final": "derived after the last epoch",
        "selected": "derived at the epoch of the best supernet accuracy",
        "oracle": "of the best epoch in hindsight, no result of a search",
        "area": "",
    }[declared.primary]
    how = (
        "mean ± standard deviation over seeds"
        if statistic == "mean"
        else f"median [{100 * (1 - declared.level):.0f} % interval over seeds and trials]"
    )
    base = declared.baseline or methods[0]
    return (
        f"{table.scale.heading}, table {table.name}, architecture {chosen}: {how}, each of the mean over the table's "
        "trials. "
        f"{BETTER} better, {WORSE} worse than {base} (exact test, Holm over the methods of a column, level "
        f"{declared.level:g}). No mark is no proof of equality."
    )
