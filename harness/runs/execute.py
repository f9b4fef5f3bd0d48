"""Running a study: what is there, what is missing, and the missing runs on this machine's cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError
from harness.runs.store import RunFolder
from harness.runs.study import Run, Study


@dataclass(frozen=True)
class Planned:
    """A run and its folder. recorded: epochs in its last checkpoint (epoch 0 included), all of them when finished."""

    run: Run
    folder: RunFolder

    @property
    def finished(self) -> bool:
        return self.folder.finished

    @property
    def recorded(self) -> int:
        if self.finished:
            return self.run.epochs + 1
        return int((self.folder.progress() or {}).get("recorded", 0))

    @property
    def state(self) -> str:
        if self.finished:
            return "finished"
        return f"stopped after epoch {self.recorded - 1}" if self.recorded else "not begun"


@dataclass(frozen=True)
class Outcome:
    """How a run ended: error is None, or the sentence that says why it did not finish."""

    planned: Planned
    error: str | None


def study_folder(out: Path, study: Study) -> Path:
    return out / study.name


def plan(study: Study, out: Path) -> list[Planned]:
    """Every run of the study with its folder, in the order of execution."""
    root = study_folder(out, study)
    return [Planned(run, RunFolder(root, run.folder_name)) for run in study.runs]


def run_all(planned: list[Planned], device: str, jobs: int) -> Iterator[Outcome]:
    """Execute the unfinished runs, `jobs` at a time, yielding each as it ends. Finished runs are left alone."""
    from joblib import Parallel, delayed

    missing = [p for p in planned if not p.finished]
    if not missing:
        return
    if jobs == 1:
        for p in missing:
            yield Outcome(p, run_one(p, device))
        return
    tasks: list[Callable[[], tuple[int, str | None]]] = [
        delayed(numbered)(number, p, device) for number, p in enumerate(missing)
    ]
    workers = Parallel(n_jobs=min(jobs, len(missing)), backend="loky", return_as="generator_unordered")
    for number, error in workers(tasks):
        yield Outcome(missing[number], error)


def numbered(number: int, planned: Planned, device: str) -> tuple[int, str | None]:
    return number, run_one(planned, device)


def run_one(planned: Planned, device: str) -> str | None:
    """Execute one run on one thread (so that its bits do not depend on --jobs). Returns an error's sentence."""
    import torch

    from harness.core.arithmetic import arithmetic, one_thread
    from harness.runs.run import execute

    where = torch.device(device)
    with one_thread(), arithmetic("fp32", where):
        try:
            execute(planned.run, planned.folder, where)
        except HarnessError as error:
            return str(error)
    return None
