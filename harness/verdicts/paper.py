"""The table of a paper: one row a method, one column a measure of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from harness.core.errors import HarnessError
from harness.results.endpoints import NO_VALUE, NO_VALUE_AT_ALL, Endpoints
from harness.results.runs import Runs
from harness.runs.preregistration import Declared
from harness.stats.intervals import estimate_median
from harness.tables.measure import Measure
from harness.tables.table import Table
from harness.verdicts.claims.protocol import complete_configuration
from harness.verdicts.compare import compare, describe_left_out

Statistic = Literal["mean", "median"]
BETTER, WORSE = "*", "†"
UNKNOWN = "-"


def build_paper_table(
    runs: Runs, measures: Sequence[Measure] = (), statistic: Statistic = "mean"
) -> tuple[list[dict[str, Any]], str]:
    """Accuracy in % of what every method derived, in every measure, with the table's optimum and random median.

    Args:
        found: finished runs with how they are to be compared.
        measures: the columns; if none are named, those for validation and test at the schedule of the table's test.
        statistic: "mean" gives mean ± standard deviation over seeds (divisor n - 1); "median" the median with its
            exact interval over seeds, at the declared level.

    Returns:
        The rows, and what stands under the table: what the numbers are, and what the marks mean. A method is marked
        where the comparison that was declared finds it better or worse than the baseline: in the table's test, and
        only where it stands as it was declared.

    Raises:
        HarnessError: there is no table, a measure that it does not hold, an endpoint that is no architecture's, or runs
            share what they draw.
    """
    declared, table = runs.declared, runs.table
    if table is None:
        raise HarnessError("these runs have no table, so there are no accuracies to print: name one in the study")
    if declared.endpoint == "area":
        raise HarnessError("the endpoint 'area' is no architecture's: take another one, comparison.endpoint=final")
    chosen = [table.find_measure(measure) for measure in measures] or list_default_measures(table)
    methods = runs.methods
    ends = {measure: compute_known_endpoints(runs, measure) for measure in chosen}
    for each in filter(None, ends.values()):
        each.refuse_shared()
    marks = mark_methods(ends[table.test], declared) if runs.is_declared and ends.get(table.test) else {}
    names = label_measures(chosen)
    rows: list[dict[str, Any]] = []
    for method in methods:
        seeds = runs.epochs[runs.epochs["method"] == method]["seed"].nunique()
        row: dict[str, Any] = {"method": runs.figures.labels.get(method, method), "n": int(seeds)}
        for measure in chosen:
            told = format_cell(ends[measure], declared, method, statistic, seeds)
            row[names[measure]] = told + (marks.get(method, "") if measure == table.test else "")
        rows.append(row)
    best = {names[m]: f"{runs.scale.value_of(runs.reference_errors(m)[0]):.2f}" for m in chosen if table.knows_all(m)}
    if best:
        rows.append({"method": "best in the table", "n": None} | {names[m]: UNKNOWN for m in chosen} | best)
    middle = {names[m]: f"{runs.scale.value_of(runs.reference_errors(m)[1]):.2f}" for m in chosen if table.knows_all(m)}
    rows.append({"method": "random (median)", "n": None} | {names[m]: UNKNOWN for m in chosen} | middle)
    under = write_caption(runs, statistic, methods)
    parts = [names[m] for m in chosen if not table.knows_all(m)]
    if parts:
        under += (
            f" The table knows {', '.join(parts)} of a part of its cells alone, so best and median are not told there."
        )
    left_out = dict.fromkeys(run for e in ends.values() if e for m in methods for run in e.absent(m, declared.endpoint))
    without = (NO_VALUE, NO_VALUE_AT_ALL)
    named = [run._replace(method=runs.figures.labels.get(run.method, run.method)) for run in left_out]
    if short := [run for run in named if run.why not in without]:
        under += f" Without {describe_left_out(short)}."
    if any(run.why in without for run in left_out):
        under += (
            " (k of n): the table knows what k of n runs derived; which these are depends on what a method derives, so "
            "that they are no random part of its runs."
        )
    if any(UNKNOWN in (row[names[m]]) for row in rows[: len(methods)] for m in chosen):
        under += f" {UNKNOWN}: the table has no value there of any architecture that the method derived."
    return rows, under


def compute_known_endpoints(runs: Runs, measure: Measure) -> Endpoints | None:
    """The endpoints in a measure; None where no run has a value there."""
    try:
        return runs.endpoints(measure)
    except HarnessError:
        return None


def list_default_measures(table: Table) -> list[Measure]:
    """Every measure for validation or test at the schedule of the table's test."""
    return [m for m in table.measures if m.epochs == table.test.epochs and table.role(m) not in ("train", "unknown")]


