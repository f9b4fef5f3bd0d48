"""An epoch of NAS-Bench-201 on an accelerator, the harness beside the straightforward implementation.

    python benchmarks/speed/accelerator.py CIFAR [--device cuda:0] [--steps 390] [--seeds 1 8]

CIFAR is the folder cifar-10-batches-py, or an .npz file of the data set `npz`. Published size (16 channels, 5 cells a
stage, batches of 64), DARTS, SDARTS-RS and SDARTS-ADV, in each precision that the device has, with steps replayed from
a graph and asked for one by one; several seeds are processes that share the device (side by side only where NVIDIA's
MPS runs: `nvidia-cuda-mps-control -d`). Prints a table of seconds an epoch (390 steps, in proportion where --steps is
less), then a profile of one DARTS step that is not replayed: what the device computes, and how long the host takes to
ask for it. --channels, --cells and --device cpu make it small enough to be tried anywhere.
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed
from pairs import METHODS, Pair

from harness.core.arithmetic import use_precision
from harness.datasets.cifar10 import CIFAR10
from harness.datasets.npz import NpzImages

EPOCH = 390


def synchronize(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def made(root: Path, device: str, method: str, channels: int, cells: int) -> Pair:
    pair = Pair("nasbench201", method, channels=channels, cells=cells, device=device)
    images = NpzImages(path=root, pad=4, flip=True) if root.suffix == ".npz" else CIFAR10(root=root)
    pair.harness.bind(images.load(torch.device(device)))
    return pair


def seconds(who: str, precision: Any, method: str, options: dict[str, Any]) -> float:
    """Of one search's epoch in this process. who: "plain", or the harness's steps "replayed" or "asked" for."""
    device, steps = options["device"], options["steps"]
    pair = made(options["root"], device, method, options["channels"], options["cells"])
    search = pair.harness
    if who == "asked":
        search.replayed = None
    take = pair.plain.step if who == "plain" else search.stepper(0, 0.025)

    def step() -> None:
        batches = search.batches(0)
        with use_precision(precision, torch.device(device)):
            take(*batches)

    for _ in range(min(3, steps)):
        step()
    synchronize(device)
    began = time.perf_counter()
    for _ in range(steps):
        step()
    synchronize(device)
    return (time.perf_counter() - began) * EPOCH / steps


def profile(options: dict[str, Any]) -> str:
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    pair = made(options["root"], options["device"], "darts", options["channels"], options["cells"])
    pair.step()
    cuda = options["device"].startswith("cuda")
    with profiled(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]) as found:
        pair.step()
        synchronize(options["device"])
    return found.key_averages().table(sort_by="self_cuda_time_total" if cuda else "self_cpu_time_total", row_limit=25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--steps", type=int, default=EPOCH)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--cells", type=int, default=5)
    options = vars(parser.parse_args())
    cuda = options["device"].startswith("cuda")
    precisions = ["fp32", "tf32", "bf16"] if cuda else ["fp32", "bf16"]
    print("| method | precision | steps | seeds | straightforward, s an epoch | harness, s an epoch | ratio a seed |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for method in METHODS:
        plain = seconds("plain", "fp32", method, options)
        for precision, seeds, who in product(
            precisions, options["seeds"], ["replayed", "asked"] if cuda else ["asked"]
        ):
            one = delayed(seconds)(who, precision, method, options)
            ours = max(Parallel(n_jobs=seeds)([one] * seeds))
            ratio = seeds * plain / ours
            print(f"| {method} | {precision} | {who} | {seeds} | {plain:.1f} | {ours:.1f} | {ratio:.2f} |", flush=True)
    print(profile(options))


if __name__ == "__main__":
    main()
