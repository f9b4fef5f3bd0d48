"""Real processes beside each other: readers of a study that runs, a run that is suspended, a clock that is set."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.reliability.case import Case, toml_file
from benchmarks.reliability.disturbed import HARNESS, rows_of
from benchmarks.reliability.studies import SMALL
from harness.runs.lease import EXPIRY_SECONDS, HEARTBEAT_SECONDS

STUDY = SMALL | {"methods": ["darts", "random-search"], "seeds": [0, 1], "epochs": 8}
STUDY["training"] = {"batch_size": 4, "steps_per_epoch": 60}
LIMIT = 240
"""Seconds of a command."""
CLOCKS = {"20 years ago": "-20y", "in 20 years": "+20y", "yesterday": "-1d", "twice as fast": "+0 x2"}
NEEDS = "faketime"


def started(*words: object, folder: Path, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, *HARNESS, *map(str, words)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def done(*words: object, folder: Path, before: tuple[str, ...] = ()) -> tuple[int, str]:
    process = started(*words, folder=folder, before=before)
    return waited(process)


def waited(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and words; a process that takes too long is killed, which is a hang."""
    try:
        out, err = process.communicate(timeout=LIMIT)
        return process.returncode, out + err
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return 124, "hang"


def until(true: Callable[[], object], process: subprocess.Popen[str]) -> bool:
    end = time.monotonic() + LIMIT
    while not true() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    return bool(true())


def prepared(folder: Path) -> Path:
    (folder / "study.toml").write_text(toml_file(STUDY))
    return folder / "out" / "attacked"


def rows_of_undisturbed(folder: Path) -> dict[str, str]:
    """What the study gives where nothing is beside it; computed once for all cases, in a folder of this process."""
    global _undisturbed  # noqa: PLW0603 - the cases are functions without a common object
    if _undisturbed is None:
        code, words = done("run", "study.toml", "--out", "straight", "--jobs", "1", folder=folder)
        assert code == 0, words
        _undisturbed = rows_of(folder / "straight" / "attacked")
    return _undisturbed


_undisturbed: dict[str, str] | None = None


def fault_of(code: int, words: str, codes: tuple[int, ...] = (0, 1, 2)) -> str | None:
    if words == "hang":
        return "hang"
    if "Traceback (most recent call last)" in words:
        return f"traceback: {words.strip().splitlines()[-1][:300]}"
    return None if code in codes else f"exit code {code}: {words[-300:]}"


def of_reader(folder: Path, *words: object) -> str | None:
    """A reader or writer of results, again and again while the study runs: a sentence each time, and the same rows."""
    study = prepared(folder)
    right = rows_of_undisturbed(folder)
    run = started("run", "study.toml", "--out", "out", "--jobs", "2", folder=folder)
    until(lambda: any(study.glob("*.running")), run)
    tries = 0
    while run.poll() is None or not tries:
        tries += 1
        if fault := fault_of(*done(*words, folder=folder)):
            os.killpg(run.pid, signal.SIGKILL)
            return fault
    if fault := fault_of(*waited(run), codes=(0,)):
        return f"the run: {fault}"
    if rows_of(study) != right:
        return "wrong number: other rows than of a run by itself"
    return fault_of(*done(*words, folder=folder), codes=(0,))


def merged_is_whole(folder: Path) -> str | None:
    """Merging out of a folder while its runs come, into one that is read: what is merged at the end is all of it."""
    if fault := of_reader(folder, "merge", "out/attacked", "--to", "to/attacked"):
        return fault
    whole = rows_of(folder / "to" / "attacked") == rows_of(folder / "out" / "attacked")
    return None if whole else "wrong number of rows in what was merged"


def merged_into(folder: Path) -> str | None:
    """Merging runs into the folder in which they are being computed."""
    study = prepared(folder)
    right = rows_of_undisturbed(folder)
    if not (folder / "straight").exists():
        done("run", "study.toml", "--out", "straight", "--jobs", "1", folder=folder)
    run = started("run", "study.toml", "--out", "out", "--jobs", "1", folder=folder)
    until(lambda: any(study.glob("*.running/progress.json")), run)
    if fault := fault_of(*done("merge", "straight/attacked", "--to", "out/attacked", folder=folder), codes=(0,)):
        return f"merge: {fault}"
    if fault := fault_of(*waited(run), codes=(0,)):
        return f"the run: {fault}"
    left = [p.name for p in study.glob("*.running")]
    return None if rows_of(study) == right and not left else f"wrong number of rows, or left over: {left}"


