"""SLURM: one array job a study, by submitit. A job that is pre-empted or runs out of time is queued again, and goes on
from the last epoch of its run."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from harness.core.errors import HarnessError
from harness.core.files import explain_disk_errors
from harness.runs.executors.base import Executor, T
from harness.runs.work import Ended, Task, execute_task

POLL_SECONDS = 1.0
UNITS = {"m": 1, "h": 60, "d": 1440}
NAMED = {"job_name", "time", "cpus_per_task", "gpus_per_node", "mem", "partition", "account"}
"""Options of sbatch that submitit knows by name."""
SCRIPT = """#!/bin/bash
# Every task takes the next run that is not finished and that nobody computes, until there is none.
{options}
srun --cpus-per-task={cpus} {command}
code=$?
if [ $code -eq {warned} ]; then  # stopped by the warning before the time limit: queued again, it goes on from there
  scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit $code
"""


class Chunk:
    """What one job computes; submitit calls it, and asks `checkpoint` what to queue again."""

    def __call__(self, units: Sequence[Sequence[Task]], device: str) -> list[Ended]:
        return [ended for unit in units for ended in execute_task(unit, device)]

    def checkpoint(self, units: Sequence[Sequence[Task]], device: str) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, units, device)  # finished runs are kept, the one that was computing goes on


class Slurm(Executor):
    """An array job of SLURM."""

    name: ClassVar[str] = "slurm"
    time: str = "4h"
    """Limit of a job, such as 30m, 4h or 2d."""
    gpus: int = Field(0, ge=0)
    """GPUs of a job."""
    cpus: int = Field(1, ge=1)
    """Processors of a job."""
    memory: str | None = None
    """Memory of a job, such as 8G; the cluster's default, if not said."""
    partition: str | None = None
    """Partition to submit to; the cluster's default, if not said."""
    account: str | None = None
    """Account to charge; the cluster's default, if not said."""
    runs: int = Field(1, ge=1)
    """Runs that one job computes, one after the other; or groups of them, where a study trains seeds side by side."""
    requeues: int = Field(20, ge=0)
    """How often a job is queued again after a time limit or a pre-emption."""
    warning: int = Field(60, ge=1)
    """Seconds before a time limit or a pre-emption, when the job is told."""
    other: dict[str, Any] = Field({})
    """Any option of sbatch, such as other.qos = "low"."""

    @field_validator("time")
    @classmethod
    def _time(cls, value: str) -> str:
        if not re.fullmatch(r"[1-9]\d{0,4}[mhd]", value):
            raise ValueError("write 30m, 4h or 2d")
        return value

    def run(self, units: Sequence[Sequence[T]], places: Sequence[str]) -> Iterator[tuple[T, Ended]]:
        try:
            import submitit
        except ImportError:
            raise HarnessError("the executor 'slurm' needs submitit: pip install submitit") from None
        folder = units[0][0].folder.final.parent / ".slurm"
        chunks = [[list(unit) for unit in units[i : i + self.runs]] for i in range(0, len(units), self.runs)]
        try:
            engine = submitit.SlurmExecutor(folder=folder, max_num_timeout=self.requeues)
            engine.update_parameters(**self._options(len(places)))
            jobs = engine.map_array(Chunk(), chunks, [places[0]] * len(chunks))
        except (OSError, RuntimeError, subprocess.SubprocessError, submitit.core.utils.FailedJobError) as error:
            raise HarnessError(f"SLURM did not take the job: {' '.join(str(error).split())[:300]}") from None
        pending = dict(zip(jobs, chunks, strict=True))
        try:
            while pending:
                queued = find_queued([job.job_id for job in pending])
                for job in list(pending):
                    chunk = [task for unit in pending[job] for task in unit]
                    if job.paths.result_pickle.exists() or job.job_id not in queued:
                        answers = read_answers(job, chunk)
                    elif all(task.folder.finished for task in chunk):
                        # by another process, while this job waits behind others: it has nothing left to do (or it is
                        # ending itself, and loses nothing)
                        cancel([job])
                        answers = [Ended("finished")] * len(chunk)
                    else:
                        continue
                    del pending[job]
                    yield from zip(chunk, answers, strict=True)
                if pending:
                    time.sleep(POLL_SECONDS)
        finally:
            if pending:  # stopped from here: nothing is to go on unseen
                cancel(pending)

    def script(self, command: Sequence[str], tasks: int) -> str:
        options = self._sbatch() | {"array": f"0-{tasks - 1}", "signal": f"USR1@{self.warning}", "chdir": Path.cwd()}
        lines = [f"#SBATCH --{k.replace('_', '-')}" + ("" if v is True else f"={v}") for k, v in options.items()]
        return SCRIPT.format(
            options="\n".join(lines), cpus=self.cpus, command=shlex.join(command), warned=128 + signal.SIGUSR1
        )

    def submit(self, script: str, log: Path) -> str:
        with explain_disk_errors(log):
            log.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(
                ["sbatch", "--parsable", f"--output={log}/%A_%a.out"],
                input=script,
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            raise HarnessError(
                "there is no sbatch here: submit where SLURM is, or print the script, --dry-run"
            ) from None
        if done.returncode:
            raise HarnessError(f"SLURM did not take the job: {' '.join(done.stderr.split())[:300]}")
        return f"job {done.stdout.strip()}, whose tasks print to {log}"

    def _sbatch(self) -> dict[str, Any]:
        """Options of sbatch, with underscores in their names."""
        wanted = {
            "job_name": "harness",
            "time": int(self.time[:-1]) * UNITS[self.time[-1]],
            "cpus_per_task": self.cpus,
            "gpus_per_node": self.gpus or None,
            "mem": self.memory,
            "partition": self.partition,
            "account": self.account,
            "requeue": True,
            "open_mode": "append",
        }
        return {key: value for key, value in (wanted | self.other).items() if value is not None}

    def _options(self, at_a_time: int) -> dict[str, Any]:
        """The options of a job, as submitit takes them."""
        options = self._sbatch()
        known = {key: options.pop(key) for key in NAMED & options.keys()}
        return known | {
            "array_parallelism": at_a_time,
            "signal_delay_s": self.warning,
            "additional_parameters": options,
        }


def cancel(jobs: Iterable[Any]) -> None:
    subprocess.run(["scancel", *[job.job_id for job in jobs]], check=False, capture_output=True)


def find_queued(ids: Sequence[str]) -> set[str]:
    """Those of the jobs that wait or run. (Asked of the queue: not every cluster has accounting, which knows more.)"""
    arrays = sorted({i.partition("_")[0] for i in ids})
    asked = subprocess.run(
        ["squeue", "--noheader", "--array", "--format=%i", "--jobs=" + ",".join(arrays)],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        return set(ids) if "Invalid job id" not in asked.stderr else set()
    return set(asked.stdout.split())


def read_answers(job: Any, chunk: Sequence[Task]) -> list[Ended]:
    """How the runs of a job ended; those of a job that left no answer are lost, unless their folders know better."""
    for _ in range(5):  # the answer's file may be behind the queue's news
        if job.paths.result_pickle.exists():
            break
        time.sleep(POLL_SECONDS)
    else:
        return [Ended("finished") if t.folder.finished else Ended("lost", read_last_words(job)) for t in chunk]
    try:
        found: list[Ended] = job.result()
    except Exception as error:
        return [Ended("failed", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")] * len(chunk)
    return found


def read_last_words(job: Any) -> str:
    """The last line that a job's output has, and where to read the others."""
    for path in map(Path, (job.paths.stderr, job.paths.stdout)):
        if path.exists() and (lines := path.read_text(errors="replace").split("\n")) and any(lines):
            return f"{[line for line in lines if line][-1][:200]} (job {job.job_id}, {path})"
    return f"job {job.job_id} left the queue without a word"
