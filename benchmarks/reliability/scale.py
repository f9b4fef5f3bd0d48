"""What 10,000 runs cost the verbs that look at them: seconds and memory as the number of runs grows.

    python benchmarks/reliability/scale.py 100 1000 10000

The runs are copies of a few that are computed first, each sealed under its own id and with seconds drawn around the
measured ones, so that every check holds for them. `imports alone` is what every verb that reads a study takes before it
begins.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from harness.core.files import hash_bytes
from harness.runs.execute import Planned, plan, run_all
from harness.runs.manifest import MANIFEST, seal_manifest
from harness.runs.schema import ROWS, TABLES
from harness.runs.study import load_study

STUDY = """
name = "scale"
space = "nasbench201"
dataset = {name = "digits100", evaluation_pairs = 32}
table = "nasbench201.digits"
methods = ["darts", "sdarts-rs", "beta-darts", "random-search"]
seeds = "0..2499"
epochs = 50
[supernet]
channels = 2
cells = 1
[training]
batch_size = 4
steps_per_epoch = 1
"""
TEMPLATES = 3
"""Seeds that are computed."""
LOAD = "import sys, harness; print(len(harness.load(sys.argv[1])))"
IMPORT = "import harness.runs.study, harness.runs.execute"


def templates(study: Path, out: Path) -> dict[tuple[str, int], dict[str, bytes]]:
    """The files of a few runs, by method and seed."""
    planned = plan(load_study(study, seeds=f"0..{TEMPLATES - 1}"), out)
    assert [o.error for o in run_all(planned, "cpu", 2)] == [None] * len(planned)
    return {
        (p.run.method_name, p.run.seed): {
            name: (p.folder.final / name).read_bytes() for name in (MANIFEST, *(f"{table}.parquet" for table in TABLES))
        }
        for p in planned
    }


def fabricate(p: Planned, files: dict[str, bytes], rng: random.Random) -> None:
    """Write a finished run like the template, as this run."""
    timing = pd.read_parquet(io.BytesIO(files["timing.parquet"]))
    factor = rng.lognormvariate(0, 0.2)
    for column in ("wall_s", "cpu_s"):
        timing[column] *= factor
    content = {f"{name}.parquet": files[f"{name}.parquet"] for name in ROWS} | {"timing.parquet": timing.to_parquet()}
    manifest = json.loads(files[MANIFEST]) | {"id": p.run.id, "configuration": p.run.describe()}
    manifest["files"] = {name: hash_bytes(text) for name, text in content.items()}
    p.folder.final.mkdir(parents=True)
    for name, text in content.items():
        (p.folder.final / name).write_bytes(text)
    (p.folder.final / MANIFEST).write_text(json.dumps(seal_manifest(manifest), indent=1) + "\n")


def cost(*command: str) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds and MB of a Python command, which must end well."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, said
    return time.monotonic() - start, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def measure(folder: Path, study: Path, runs: int) -> list[dict[str, object]]:
    """One row a verb, for the runs of the first seeds, which lie in two folders that are merged."""
    seeds, root = f"0..{runs // 4 - 1}", folder / f"{runs}"
    halves, joined = [root / name / "scale" for name in "ab"], root / "d"
    verbs = {
        "merge": ("-m", "harness", "merge", *map(str, halves), "--to", str(joined / "scale")),
        "plan": ("-m", "harness", "plan", str(study), "--seeds", seeds, "--out", str(joined)),
        "status": ("-m", "harness", "status", str(study), "--seeds", seeds, "--out", str(joined)),
        "verify": ("-m", "harness", "verify", str(joined)),
        "load": ("-c", LOAD, str(joined / "scale")),
        "compare": ("-m", "harness", "compare", str(study), "--seeds", seeds, "--out", str(joined)),
        "imports alone": ("-c", IMPORT),
    }
    rows = []
    for verb, command in verbs.items():
        wall, cpu, memory = cost(*command)
        rows.append({"runs": runs, "verb": verb, "wall s": round(wall, 1), "CPU s": round(cpu, 1), "MB": memory})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the verbs as the number of runs grows.")
    parser.add_argument("runs", type=int, nargs="*", default=[100, 1000, 10000])
    asked = parser.parse_args()
    rng = random.Random(0)
    rows = []
    with tempfile.TemporaryDirectory(prefix="scale") as place:
        folder, study = Path(place), Path(place) / "scale.toml"
        study.write_text(STUDY)
        files = templates(study, folder / "templates")
        for runs in asked.runs:
            loaded = load_study(study, seeds=f"0..{runs // 4 - 1}")
            for half, name in enumerate("ab"):
                for p in plan(loaded, folder / f"{runs}" / name)[half::2]:
                    fabricate(p, files[p.run.method_name, p.run.seed % TEMPLATES], rng)
            rows += measure(folder, study, runs)
    print(pd.DataFrame(rows).pivot(index="verb", columns="runs").to_string())


if __name__ == "__main__":
    main()