def label_measures(measures: Sequence[Measure]) -> dict[Measure, str]:
    """Short headings that a line may break; the schedule is said where there is more than one."""
    one = len({m.epochs for m in measures}) == 1
    return {m: f"{m.dataset} {m.split}" + ("" if one else f" @{m.epochs}") for m in measures}


def format_cell(found: Endpoints | None, declared: Declared, method: str, statistic: Statistic, seeds: int) -> str:
    """One number of the table, with how many of the method's runs have one where some have none."""
    accuracy = found.scale.value_of(found.values(method, declared.endpoint)) if found else np.array([])
    if not len(accuracy):
        return UNKNOWN
    some = f" ({len(accuracy)} of {seeds})" if len(accuracy) < seeds else ""
    if statistic == "mean":
        spread = f" ± {accuracy.std(ddof=1):.2f}" if len(accuracy) > 1 else ""
        return f"{accuracy.mean():.2f}{spread}{some}"
    middle, low, high = estimate_median(accuracy, declared.level)
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]{some}"


def mark_methods(found: Endpoints | None, declared: Declared) -> dict[str, str]:
    """The mark of each method that differs from its baseline; none where nothing can be compared."""
    if found is None:
        return {}
    try:
        pairs = compare(found, declared)
    except HarnessError:
        return {}
    return {p.new: BETTER if p.state == "lower" else WORSE for p in pairs if p.state in ("lower", "higher")}


def describe_protocol(runs: Runs) -> str:
    """What was searched on, how it was split and for how long, and of which trainings the table's test is the mean."""
    searches: dict[str, None] = {}
    for manifest in runs.manifests:
        if "configuration" in manifest:
            said = complete_configuration(manifest["configuration"])
            split = f", split {said['dataset']['split']!r}" if "split" in said["dataset"] else ""
            searches[f"{said['dataset']['name']}{split}, {said['epochs']} epochs"] = None
    table = runs.table
    assert table is not None
    seeds = table.seeds(table.test)
    trials = f"trials {', '.join(map(str, seeds))}" if seeds else "published means"
    on = "; ".join(searches) or "what their logs do not say"
    return f"Searched on {on}; judged by {table.test}, {trials}."


def write_caption(runs: Runs, statistic: Statistic, methods: Sequence[str]) -> str:
    declared, table = runs.declared, runs.table
    assert table is not None
    chosen = {
        "final": "derived after the last epoch",
        "selected": "derived at the epoch of the best supernet accuracy",
        "oracle": "of the best epoch in hindsight, no result of a search",
        "area": "",
    }[declared.endpoint]
    how = (
        "mean ± standard deviation over seeds"
        if statistic == "mean"
        else f"median [exact {100 * (1 - declared.level):.0f} % interval over seeds]"
    )
    mean = "each of the mean over the table's trials"
    told = f"{table.scale.heading}, table {table.name}, architecture {chosen}: {how}, {mean}. {describe_protocol(runs)}"
    if not runs.is_declared:
        return f"{told} No marks: the comparison is {runs.standing}."
    first = declared.baseline or methods[0]
    base = runs.figures.labels.get(first, first)
    return (
        f"{told} {BETTER} better, {WORSE} worse than {base} in {table.test} (exact test, Holm over the methods, level "
        f"{declared.level:g}). No mark is no proof of equality."
    )
