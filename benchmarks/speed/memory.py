"""Peak memory of a search, in a process of its own: `python benchmarks/speed/memory.py SPACE METHOD harness|plain`.

Prints the process's peak in MB before the first step and after two.
"""

import sys

import torch
from pairs import Pair

from harness.core.memory import measure_peak_memory


def peak() -> float:
    return measure_peak_memory() / 1e6


if __name__ == "__main__":
    space, method, who = sys.argv[1:]
    torch.set_num_threads(1)
    pair = Pair(space, method)
    before = peak()
    for _ in range(2):
        pair.step() if who == "harness" else pair.plain_step()
    print(before, peak())
