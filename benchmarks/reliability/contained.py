"""One command of the program in a process of its own, with limits of time and memory, and what is wrong with its end.

The process is forked from one that has imported everything, so a case costs milliseconds. It runs the program's own
entry point on real files; nothing of it is replaced.
"""

from __future__ import annotations

import codecs
import os
import pty
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 10
"""CPU seconds of a command: beyond is a hang. WALL times as many by the clock, since other processes run beside."""
WALL = 12
MEMORY = 1 << 30
"""Bytes that a command may add to what was imported."""
NOBODY = 65534
LONGEST = 2000
"""Characters that a sentence may have."""
SIGNALED = 128


def warm(*, verbs: bool = True) -> None:
    """Import and compute, once, all that commands need: a forked process then has it. verbs: of all, not only of those
    that plan a study and add a table."""

    import torch

    from benchmarks.reliability.damage import called_here
    from harness.spaces.nasbench201.cell import list_official_cells

    torch.set_num_threads(1)
    list_official_cells()
    codecs.lookup("utf-8-sig")  # a file of Python's own, whose folder may be closed to a user without rights
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            called_here(Path(folder), verbs=verbs)
        finally:
            os.chdir(here)


@dataclass(frozen=True)
class Ended:
    """How a command ended. code: of its exit, 128 + n of a signal, None where it ran out of time. used: CPU seconds,
    and bytes of memory at its peak, what was imported before included."""

    words: tuple[str, ...]
    code: int | None
    out: str
    err: str
    seconds: float
    used: tuple[float, int] = (0.0, 0)

    def fault(self, codes: Sequence[int] = (0, 2)) -> str | None:
        """What no command may do: hang, end in a traceback or by a signal, exit without a sentence, or say too much."""
        if self.code is None:
            return "hang"
        if "Traceback (most recent call last)" in self.err + self.out:
            return "traceback: " + self.err.strip().splitlines()[-1][:300]
        if self.code >= SIGNALED:
            return f"ended by signal {self.code - SIGNALED}"
        if self.code not in codes:
            return f"exit code {self.code}: {self.err[-300:]}"
        if self.code == 2 and not ("error: " in self.err or "Error: " in self.err):
            return f"exit code 2 without a sentence: {self.err[-300:]}"
        if self.code == 2 and len(self.err) > LONGEST:
            return f"{len(self.err)} characters of words"
        return None


def command(
    words: Sequence[object],
    folder: Path,
    *,
    seconds: int = SECONDS,
    memory: int = MEMORY,
    nobody: bool = False,
    terminal: bool = False,
    environment: dict[str, str | None] | None = None,
) -> Ended:
    """`harness WORDS` in a folder. nobody: as a user without rights. terminal: standard error is one."""
    told = tuple(map(str, words))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        side = pty.openpty() if terminal else None
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(side[1] if side else err.fileno(), 2)
            os._exit(_child(told, folder, seconds, memory, nobody, environment or {}))
        said = _drain(side) if side else None
        code, used = _wait(child, began + WALL * seconds)
        ended = time.monotonic() - began
        out.seek(0)
        err.seek(0)
        words_of_err = said() if said else err.read().decode(errors="replace")
        return Ended(told, code, out.read().decode(errors="replace"), words_of_err, ended, used)


def _child(
    words: Sequence[str], folder: Path, seconds: int, memory: int, nobody: bool, environment: dict[str, str | None]
) -> int:
    """The command in the forked process; its exit code."""
    from harness.cli.main import main

    try:
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        os.chdir(folder)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        if nobody:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        sys.argv = ["harness", *words]
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace")  # as Python has it
        sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
        try:
            main(list(words))
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 70
    return code


def _wait(child: int, until: float) -> tuple[int | None, tuple[float, int]]:
    """The exit code of the forked process, which is killed when its time is over, and what it used."""
    while True:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            _, status, used = os.wait4(child, 0)
            break
        time.sleep(0.005)
    took = used.ru_utime + used.ru_stime, used.ru_maxrss << 10
    if os.WIFSIGNALED(status):
        killed = os.WTERMSIG(status)
        return None if killed in (signal.SIGXCPU, signal.SIGKILL) else SIGNALED + killed, took
    return os.WEXITSTATUS(status), took


def _drain(side: tuple[int, int]):
    """Read a terminal until the program has closed it; gives a function that waits for that and gives the text."""
    ours, theirs = side
    os.close(theirs)
    parts: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 1 << 16)
            except OSError:
                break
            if not part:
                break
            parts.append(part)

    reader = threading.Thread(target=read)
    reader.start()

    def text() -> str:
        reader.join()
        os.close(ours)
        return b"".join(parts).decode(errors="replace")

    return text
