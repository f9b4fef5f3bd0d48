"""The one way to run a study: check it, keep what it declares, and say what is left to run.

The command line, `harness.run` and the pytest plugin differ in what they tell of it, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.runs.check import check_study
from harness.runs.code import digest_code, find_changed_code
from harness.runs.execute import (
    DEFAULT_EXECUTOR,
    Outcome,
    Planned,
    Standing,
    find_damaged,
    locate_study_folder,
    plan,
    run_all,
    survey,
)
from harness.runs.executors.base import EXECUTORS, Executor
from harness.runs.preregistration import declare
from harness.runs.study import Study

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """A study that has been checked. planned: all of its runs; standings: how far each was when it was looked at."""

    study: Study
    out: Path
    planned: list[Planned]
    standings: list[Standing]
    executor: Executor

    @property
    def missing(self) -> list[Planned]:
        """The runs that are not finished."""
        return [p for p, s in zip(self.planned, self.standings, strict=True) if not s.finished]

    def begin(
        self,
        places: Sequence[str],
        *,
        recompute_damaged: bool = False,
        again: bool = False,
        say: Say = lambda line: None,
    ) -> Prepared:
        """Make ready to run on these devices: nothing damaged may be among what is finished, and what the study
        declares is kept before its first run.

        Args:
            places: the device of each run that is computed at a time.
            recompute_damaged: move damaged runs aside, so that they are computed again.
            again: the same of runs that other code has computed or begun.
            say: told of each run that is moved.

        Returns:
            The study as it stands now.

        Raises:
            HarnessError: a finished run is damaged, or the executor cannot compute a run there.
        """
        set_damaged_aside(self.planned, recompute_damaged, say)
        if again:
            set_other_code_aside(self.planned, say)
        self.executor.check([p.run for p in self.planned], places)
        begun = any(s.recorded for s in self.standings)
        declare(locate_study_folder(self.out, self.study), self.study.file.comparison, self.study.ids, begun=begun)
        return replace(self, standings=survey(self.planned))

    def run(self, places: Sequence[str], *, wait: bool = True, say: Say = lambda line: None) -> Iterator[Outcome]:
        """Run what is missing, yielding each as it ends."""
        return run_all(self.planned, places, len(places), self.executor, wait=wait, say=say)


def prepare(study: Study, out: Path, executor: Executor | None = None) -> Prepared:
    """Plan a study and check what is missing of it: data, batches, networks, table.

    Raises:
        HarnessError: it cannot be run; the sentence says why.
    """
    planned = plan(study, out)
    prepared = Prepared(study, out, planned, survey(planned), executor or EXECUTORS.build(DEFAULT_EXECUTOR, {}))
    check_study(study, [p.run for p in prepared.missing])
    return prepared


Way = Callable[..., Iterator[Any]]
"""How a study that has begun is run on some places: it yields an outcome a run, and may yield what else there is to
tell."""


def run_study(study: Study, out: Path, device: str = "auto", jobs: int | None = None, way: Way = Prepared.run) -> None:
    """Run what is missing of a study to its end.

    Args:
        study: what is run.
        out: the folder of all studies' runs.
        device: "auto", "cpu", "cuda:N", "cuda:0..3" or "cuda:all".
        jobs: runs at a time; one a core, if not said.
        way: how it is run: all that is missing, if not said.

    Raises:
        HarnessError: the study cannot be run, or a run did not finish; the others are kept.
    """
    prepared = prepare(study, out)
    places = prepared.executor.places(device, jobs, None)
    failed = [o.error for o in way(prepared.begin(places), places) if isinstance(o, Outcome) and o.error]
    if failed:
        raise HarnessError(f"{len(failed)} runs of {study.name} did not finish; the first says: {failed[0]}")


def set_damaged_aside(planned: Sequence[Planned], recompute: bool, say: Say) -> None:
    """Move damaged runs aside so that they are computed again, or end with what is wrong with them."""
    found = find_damaged(planned)
    if found and not recompute:
        raise HarnessError(f"{len(found)} of the finished runs are damaged; the first: {next(iter(found.values()))}")
    for p in planned:
        if p.run.folder_name in found:
            say(f"{found[p.run.folder_name]}; it is kept in {p.folder.set_aside()}")


def set_other_code_aside(planned: Sequence[Planned], say: Say) -> None:
    """Move the runs aside that other code has computed or begun, so that they are computed again."""
    for p in planned:
        begun = not p.finished and p.folder.running.is_dir() and p.folder.begun_by_other(digest_code(p.run.describe()))
        if begun or (p.finished and find_changed_code(p.folder.manifest())):
            say(f"{p.run.folder_name} is of other code; it is kept in {p.folder.set_aside('.other-code')}")
