"""Running a study: what is there, what is missing, and the missing runs on an executor."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.runs.executors.base import EXECUTORS, Executor
from harness.runs.store import RunFolder, RunNames, scan_folder
from harness.runs.study import Run, Study
from harness.runs.units import group_units
from harness.runs.work import Task

DEFAULT_EXECUTOR = "local"
"""Where no executor is named."""
GO_ON = "the same command goes on"
ATTEMPTS = 3
"""A run whose worker is lost is begun again twice."""
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Standing:
    """How far a run is. recorded: epochs in its last checkpoint (epoch 0 included), all of them when finished.
    progress: what a run that is begun tells."""

    finished: bool
    recorded: int
    words: str
    progress: dict[str, Any] | None = None


@dataclass(frozen=True)
class Planned(Task):
    """A run and its folder."""

    run: Run
    folder: RunFolder

    @property
    def finished(self) -> bool:
        return self.folder.finished

    @property
    def recorded(self) -> int:
        return self.standing().recorded

    @property
    def state(self) -> str:
        return self.standing().words

    def standing(self, seen: RunNames | None = None) -> Standing:
        """How far it is. seen: what a look at the study's folder found, so that what is there is not asked again."""
        name = self.folder.final.name
        if self.finished if seen is None else name in seen.finished:
            return Standing(True, self.run.epochs + 1, "finished")
        if not self.folder.running.is_dir() if seen is None else name not in seen.running:
            return Standing(False, 0, "not begun")
        progress = self.folder.progress()
        recorded = int((progress or {}).get("recorded", 0))
        return Standing(False, recorded, self._unfinished(recorded), progress)

    def _unfinished(self, recorded: int) -> str:
        """What is to be said of a run that is begun."""
        lease = self.folder.lease()
        if holder := lease.holder():
            return f"running, epoch {min(recorded, self.run.epochs)} of {self.run.epochs}, {holder}"
        told = ["failed, see error.txt"] if self.folder.error_file.exists() else []
        told += ["its lease is damaged, and holds nothing"] if lease.damaged else []
        told += [f"interrupted after epoch {recorded - 1}; {GO_ON}" if recorded else "not begun"]
        return "; ".join(told)


@dataclass(frozen=True)
class Outcome:
    """How a run ended: error is None, or the sentence that says why it did not finish. elsewhere: another process
    finished it."""

    planned: Planned
    error: str | None
    elsewhere: bool = False


def locate_study_folder(out: Path, study: Study) -> Path:
    return out / study.name


def plan(study: Study, out: Path) -> list[Planned]:
    """Every run of the study with its folder, in the order of execution."""
    root = locate_study_folder(out, study)
    return [Planned(run, RunFolder(root, run.folder_name)) for run in study.runs]


def survey(planned: Sequence[Planned]) -> list[Standing]:
    """How far each run is, by one look at each study's folder; the runs that are begun alone are opened."""
    seen = {root: scan_folder(root) for root in {p.folder.final.parent for p in planned}}
    return [p.standing(seen[p.folder.final.parent]) for p in planned]


def find_damaged(planned: Sequence[Planned]) -> dict[str, str]:
    """What is wrong with finished runs: a sentence by the name of the run's folder."""
    found = {
        p.folder.final.name: p.folder.damage() for p, s in zip(planned, survey(planned), strict=True) if s.finished
    }
    return {name: str(damage[0]) for name, damage in found.items() if damage}


def run_all(
    planned: Sequence[Planned],
    device: str | Sequence[str],
    jobs: int,
    executor: Executor | None = None,
    *,
    wait: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[Outcome]:
    """Execute the unfinished runs, `jobs` at a time, yielding each as it ends. Finished runs are left alone.

    device: one, or one for each job at a time. A run that another process holds is left to it: with `wait` it is waited
    for, and taken over when its holder dies. A run whose worker was lost is tried again, twice. say: told what goes on.
    """
    executor = executor or EXECUTORS.build(DEFAULT_EXECUTOR, {})
    for p in planned:
        if p.finished and not p.folder.tidied:
            p.folder.tidy()
    places = [device] * jobs if isinstance(device, str) else list(device)
    left = [p for p, s in zip(planned, survey(planned), strict=True) if not s.finished]
    lost: Counter[str] = Counter()
    while left:
        again: list[Planned] = []
        held: list[Planned] = []
        # a run that took its worker with it is not computed in this process, where one place alone would put it
        chosen = group_units(left, len(places))
        for p, ended in executor.run(chosen, places[: max(len(chosen), 2 if lost.total() else 1)]):
            who = f"{p.run.method_name} seed {p.run.number}"
            lost[p.run.folder_name] += ended.state == "lost"
            if ended.state == "finished" or p.finished:
                yield Outcome(p, None)
            elif ended.state == "held":
                say(f"{who} is left alone: {ended.words}")
                held.append(p)
            elif ended.state == "lost" and lost[p.run.folder_name] < ATTEMPTS:
                say(f"{who} lost its worker and will be begun again from its last epoch: {ended.words}")
                again.append(p)
            elif ended.state == "lost":
                yield Outcome(p, f"its worker was lost {ATTEMPTS} times, the last words: {ended.words}")
            else:
                yield Outcome(p, ended.words)
        if not wait:
            yield from (Outcome(p, "another process is computing it", elsewhere=True) for p in held if not p.finished)
            held = [p for p in held if p.finished]
        if held and not again:
            wait_for_one(held)
        yield from (Outcome(p, None, elsewhere=True) for p in held if p.finished)
        left = again + [p for p in held if not p.finished]


def wait_for_one(held: Sequence[Planned]) -> None:
    """Until one of the runs is finished or nobody holds it any more."""
    while not any(p.finished or p.folder.lease().holder() is None for p in held):
        time.sleep(POLL_SECONDS)
