"""What is asked of runs: comparisons, gates, figures, reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from harness.api.loaded import Runs, load, measure_of
from harness.core.arguments import check_names, check_path, check_text
from harness.core.errors import HarnessError, suggest_names
from harness.runs.preregistration import Endpoint

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Source = Runs | str | Path
"""Runs, or a folder that `load` reads."""


def load_runs(source: Source) -> Runs:
    return source if isinstance(source, Runs) else load(check_path(source, "source"))


def compare(
    source: Source, *, baseline: str | None = None, endpoint: str | None = None, measure: str | None = None
) -> pd.DataFrame:
    """Compare methods with a baseline: one shift with its interval and exact test, effect size, a sentence.

    Args:
        source: runs, or a folder of them.
        baseline: the method that all others are compared with; what the study declared, if not said.
        endpoint: "final", "selected", "oracle" or "area"; what the study declared, if not said.
        measure: "dataset/split@epochs" of the table; its test, if not said.

    Returns:
        One row a pair, one number a column; `verdict` is the sentence, `attrs["standing"]` says whether the comparison
        was declared before the first run.

    Raises:
        HarnessError: there is nothing to compare, or no such method or endpoint.
    """
    import pandas as pd

    from harness.results.endpoints import compute_endpoints
    from harness.verdicts.compare import compare as compare_methods

    found = load_runs(source).found
    if baseline is not None:
        check_text(baseline, "baseline", "'darts'")
    if endpoint is not None and check_text(endpoint, "endpoint", "'final'") not in get_args(Endpoint):
        raise HarnessError(f"there is no endpoint {endpoint!r}: {suggest_names(endpoint, get_args(Endpoint))}")
    changes: dict[str, Any] = {k: v for k, v in (("baseline", baseline), ("primary", endpoint)) if v is not None}
    changed = any(getattr(found.declared, key) != value for key, value in changes.items())
    if baseline is not None:
        changes["pairs"] = ()
    declared = found.declared.model_copy(update=changes)
    ends = compute_endpoints(found.results, declared, measure_of(measure))
    changed |= measure is not None and measure_of(measure) != (found.results.table and found.results.table.test)
    frame = pd.DataFrame([p.numbers() for p in compare_methods(ends, declared)])
    frame.attrs["standing"] = "exploratory: not what was declared" if changed else found.standing
    return frame


def gate(source: Source, against: str | Path, *, only: str | Sequence[str] = (), **margins: float) -> pd.DataFrame:
    """Whether runs moved from those of a baseline file beyond margins: one row a quantity of each method.

    Args:
        source: runs, or a folder of them.
        against: a baseline that `harness gate STUDY --write` wrote.
        only: these methods and quantities alone, such as ["darts", "error"]; all of them, if not said.
        margins: error, failure, onset, eigenvalue, level, as `harness gate --help` explains them.

    Returns:
        The checks; `attrs["changes"]` says what differs in the configuration and in what the runs were made with.
    """
    import pandas as pd

    from harness.results.provenance import check_code
    from harness.verdicts.baseline import list_changes, read_baseline
    from harness.verdicts.gate import build_margins
    from harness.verdicts.gate import gate as check

    found = load_runs(source).found
    check_code(found.manifests, found.name)
    baseline = read_baseline(check_path(against, "against"))
    names = check_names(only, "only", "['darts', 'error']")
    checks = check(found.results, baseline, build_margins(margins), found.declared, names)
    frame = pd.DataFrame([c.numbers() for c in checks])
    frame.attrs["changes"] = list_changes(found.manifests, baseline)
    return frame


def ledger(source: Source) -> pd.DataFrame:
    """What the spread of each method is made of, of a study that varies kinds of random draws by themselves.

    Args:
        source: runs, or a folder of them.

    Returns:
        One row a part of each method, variances in squares of the errors' unit, with the ends of their intervals;
        `attrs["verdicts"]` has a sentence a method.

    Raises:
        HarnessError: nothing varies by itself, or a run of the design has no value.
    """
    import pandas as pd

    from harness.verdicts.ledger import compute_ledgers

    found = load_runs(source).found
    made = compute_ledgers(found.results, found.declared)
    frame = pd.DataFrame([row for each in made for row in each.numbers()])
    frame.attrs["verdicts"] = [each.verdict for each in made]
    return frame


def rank(*sources: Source) -> pd.DataFrame:
    """Rank methods over several tasks, each of which is a block.

    Args:
        sources: runs of each task, or folders of them.

    Returns:
        One row a method, with its mean rank (1 is best), the ends of its interval, and those that it is not told apart
        from; `attrs["verdict"]` is the sentence.

    Raises:
        HarnessError: there are fewer than two tasks, or fewer than three methods that all have.
    """
    import pandas as pd

    from harness.verdicts.ranking import rank as rank_methods

    found = rank_methods([load_runs(source).found for source in sources])
    frame = pd.DataFrame([each.numbers() for each in found.methods])
    frame.attrs["verdict"] = found.verdict
    return frame


def plot(
    source: Source,
    name: str = "trajectory",
    *,
    methods: str | Sequence[str] = (),
    measure: str | None = None,
    to: str | Path | None = None,
    **options: Any,
) -> Figure:
    """Draw a figure of runs; a notebook shows what is returned.

    Args:
        source: runs, or a folder of them.
        name: one of `harness list figures`.
        methods: these methods alone, in this order; all of them, if not said.
        measure: "dataset/split@epochs" of the table; its test, if not said.
        to: a folder to write SVG, PNG, PDF and the drawn numbers to.
        options: fields of the figure: width and height in inches, title, and its own.

    Returns:
        A matplotlib figure.

    Raises:
        HarnessError: there is no such figure or method, or the runs have no numbers for it.
    """
    from harness.plots.base import FIGURES
    from harness.plots.content import save
    from harness.plots.source import PlotSource as Drawn

    found = load_runs(source).found
    figure = FIGURES.build(check_text(name, "name", "'trajectory'"), found.figures.of(name) | options)
    chosen = check_names(methods, "methods", "['darts', 'gdas']")
    judge = measure_of(measure)
    content = figure.content(
        Drawn.of(found.results, found.declared, found.figures, found.manifests, methods=chosen, measure=judge)
    )
    drawn: Figure = figure.render(content)
    if to is not None:
        save(drawn, content, check_path(to, "to"), name)
    return drawn


def report(source: Source, to: str | Path) -> Path:
    """Write one HTML page, which opens offline. Returns its path."""
    from harness.report.build import build

    return build(load_runs(source).found, check_path(to, "to"))
