"""What computes a run, and for how long."""

from __future__ import annotations

import platform
import resource
import sys
import time
from typing import Any

import numpy as np
import torch

from harness.core.version import __version__


class Clock:
    """Seconds and memory of a run, going on from the rows of an interrupted one."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.wall = rows[-1]["wall_s"] if rows else 0.0
        self.cpu = rows[-1]["cpu_s"] if rows else 0.0
        self.began = time.perf_counter(), time.process_time()

    def elapsed(self) -> tuple[float, float]:
        """Wall and CPU seconds of the run so far, without the time it was stopped."""
        wall, cpu = self.began
        return self.wall + time.perf_counter() - wall, self.cpu + time.process_time() - cpu

    def record(self, epoch: int, device: torch.device) -> dict[str, Any]:
        wall, cpu = self.elapsed()
        unit = 1 if sys.platform == "darwin" else 1024
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        if device.type == "cuda":
            memory = torch.cuda.max_memory_allocated(device)
        return {"epoch": epoch, "wall_s": wall, "cpu_s": cpu, "peak_memory_mb": memory / 1e6}


def environment(device: torch.device, precision: str) -> dict[str, Any]:
    """What computes here."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {
        "harness": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": f"{device} ({name})",
        # what bits depend on, without the number of the device: cards of one name compute alike
        "device_class": f"{device.type} ({name})",
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "precision": precision,
    }
