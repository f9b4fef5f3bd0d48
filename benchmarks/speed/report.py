"""Run the speed benchmarks and rewrite the table of README.md beside this file: `python benchmarks/speed/report.py`."""

import json
import platform
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
BEGIN, END = "<!-- measured -->", "<!-- end -->"


def measure() -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speed.json"
        command = [sys.executable, "-m", "pytest", str(HERE), "-q", f"--benchmark-json={path}"]
        subprocess.run(command, check=True)
        found: list[dict[str, object]] = json.loads(path.read_text())["benchmarks"]
        return found


def human(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def table(benchmarks: list[dict[str, object]]) -> str:
    """A row a benchmark: median, and its ratio to the harness's in the same run."""
    lines = ["| what | who | median | times the harness |", "| --- | --- | --- | --- |"]
    for group, members in groupby(benchmarks, key=lambda b: str(b["group"])):
        medians = {str(b["name"]).removeprefix("test_"): float(b["stats"]["median"]) for b in members}  # type: ignore[index]
        for name, median in medians.items():
            lines.append(f"| {group} | {name} | {human(median)} | {median / medians['harness']:.3g} |")
    conditions = f"Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}, one process"
    return f"{BEGIN}\n\n{conditions}:\n\n" + "\n".join(lines) + f"\n\n{END}"


if __name__ == "__main__":
    readme = HERE / "README.md"
    text = readme.read_text()
    before, _, rest = text.partition(BEGIN)
    readme.write_text(before + table(measure()) + rest.partition(END)[2])
    print(readme)
