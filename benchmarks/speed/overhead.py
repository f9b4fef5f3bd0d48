"""What a run costs beside its training: `python benchmarks/speed/overhead.py`.

Prints the seconds of `harness --help`, those from `harness run` to the end of the first step, and the share of an epoch
of `make demo` that goes into records, lookups, checkpoints and progress.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

STUDY = Path(__file__).parent.parent / "trajectories" / "digits.toml"


FIRST_STEP = """
import os
from harness.cli.main import main
from harness.search.loop import SupernetSearch
step = SupernetSearch.step
SupernetSearch.step = lambda *a, **k: (step(*a, **k), os._exit(0))
main()
"""
"""The command line, left after the first step."""


def seconds_of(*command: str) -> float:
    """Of a Python process, the median of five."""
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def start_up() -> float:
    with tempfile.TemporaryDirectory() as folder:
        return seconds_of("-c", FIRST_STEP, "run", str(STUDY), "--seeds", "0", "--jobs", "1", "--out", folder)


def shares() -> dict[str, float]:
    """Seconds of an epoch by what they go into."""
    import torch

    from harness.runs import rows
    from harness.runs import run as trajectory
    from harness.runs.execute import plan
    from harness.runs.store import RunFolder
    from harness.runs.study import load_study
    from harness.search.loop import SupernetSearch

    torch.set_num_threads(1)
    spent: dict[str, float] = defaultdict(float)

    def timed(owner: Any, function: Callable[..., Any], label: str) -> None:
        def wrapper(*args: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                spent[label] += time.perf_counter() - began

        setattr(owner, function.__name__, wrapper)

    timed(SupernetSearch, SupernetSearch.train_epoch, "training")
    timed(SupernetSearch, SupernetSearch.evaluate, "evaluation")
    timed(SupernetSearch, SupernetSearch.state_dict, "checkpoint")
    timed(RunFolder, RunFolder.save_checkpoint, "checkpoint")  # with the progress of an epoch's end
    timed(trajectory, trajectory.record_epoch, "records")
    timed(trajectory, rows.lookup_records, "lookups")
    study = load_study(STUDY, ["epochs=12", 'methods=["darts"]'], "0")
    with tempfile.TemporaryDirectory() as folder:
        (planned,) = plan(study, Path(folder))
        trajectory.execute(planned.run, planned.folder, torch.device("cpu"))
    return {label: seconds / 13 for label, seconds in spent.items()}


def measure() -> dict[str, float]:
    parts = shares()
    beside = parts["checkpoint"] + parts["records"] + parts["lookups"]
    share = 100 * beside / (parts["training"] + parts["evaluation"] + beside)
    return {"help_s": seconds_of("-m", "harness", "--help"), "first_step_s": start_up(), "beside_pct": share} | parts


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
