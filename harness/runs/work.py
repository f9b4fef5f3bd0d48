"""Runs as tasks for any process, here or far away: they never raise, they say how each run ended."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from harness.core.errors import HarnessError
from harness.core.lazy import torch
from harness.runs.lease import Held
from harness.runs.store import RunFolder
from harness.runs.study import Run

if TYPE_CHECKING:
    from harness.search.together import Seat

State = Literal["finished", "failed", "held", "lost"]


@dataclass(frozen=True)
class Ended:
    """How an attempt at a run ended. words: why it failed, who holds it, or what is known of a lost worker's end."""

    state: State
    words: str | None = None


@dataclass(frozen=True)
class Task:
    """A run, and the folder that it is kept in."""

    run: Run
    folder: RunFolder


def execute_task(tasks: Sequence[Task], device: str) -> list[Ended]:
    """Execute the runs of a unit (see `group_units`): side by side, where they are of that kind. device: as
    --device says it; `auto` is resolved here, on the machine that computes."""
    if not tasks[0].run.stacked:
        return [attempt_task(task, device) for task in tasks]
    from harness.core.arithmetic import resolve_device, use_precision, use_threads
    from harness.search.together import Group

    group = Group(tasks[0].run.space.networks().together, len(tasks))
    # what a run sets for itself it puts back as it ends, and others go on
    with use_threads(tasks[0].run.threads), use_precision("fp32", torch.device(resolve_device(device))):
        return group.run([partial(attempt_task, task, device) for task in tasks])


def attempt_task(task: Task, device: str, seat: Seat | None = None) -> Ended:
    """Execute one run on as many threads as it says, one as a rule, so that its bits do not depend on how many run at a
    time. seat: its own, where it is computed beside others. What fails leaves its traceback in the run's folder."""
    from harness.core.arithmetic import check_precision, resolve_device, use_precision, use_threads
    from harness.runs.run import execute

    try:
        resolved = resolve_device(device)
        check_precision(task.run.training.precision, resolved)
        where = torch.device(resolved)
        with use_threads(task.run.threads), use_precision("fp32", where):
            execute(task.run, task.folder, where, seat)
    except Held as held:
        return Ended("held", str(held))
    except HarnessError as error:
        return Ended("failed", str(error))
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        try:
            task.folder.save_error(traceback.format_exc())
        except (OSError, HarnessError) as unwritten:
            return Ended("failed", f"{said} (its traceback could not be kept: {unwritten})")
        return Ended("failed", f"{said}; its traceback is in {task.folder.error_file}")
    return Ended("finished")
