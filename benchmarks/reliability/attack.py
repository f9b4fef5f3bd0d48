"""The whole attack, in one command: python -m benchmarks.reliability.attack [--examples N] [--only KIND]."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.reliability import pickled, studies
from benchmarks.reliability.case import Case


def tried(case: Case) -> tuple[str | None, float]:
    folder = Path(tempfile.mkdtemp(prefix="attack-"))
    os.environ["NASBENCH_HARNESS_CACHE"] = str(folder / "cache")
    began = time.monotonic()
    try:
        return case.attack(folder), time.monotonic() - began
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    import torch
    torch.set_num_threads(1)
    from benchmarks.reliability.contained import warm
    warm()
    which={"studies":studies,"pickles":pickled}[sys.argv[1]]
    only = sys.argv[2:]
    n = Counter()
    for case in which.named():
        if only and not any(o in case.name for o in only): continue
        fault, s = tried(case)
        n["bad" if fault else "ok"] += 1
        print("BAD" if fault else "ok ", f"{s:5.1f}", case.name, "|", fault or "", flush=True)
    print(n)