def suspended(folder: Path) -> str | None:
    """SIGSTOP of the process that computes, and a second one meanwhile, which leaves the run alone; after SIGCONT the
    first one finishes it."""
    study = prepared(folder)
    right = rows_of_undisturbed(folder)
    run = started("run", "study.toml", "--out", "out", "--jobs", "1", "--set", 'methods=["darts"]', folder=folder)
    until(lambda: any(study.glob("*.running/progress.json")), run)
    os.kill(run.pid, signal.SIGSTOP)
    words = ("run", "study.toml", "--out", "out", "--jobs", "1", "--no-wait", "--seeds", "0")
    code, said = done(*words, "--set", 'methods=["darts"]', folder=folder)
    told = "is computing it" in said or "another process" in said
    os.kill(run.pid, signal.SIGCONT)
    if fault := fault_of(code, said) or fault_of(*waited(run), codes=(0,)):
        return fault
    if not told:
        return f"a run that is suspended was not left alone: {said[-300:]}"
    rows = rows_of(study)
    return None if all(right[name] == rows[name] for name in rows) else "wrong number: other rows"


def suspended_elsewhere(folder: Path) -> str | None:
    """The same for longer than a lease lasts, by a process of another machine (its lease says so): the second one takes
    the run over, the first one notices when it goes on, and leaves it."""
    study = prepared(folder)
    right = rows_of_undisturbed(folder)
    one = ("run", "study.toml", "--out", "out", "--jobs", "1", "--seeds", "0", "--set", 'methods=["darts"]')
    run = started(*one, folder=folder)
    until(lambda: any(study.glob("*.running/progress.json")), run)
    os.kill(run.pid, signal.SIGSTOP)
    (lease,) = [p for p in (study / ".leases").iterdir() if p.suffix == ""]
    told = json.loads(lease.read_text())
    lease.write_text(json.dumps(told | {"machine": "another", "host": "another"}))
    past = time.time() - EXPIRY_SECONDS - HEARTBEAT_SECONDS
    os.utime(lease, (past, past))
    second = fault_of(*done(*one, folder=folder), codes=(0,))
    os.kill(run.pid, signal.SIGCONT)
    code, said = waited(run)
    if fault := second or fault_of(code, said):
        return fault
    rows = rows_of(study)
    if not rows or any(right[name] != rows[name] for name in rows):
        return "wrong number: other rows"
    left = [p.name for p in (*study.glob("*.running"), *(study / ".leases").iterdir())]
    return f"left over: {left}" if left else None


def of_clock(folder: Path, clock: str) -> str | None:
    """A run whose clock is set, killed and gone on with by another clock; its rows, and what readers say of it."""
    study = prepared(folder)
    right = rows_of_undisturbed(folder)
    if shutil.which(NEEDS) is None:
        print(f"no {NEEDS} here: a set clock was not tried", file=sys.stderr)
        return None
    set_to = (NEEDS, "-f", clock)
    words = ("run", "study.toml", "--out", "out", "--jobs", "1")
    run = started(*words, folder=folder, before=set_to)
    until(lambda: any(study.glob("*.running/progress.json")), run)
    os.killpg(run.pid, signal.SIGKILL)
    waited(run)
    for before in ((), set_to):
        if fault := fault_of(*done("status", "study.toml", "--out", "out", folder=folder, before=before), codes=(0,)):
            return f"status: {fault}"
    if fault := fault_of(*done(*words, folder=folder), codes=(0,)):
        return f"run: {fault}"
    if rows_of(study) != right:
        return "wrong number: other rows"
    for reader in (
        ("compare", "study.toml", "--out", "out"),
        ("export", "study.toml", "--out", "out", "--format", "tensorboard", "--to", "board"),
        ("export", "study.toml", "--out", "out", "--format", "mlflow", "--to", "mlruns"),
        ("publish", "study.toml", "--out", "out", "--to", "published"),
        ("verify", "out/attacked"),
    ):
        if fault := fault_of(*done(*reader, folder=folder, before=set_to), codes=(0,)):
            return f"{reader[0]}: {fault}"
    return None


def named() -> Iterator[Case]:
    readers: dict[str, tuple[object, ...]] = {
        "publish": ("publish", "study.toml", "--out", "out", "--to", "published"),
        "report": ("report", "study.toml", "--out", "out", "--to", "report.html"),
        "status": ("status", "study.toml", "--out", "out"),
        "verify": ("verify", "out"),
        "compare": ("compare", "out/attacked"),
        "export": ("export", "study.toml", "--out", "out", "--format", "csv", "--to", "rows.csv"),
        "follow": ("export", "study.toml", "--out", "out", "--follow", "--format", "tensorboard", "--to", "board"),
        "a second run": ("run", "study.toml", "--out", "out", "--jobs", "1", "--no-wait"),
    }
    for verb, words in readers.items():
        yield Case("beside", f"{verb} while it runs", lambda f, w=words: of_reader(f, *w))
    yield Case("beside", "merge while it runs", merged_is_whole)
    yield Case("beside", "merge into what runs", merged_into)
    yield Case("beside", "suspended", suspended)
    yield Case("beside", "suspended on another machine", suspended_elsewhere)
    for name, clock in CLOCKS.items():
        yield Case("beside", f"a clock of {name}", lambda f, c=clock: of_clock(f, c))
