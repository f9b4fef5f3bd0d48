"""Runs that are there, as a notebook reads them, and what is asked of them: comparisons, gates, figures, reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from harness.core.arguments import check_names, check_path, check_text
from harness.core.errors import HarnessError, suggest_names
from harness.results.load import load_folder
from harness.results.provenance import label_machines
from harness.results.runs import Runs
from harness.runs.appearance import Appearance
from harness.runs.manifest import read_owner
from harness.runs.preregistration import Endpoint
from harness.runs.schema import TABLES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class LoadedRuns(Runs):
    """Runs as `harness.load` and `harness.run` give them: with what is asked of them at hand.

    Example:
        >>> import harness
        >>> runs = harness.load("results/published/ten-seeds")
        >>> runs
        <Runs ten-seeds: 40 runs; methods darts, sdarts-rs, sdarts-adv, r-darts-l2>
    """

    def compare(
        self, baseline: str | None = None, endpoint: str | None = None, measure: str | None = None
    ) -> pd.DataFrame:
        """One row a pair of methods: see `harness.compare`."""
        return compare(self, baseline=baseline, endpoint=endpoint, measure=measure)

    def plot(self, name: str = "trajectory", **options: Any) -> Any:
        """A figure: see `harness.plot`."""
        return plot(self, name, **options)

    def report(self, to: str | Path) -> Path:
        """Write one HTML page that opens offline; returns its path."""
        return report(self, to)


def hand_out(runs: Runs) -> LoadedRuns:
    """The same runs, for a notebook."""
    return LoadedRuns(**{each.name: getattr(runs, each.name) for each in fields(Runs)})


def load(*folders: str | Path) -> LoadedRuns:
    """Read finished runs, without the study file that made them.

    Args:
        folders: a study's folder of runs, one run's folder, or a folder of published or imported results; several are
            read as one, and then must be of one space and table.

    Returns:
        The runs.

    Raises:
        HarnessError: a folder holds no finished runs, or is damaged, or folders do not fit together.

    Example:
        >>> import harness
        >>> runs = harness.load("results/published/ten-seeds")
        >>> runs
        <Runs ten-seeds: 40 runs; methods darts, sdarts-rs, sdarts-adv, r-darts-l2>
        >>> runs.final()[["method", "n", "final_error_pct"]].head(2).round(2)
              method   n  final_error_pct
        0      darts  10            56.65
        1  sdarts-rs  10            53.48
    """
    if not folders:
        raise HarnessError("harness.load needs a folder of runs, such as results/runs/digits")
    found = [load_folder(check_path(folder, "folder")) for folder in folders]
    return hand_out(found[0] if len(found) == 1 else join_runs(found))


def join_runs(found: Sequence[Runs]) -> Runs:
    """Runs of several folders as one, each method by the name that it has there."""
    import pandas as pd

    first = found[0]
    folders = ", ".join(str(runs.folder) for runs in found)
    if len({runs.table.fingerprint if runs.table else None for runs in found}) > 1:
        raise HarnessError(f"the runs of {folders} were looked up in different tables")
    if len({runs.space.name if runs.space else None for runs in found}) > 1:
        raise HarnessError(f"the runs of {folders} searched different spaces: load them apart")
    frames: dict[str, Any] = {
        name: pd.concat([getattr(runs, name) for runs in found], ignore_index=True) for name in TABLES
    }
    keys = frames["epochs"][["method", "seed", "epoch"]]
    if keys.duplicated().any():
        twice = keys[keys.duplicated()].iloc[0]
        raise HarnessError(
            f"two of the folders hold a run of {twice['method']!r} with seed {twice['seed']}: load them apart"
        )
    varied = [runs for runs in found if runs.design and runs.design.varied]
    if varied:
        raise HarnessError(f"runs in {varied[0].folder} vary by a design ([randomness]): load them apart")
    manifests = [manifest for runs in found for manifest in runs.manifests]
    return replace(
        first,
        **frames,
        settings={method: each for runs in found for method, each in runs.settings.items()},
        machines=label_machines([read_owner(m) for m in manifests], manifests),
        ids={key: name for runs in found for key, name in runs.ids.items()},
        name=" and ".join(runs.name for runs in found),
        missing=sum(runs.missing for runs in found),
        standing="exploratory: runs of several folders are compared",
        manifests=manifests,
        figures=Appearance(),
    )


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
        HarnessError: there is nothing to compare, or no such method, endpoint or measure.

    Example:
        >>> import harness
        >>> pairs = harness.compare("results/published/ten-seeds", baseline="darts")
        >>> pairs[["method", "n", "shift", "p_holm", "state"]].round(2)
               method   n  shift  p_holm state
        0   sdarts-rs  10  -0.37    0.77  open
        1  sdarts-adv  10  -9.70    0.19  open
        2  r-darts-l2  10 ...
    """
    import pandas as pd

    from harness.tables.measure import Measure
    from harness.verdicts.compare import compare as compare_methods

    found = load_runs(source)
    if baseline is not None:
        check_text(baseline, "baseline", "'darts'")
    if endpoint is not None and check_text(endpoint, "endpoint", "'final'") not in get_args(Endpoint):
        raise HarnessError(f"there is no endpoint {endpoint!r}: {suggest_names(endpoint, get_args(Endpoint))}")
    changes: dict[str, Any] = {k: v for k, v in (("baseline", baseline), ("endpoint", endpoint)) if v is not None}
    changed = any(getattr(found.declared, key) != value for key, value in changes.items())
    if baseline is not None:
        changes["pairs"] = ()
    declared = found.declared.model_copy(update=changes)
    judge = None if measure is None else Measure.of(measure)
    ends = replace(found, declared=declared).endpoints(judge)
    changed |= judge is not None and judge != (found.table and found.table.test)
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

    Raises:
        HarnessError: there is no baseline, or none of its methods has runs; no such margin.

    Example:
        >>> from pathlib import Path
        >>> import harness
        >>> from harness.verdicts.baseline import write_baseline
        >>> before = harness.load("results/published/ten-seeds")
        >>> write_baseline(before, Path("baseline.parquet"))
        >>> set(harness.gate(before, "baseline.parquet", only="darts")["verdict"])
        {'stable: identical'}
    """
    import pandas as pd

    from harness.results.provenance import check_code
    from harness.verdicts.baseline import list_changes, read_baseline
    from harness.verdicts.gate import build_margins
    from harness.verdicts.gate import gate as check

    found = load_runs(source)
    check_code(found.manifests, found.name)
    baseline = read_baseline(check_path(against, "against"))
    names = check_names(only, "only", "['darts', 'error']")
    checks = check(found, baseline, build_margins(margins), names)
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

    Example:
        >>> import harness
        >>> parts = harness.ledger("results/published/cifar10-8-ledger")
        >>> parts[parts["method"] == "darts"].set_index("part")["share"].round(2).dropna().to_dict()
        {'weights': 0.01, 'logits': 0.0, 'order': 0.11, 'implementation': 0.0, 'together': 0.88}
    """
    import pandas as pd

    from harness.verdicts.ledger import compute_ledgers

    found = load_runs(source)
    made = compute_ledgers(found)
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

    Example:
        >>> import harness
        >>> tasks = ["results/published/ten-seeds", "results/published/digits-1shot1"]
        >>> harness.rank(*tasks)[["method", "tasks", "rank"]]
               method  tasks  rank
        0  sdarts-adv      2  1.00
        1   sdarts-rs      2  2.25
        2       darts      2  2.75
    """
    import pandas as pd

    from harness.verdicts.ranking import rank as rank_methods

    found = rank_methods([load_runs(source) for source in sources])
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

    Example:
        >>> import harness
        >>> figure = harness.plot("results/published/ten-seeds", "trajectory", methods=["darts", "sdarts-rs"])
        >>> figure.savefig("trajectory.svg")
    """
    from harness.plots.base import FIGURES
    from harness.plots.choose import choose_runs
    from harness.plots.content import save

    found = load_runs(source)
    figure = FIGURES.build(check_text(name, "name", "'trajectory'"), found.figures.of(name) | options)
    runs, look = choose_runs(found, methods=check_names(methods, "methods", "['darts', 'gdas']"), measure=measure)
    content = figure.content(runs, look)
    drawn: Figure = figure.render(content)
    if to is not None:
        save(drawn, content, check_path(to, "to"), name)
    return drawn


def report(source: Source, to: str | Path) -> Path:
    """Write one HTML page that opens offline: figures, comparisons, a checklist, every number.

    Args:
        source: runs, or a folder of them.
        to: the page's file.

    Returns:
        Its path.

    Raises:
        HarnessError: there are no finished runs, or the page cannot be written there.

    Example:
        >>> import harness
        >>> harness.report("results/published/ten-seeds", "page.html").name
        'page.html'
    """
    from harness.report.build import build

    return build(load_runs(source), check_path(to, "to"))
