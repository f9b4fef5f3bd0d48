"""One round of the soak: a study on an executor, and what can be done to it while it is computed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.runs.lease import find_process_start
from harness.runs.schema import ROWS

ROOM = 64 << 20
"""Bytes of the small disk."""
HARNESS = [sys.executable, "-m", "harness"]
ROOT = os.geteuid() == 0
BOUND = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if ROOT else []


def said_by(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True)


@dataclass
class Soak:
    """One round: a study on an executor, disturbed until it is told to end. small: whether its disk can be filled."""

    study: Path
    out: Path
    executor: str
    rng: random.Random
    small: bool
    drivers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)
    ends: Counter[int] = field(default_factory=Counter)

    @property
    def folder(self) -> Path:
        return self.out / "soak"

    @property
    def log(self) -> Path:
        """What the drivers say; not on the disk that is filled."""
        return self.study.with_name(f"{self.out.name}.log")

    def start(self) -> None:
        """One more driver."""
        command = [*BOUND, *HARNESS, "run", str(self.study), "--out", str(self.out), "--jobs", "2"]
        command += ["--executor", self.executor, "--format", "csv"]
        with self.log.open("ab") as log:
            self.drivers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log))

    def reap(self) -> None:
        """Count the drivers that ended."""
        for driver in [d for d in self.drivers if d.poll() is not None]:
            self.ends[driver.returncode] += 1
            self.drivers.remove(driver)

    def holders(self) -> list[tuple[int, Path]]:
        """Processes that compute a run now, with their leases; those alone that are ours."""
        found = []
        for lease in (self.folder / ".leases").glob("*_seed*"):
            try:
                told = json.loads(lease.read_text())
            except (OSError, ValueError):
                continue  # it is gone meanwhile
            if lease.suffix == "" and told["began"] == find_process_start(told["pid"]):
                found.append((told["pid"], lease))
        return found

    def kill_worker(self) -> bool:
        holders = self.holders()
        if holders:
            os.kill(self.rng.choice(holders)[0], signal.SIGKILL)
        return bool(holders)

    def kill_driver(self) -> bool:
        if self.drivers:
            self.rng.choice(self.drivers).kill()
        return bool(self.drivers)

    def stop_driver(self) -> bool:
        if self.drivers:
            self.rng.choice(self.drivers).send_signal(self.rng.choice([signal.SIGTERM, signal.SIGINT, signal.SIGUSR1]))
        return bool(self.drivers)

    def suspend_worker(self) -> bool:
        holders = self.holders()
        if holders:
            pid = self.rng.choice(holders)[0]
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self.rng.uniform(0.5, 2))
            os.kill(pid, signal.SIGCONT)
        return bool(holders)

    def second_driver(self) -> bool:
        if len(self.drivers) < 3:
            self.start()
            return True
        return False

    def fill_disk(self) -> bool:
        if not self.small:
            return False
        ballast = self.out.parent / "ballast"
        try:
            with ballast.open("wb", buffering=0) as stream:
                while stream.write(bytes(1 << 16)):
                    pass
        except OSError:
            time.sleep(self.rng.uniform(0.5, 3))
        ballast.unlink()
        return True

    def forbid(self) -> bool:
        """Take the folder's permission to write away for a while, or that to read a finished run."""
        if not self.folder.exists():
            return False
        runs = [p for p in self.folder.glob("*_seed*") if p.suffix == ""]
        path, mode = (self.folder, 0o555) if self.rng.random() < 0.5 or not runs else (self.rng.choice(runs), 0)
        path.chmod(mode)
        time.sleep(self.rng.uniform(0.5, 3))
        path.chmod(0o755)
        return True

    def requeue(self) -> bool:
        if self.executor != "slurm":
            return False
        ids = said_by("squeue", "--noheader", "--array", "--format=%i", "--states=R").stdout.split()
        if not ids or said_by("scontrol", "requeue", job := self.rng.choice(ids)).returncode:
            return False
        time.sleep(2)
        said_by("scontrol", "update", f"jobid={job}", "starttime=now")  # SLURM would let it wait for minutes
        return True

    def disturb(self) -> None:
        """One thing that goes wrong, drawn at random; a driver goes on where none is left."""
        what = self.rng.choice(
            (
                self.kill_worker,
                self.kill_driver,
                self.stop_driver,
                self.suspend_worker,
                self.second_driver,
                self.fill_disk,
                self.forbid,
                self.requeue,
            )
        )
        self.did[what.__name__.replace("_", " ")] += what()
        self.reap()
        if not self.drivers:
            self.start()

    def finished(self) -> int:
        return len(rows_of(self.folder)) // len(ROWS)

    def end(self) -> int:
        """Let what is missing be computed undisturbed; returns the driver's exit code."""
        for driver in self.drivers:
            driver.wait()
        self.reap()
        self.start()
        return self.drivers[-1].wait()


def rows_of(folder: Path) -> dict[str, str]:
    """Digests of the rows of finished runs."""
    found = {}
    for run in folder.glob("*_seed*"):
        if run.suffix == "":
            for name in ROWS:
                path = run / f"{name}.parquet"
                found[f"{run.name}/{name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of little room at this folder, where one can be had."""
    options = f"size={ROOM},mode=755"
    mounted = ROOT and not said_by("mount", "-t", "tmpfs", "-o", options, "harness-soak", str(folder)).returncode
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
