"""Peak memory that one method of a study adds: python benchmarks/comparisons/memory.py STUDY METHOD

Two steps and one selection at 16 channels and batches of 64 in this process, which should be a fresh one. Prints by how
many MB the peak resident memory (Linux, VmHWM) grew since everything was imported and the images were loaded.
"""

import sys
from pathlib import Path

import torch

from harness.runs.run import start
from harness.runs.study import load_study
from harness.search.loop import SupernetSearch

SIZE = ["supernet.channels=16", "training.batch_size=64", "training.steps_per_epoch=2"]


def peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    path, name = sys.argv[1:]
    study = load_study(Path(path), SIZE)
    torch.set_num_threads(1)
    first = study.runs[0]
    first.dataset.load(torch.device("cpu"))
    run = next(r for r in study.runs if r.method_name == name)
    before = peak_mb()
    search = start(run, torch.device("cpu"))
    if isinstance(search, SupernetSearch):
        search.train_epoch(0, lambda: None)
        search.select()
    print(round(peak_mb() - before, 1))
