"""Memory of a process."""

import subprocess
import sys

from harness.core.memory import measure_peak_memory

GROWTH = """
from harness.core.memory import measure_peak_memory
before = measure_peak_memory()
held = b"x" * 100_000_000
print(before, measure_peak_memory())
"""


def test_the_peak_is_the_processs_own() -> None:
    """Also where a process that has held more started it."""
    held = b"x" * 500_000_000
    assert measure_peak_memory() > len(held)
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before < 200_000_000
    assert 95_000_000 < after - before < 150_000_000
