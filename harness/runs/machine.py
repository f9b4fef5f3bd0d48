"""What computes a run, and for how long."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.core.memory import measure_peak_memory
from harness.core.version import __version__
from harness.search.together import read_clocks


class RunClock:
    """Seconds and memory of a run, going on from the rows of an interrupted one. wall_s and cpu_s are all of it;
    probe_s and lookup_s, which are in them, are what is no part of a search. now: wall and CPU seconds since some
    moment, those of the process if not said."""

    def __init__(self, rows: list[dict[str, Any]], now: Callable[[], tuple[float, float]] = read_clocks) -> None:
        last = rows[-1] if rows else {}
        self.wall, self.cpu = last.get("wall_s", 0.0), last.get("cpu_s", 0.0)
        # a checkpoint of an older version does not know them: they stay unknown
        self.others = {name: last.get(name, float("nan") if rows else 0.0) for name in ("probe_s", "lookup_s")}
        self.now, self.began = now, now()

    @contextmanager
    def apart(self, what: str) -> Iterator[None]:
        """Count the wall seconds of the context as those of probes or of lookups."""
        began, _ = self.now()
        yield
        self.others[what] += self.now()[0] - began

    def elapsed(self) -> tuple[float, float]:
        """Wall and CPU seconds of the run so far, without the time it was stopped."""
        wall, cpu = (now - then for now, then in zip(self.now(), self.began, strict=True))
        return self.wall + wall, self.cpu + cpu

    def record(self, epoch: int, device: torch.device) -> dict[str, Any]:
        wall, cpu = self.elapsed()
        memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else measure_peak_memory()
        return {"epoch": epoch, "wall_s": wall, "cpu_s": cpu, **self.others, "peak_memory_mb": memory / 1e6}


@cache
def identify_processor() -> str:
    """The processor by its own name, and the instructions that torch chose for it: "AMD EPYC, AVX512"."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    name = next(named, platform.processor() or platform.machine())
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


@cache
def list_libraries() -> list[str]:
    """The libraries of torch that take sums, with their versions."""
    told = (line.strip(" -") for line in torch.__config__.show().splitlines())
    return [
        line.split(" (Git")[0] for line in told if re.match(r"(Intel|OpenBLAS|CuDNN|CUDA Runtime|NNPACK|ARM)", line)
    ]


def describe_environment(device: torch.device, precision: str) -> dict[str, Any]:
    """What a run is computed with: processor, libraries, threads and versions, as its manifest has it."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {
        "harness": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": f"{device} ({name})",
        # what bits depend on, without the number of the device: cards of one name compute alike
        "device_class": f"{device.type} ({name})",
        "processor": identify_processor(),
        "libraries": list_libraries(),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "precision": precision,
    }
