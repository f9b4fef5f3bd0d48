"""A soak: a study of many tiny runs is computed while workers and drivers are killed, the disk fills and files are
forbidden; at the end every row equals that of an undisturbed run.

    python -m benchmarks.reliability.soak --minutes 30 --runs 200 --executors local dask slurm

Each executor in turn computes the whole study, again and again until the time is over; each round ends undisturbed. As
root, on Linux, the runs lie on a small disk of their own (a tmpfs) that is filled and freed; elsewhere it is left out,
which is said. Root's drivers are started without the capability to pass over permissions, so that these hold for them,
too. Slurm needs a cluster that SLURM_CONF names. Processes are killed only where this script, or a cluster that it
submitted to, started them.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.reliability.disturbed import HARNESS, Soak, rows_of, said_by, small_disk
from harness.runs.schema import ROWS

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
