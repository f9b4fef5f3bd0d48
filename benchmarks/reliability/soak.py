"""A soak: a study of many tiny runs is computed while workers and drivers are killed, the disk fills and files are
forbidden; at the end every row equals that of an undisturbed run.

    python benchmarks/reliability/soak.py --minutes 30 --runs 200 --executors local dask slurm

Each executor in turn computes the whole study, again and again until the time is over; each round ends undisturbed. As
root, on Linux, the runs lie on a small disk of their own (a tmpfs) that is filled and freed; elsewhere it is left out,
which is said. Root's drivers are started without the capability to pass over permissions, so that these hold for them,
too. Slurm needs a cluster that SLURM_CONF names. Processes are killed only where this script, or a cluster that it
submitted to, started them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.runs.lease import began
from harness.runs.store import ROWS

STUDY = """
name = "soak"
space = "nasbench201"
dataset = {{name = "digits100", evaluation_pairs = 32}}
table = "nasbench201.digits"
methods = ["darts", "random-search"]
seeds = "0..{last}"
epochs = {epochs}
[supernet]
channels = 2
cells = 1
[training]
batch_size = 4
steps_per_epoch = 1
"""
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
            if lease.suffix == "" and told["began"] == began(told["pid"]):
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


def soak(folder: Path, asked: argparse.Namespace) -> bool:
    """Disturb until the time is over; whether all is as it would have been."""
    rng = random.Random(asked.seed)
    study, disk = folder / "soak.toml", folder / "disk"
    study.write_text(STUDY.format(last=max(0, asked.runs // 2 - 1), epochs=asked.epochs))
    disk.mkdir()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(f"seed {asked.seed}; {asked.runs} runs of {asked.epochs} epochs")
    start = time.monotonic()
    subprocess.run([*HARNESS, "plan", str(study)], check=True, capture_output=True)
    pace = time.monotonic() - start
    start = time.monotonic()
    command = [*HARNESS, "run", str(study), "--out", str(folder / "straight"), "--jobs", "2", "--format", "csv"]
    subprocess.run(command, check=True, capture_output=True)
    straight = rows_of(folder / "straight" / "soak")
    took = time.monotonic() - start
    print(f"undisturbed: {len(straight) // len(ROWS)} runs in {took:.0f} s, of which {pace:.0f} s are a start")
    good, seconds, rounds = True, 60 * asked.minutes, 0
    deadline = time.monotonic() + seconds
    with small_disk(disk) as small:
        if not small:
            print("no disk of its own can be had here: none is filled")
        while time.monotonic() < deadline or rounds < len(asked.executors):
            executor = asked.executors[rounds % len(asked.executors)]
            one = Soak(study, disk / f"round{rounds}", executor, rng, small)
            # no executor is to wait for its turn longer than its share
            until = time.monotonic() + min(seconds / len(asked.executors), max(0, deadline - time.monotonic()))
            try:
                one.start()
                while time.monotonic() < until and one.finished() < len(straight) // len(ROWS):
                    time.sleep(rng.uniform(0.1, 1.5) * pace)  # within starts, runs and ends, on a machine of any speed
                    one.disturb()
                before = one.finished()
                code = one.end()
            finally:
                for driver in one.drivers:
                    driver.kill()
            good &= report(one, code, before, straight)
            shutil.rmtree(one.out)
            rounds += 1
    return good


def report(one: Soak, code: int, before: int, straight: dict[str, str]) -> bool:
    """Print what a round did, and whether it came out right."""
    rows = rows_of(one.folder)
    said = one.log.read_text(errors="replace")
    check = said_by(*HARNESS, "verify", str(one.folder))
    equal = sum(rows.get(name) == digest for name, digest in straight.items())
    leftovers = [p.name for p in one.folder.rglob("*") if p.name.endswith((".tmp", ".running", ".stale"))]
    told = {
        "lost workers told": said.count("lost its worker"),
        "full disk told": said.count("no space left"),
        "forbidden told": said.count("cannot write to") + said.count("cannot be read (Permission denied)"),
        "tracebacks": said.count("Traceback (most recent call last)"),
    }
    good = code == 0 and rows == straight and check.returncode == 0 and not leftovers and not told["tracebacks"]
    print(f"{one.executor}: {before} runs finished while disturbed, {len(rows) // len(ROWS)} at the end (exit {code})")
    print(f"  did {dict(one.did)}; drivers ended with {dict(one.ends)}")
    print(f"  said {told}; verify: {check.stdout.strip()}; left over: {leftovers[:5] or 'nothing'}")
    print(f"  {equal} of {len(straight)} files of rows are equal to undisturbed ones: {'good' if good else 'NOT GOOD'}")
    if not good:
        kept = Path(tempfile.gettempdir()) / f"{one.out.name}-{one.executor}.log"
        kept.write_text(said)
        print(f"  what the drivers said is in {kept}")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description="Disturb a study on every executor, and compare its rows at the end.")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--executors", nargs="+", default=["local", "dask"])
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        sys.exit(not soak(Path(folder), asked))


if __name__ == "__main__":
    main()
