"""How much memory this process may have, and has had."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup/memory.max")


def find_memory_limit() -> int:
    """Bytes: the machine's, or what a batch system (control group) or `ulimit -v` leaves of them."""
    known = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with suppress(OSError, ValueError):  # no control groups, or no limit in them ("max")
        known.append(int(CGROUP.read_text()))
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        known.append(max(0, limit - measure_address_space()))
    return min(known)


def measure_address_space() -> int:
    """Bytes of address space that this process has; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def measure_peak_memory() -> int:
    """The most bytes that this process has held at a time. `getrusage` on Linux counts the peak of the process that
    started it, too."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
