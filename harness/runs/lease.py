"""Who computes a run: a lease, one small file beside the runs, that its holder renews by a heartbeat.

It needs nothing of the file system but exclusive creation and renaming, which NFS has, also where its locks are
switched off. The lease of a process that died on the same machine is free at once; that of another machine when it was
not renewed for EXPIRY_SECONDS, by the file server's own clock. Should two processes hold one run all the same (one was
suspended for longer than that), no row can differ: both compute the same bytes, and files are replaced whole. The one
that wakes up notices that it lost its lease, and leaves the run to the other.

flufl.lock (10.0.0) was looked at and not taken: it needs hard links, and it compares the clock of who waits with that
of who holds, so that of machines whose clocks differ one takes what the other holds; a holder that died on the same
machine is waited for until its lifetime is over; it extends nothing by itself.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import explain_disk_errors
from harness.core.notation import parse_json
from harness.core.text import replace_invisible

HEARTBEAT_SECONDS = 10.0
EXPIRY_SECONDS = 90.0
HIGHEST_PID = 1 << 31
"""Of a process, on any system."""


class Held(HarnessError):
    """Another process has the run."""


class Lease:
    """The lease of one run. path: its file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.token = secrets.token_hex(8)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it while the block runs; `Held` where another process does."""
        with explain_disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._take()
        stop = threading.Event()
        beat = threading.Thread(target=self._renew, args=(stop,), daemon=True)
        beat.start()
        try:
            yield
        finally:
            stop.set()
            beat.join()
            if self._content().get("token") == self.token:
                self.path.unlink(missing_ok=True)

    def check(self) -> None:
        """`Held` where it was lost to another process meanwhile."""
        if self._content().get("token") != self.token:
            raise Held(f"{self.holder() or 'another process'} has taken the run over")

    @property
    def damaged(self) -> bool:
        """Whether its file is there and names no holder. Such a lease holds nothing."""
        return self.path.is_file() and type(self._content().get("pid")) is not int

    def holder(self) -> str | None:
        """Host and process that hold it, or None where it is free."""
        content = self._content()
        if not self.path.exists() or self._stale(content):
            return None
        return f"pid {content['pid']} on {replace_invisible(str(content.get('host', '?')))[:64]}"

    def _take(self) -> None:
        mine = {"token": self.token, "host": platform.node(), "machine": identify_machine(), "pid": os.getpid()}
        mine["began"] = find_process_start(os.getpid())
        draft = self.path.with_name(f"{self.path.name}.{self.token}")
        draft.write_text(json.dumps(mine))
        try:
            for _ in range(3):
                try:
                    os.link(draft, self.path)  # fails where it exists, on NFS too, and is never seen half written
                    return
                except FileExistsError:
                    if holder := self.holder():
                        raise Held(f"{holder} is computing it") from None
                    self._remove_stale()
            raise Held("other processes are taking it")
        finally:
            draft.unlink(missing_ok=True)

    def _remove_stale(self) -> None:
        aside = self.path.with_name(f"{self.path.name}.{self.token}.stale")
        try:
            self.path.rename(aside)
            if not self._stale(_read(aside)):  # a fresh one, taken between the look and the renaming: give it back
                os.link(aside, self.path)
        except (FileNotFoundError, FileExistsError):
            pass
        finally:
            aside.unlink(missing_ok=True)

    def _content(self) -> dict[str, Any]:
        return _read(self.path)

    def _stale(self, content: dict[str, Any]) -> bool:
        pid = content.get("pid")
        if type(pid) is not int or not 0 < pid <= HIGHEST_PID:  # nobody can renew what names nobody
            return True
        if content.get("machine") == identify_machine():
            return content.get("began") != find_process_start(pid)
        try:
            renewed = self.path.stat().st_mtime
        except FileNotFoundError:
            return True
        # in the future, too: where a clock was set back, a holder that lives renews it by the new one
        return abs(self._now() - renewed) > EXPIRY_SECONDS

    def _now(self) -> float:
        """The time by the clock that stamps the files, which need not be this machine's."""
        probe = self.path.with_name(f"{self.path.name}.{self.token}.now")
        try:
            probe.touch()
            return probe.stat().st_mtime
        except OSError:  # of somebody who may only look
            return time.time()
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)

    def _renew(self, stop: threading.Event) -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            try:
                if self._content().get("token") != self.token:
                    return
                os.utime(self.path)
            except OSError:
                continue  # the file server is away: the lease may expire, and `check` will say so


def _read(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def identify_machine() -> str:
    """Names the set of processes among which a process number means one process: a boot of a machine, a container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def find_process_start(pid: int) -> str | None:
    """When a process of this machine began (so that a number used again is another process); None if it is dead."""
    if pid <= 0:
        return None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
    try:  # no /proc: macOS
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "running"
