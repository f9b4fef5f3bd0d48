"""Running studies from Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.runs import LoadedRuns, hand_out
from harness.core.arguments import check_count, check_path, check_text, spell_seeds, spell_settings
from harness.core.files import DEFAULT_OUT

if TYPE_CHECKING:
    import pandas as pd

    from harness.runs.study import Study


def plan(
    study: str | Path | Mapping[str, Any],
    *,
    seeds: str | int | Iterable[int] | None = None,
    settings: Mapping[str, Any] | Sequence[str] = (),
    out: str | Path = DEFAULT_OUT,
) -> pd.DataFrame:
    """The runs of a study and which are missing; runs nothing.

    Args:
        study: the path of a study file, or a mapping with the same keys.
        seeds: instead of the study's: "0..9", 3, range(10) or [0, 2, 5].
        settings: changes by key, {"training.batch_size": 32}, or as `--set` takes them, ["training.batch_size=32"].
        out: the folder of all studies' runs.

    Returns:
        One row a run: method, seed, state, folder.

    Raises:
        InvalidStudyError: the study cannot be run as it is written; the sentence says why.
        MissingDataError: its table or data set was not fetched yet.
        HarnessError: something else is in the way.

    Example:
        >>> import harness
        >>> study = {"name": "mine", "space": "nasbench201", "dataset": "digits100", "table": "nasbench201.digits",
        ...          "methods": ["darts", "sdarts-rs"], "seeds": "0..1", "epochs": 2}
        >>> harness.plan(study, settings={"supernet.channels": 4})[["method", "seed", "state"]]
              method  seed      state
        0      darts     0  not begun
        1  sdarts-rs     0  not begun
        2      darts     1  not begun
        3  sdarts-rs     1  not begun
    """
    import pandas as pd

    from harness.runs.prepare import prepare

    planned = prepare(resolve_study(study, settings, seeds), check_path(out, "out")).planned
    return pd.DataFrame(
        {"method": p.run.method_name, "seed": p.run.number, "state": p.state, "folder": str(p.folder.final)}
        for p in planned
    )


def run(
    study: str | Path | Mapping[str, Any],
    *,
    seeds: str | int | Iterable[int] | None = None,
    settings: Mapping[str, Any] | Sequence[str] = (),
    out: str | Path = DEFAULT_OUT,
    jobs: int | None = None,
    device: str = "auto",
) -> LoadedRuns:
    """Run what is missing of a study, and read all of it. One that declares `until_decided` is run until it is.

    Args:
        study: the path of a study file, or a mapping with the same keys.
        seeds: instead of the study's: "0..9", 3, range(10) or [0, 2, 5].
        settings: changes by key, {"training.batch_size": 32}, or as `--set` takes them, ["training.batch_size=32"].
        out: the folder of all studies' runs; runs that are finished there are kept, interrupted ones go on.
        jobs: runs at a time; one a core, if not said.
        device: "auto", "cpu", "cuda:N", "cuda:0..3" or "cuda:all".

    Returns:
        All of its finished runs.

    Raises:
        InvalidStudyError: the study cannot be run as it is written; the sentence says why.
        MissingDataError: its table or data set was not fetched yet.
        HarnessError: a run did not finish; the others are kept.

    Example:
        >>> import harness
        >>> study = {"name": "asks", "space": "nasbench201", "dataset": "digits100", "table": "nasbench201.digits",
        ...          "methods": ["random-search"], "epochs": 3}
        >>> runs = harness.run(study, seeds=[0, 1], jobs=1)
        >>> runs.final()["n"].tolist()
        [2]
    """
    from harness.results.load import load_study_runs
    from harness.runs.prepare import run_study
    from harness.verdicts.deciding import choose_way

    loaded, folder = resolve_study(study, settings, seeds), check_path(out, "out")
    count = None if jobs is None else check_count(jobs, "jobs")
    run_study(loaded, folder, check_text(device, "device", "'cuda:0'"), count, choose_way(loaded))
    return hand_out(load_study_runs(loaded, folder))


def resolve_study(study: Any, settings: Any, seeds: Any) -> Study:
    """The study of these arguments."""
    from harness.runs.study import load_study

    changes = spell_settings(settings, "settings")
    chosen = None if seeds is None else spell_seeds(seeds, "seeds")
    return load_study(study if isinstance(study, Mapping) else check_path(study, "study"), changes, chosen)
