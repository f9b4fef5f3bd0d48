"""Run the speed benchmarks and rewrite the tables and the figure beside this file: `python benchmarks/speed/report.py`.

With `--against REV` it measures this build beside an older revision instead (`against.py`), and rewrites that table
alone. About an hour and a half, and as much beside a revision; the machine should be idle. Parts may be named.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import against
import growth
import hessians
import numpy as np
import overhead
import torch

HERE = Path(__file__).parent


def measure(name: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speed.json"
        command = [sys.executable, "-m", "pytest", str(HERE / name), "-q", f"--benchmark-json={path}"]
        subprocess.run(command, check=True, cwd=HERE)
        found: list[dict[str, Any]] = json.loads(path.read_text())["benchmarks"]
        return found


def lines_of(script: str, *arguments: str) -> list[list[str]]:
    """What a script of this folder prints, in words."""
    command = [sys.executable, str(HERE / script), *arguments]
    text = subprocess.run(command, check=True, cwd=HERE, capture_output=True, text=True).stdout
    return [line.split() for line in text.splitlines()]


def human(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def memory_row(space: str) -> str:
    """Medians of three processes each, in turn: how the allocator's blocks fall differs by a tenth."""
    peaks: dict[str, list[float]] = {"plain": [], "harness": []}
    for _ in range(3):
        for who, found in peaks.items():
            found.append(float(lines_of("memory.py", space, "darts", who)[0][1]))
    plain, ours = (statistics.median(found) for found in peaks.values())
    return f"| {space} | {plain:.0f} MB | {ours:.0f} MB | {ours / plain:.2f} |"


def search_table() -> list[str]:
    """A row a benchmark: both medians, and how many times faster the harness is."""
    lines = ["| what | straightforward | harness | times as fast |", "| --- | --- | --- | --- |"]
    for found in measure("test_search.py"):
        plain, ours = found["extra_info"]["straightforward"], found["stats"]["median"]
        name = found["name"].removeprefix("test_").replace("_", " ")
        lines.append(f"| {name} | {human(plain)} | {human(ours)} | {plain / ours:.2f} |")
    (_, ours), (_, plain) = lines_of("seeds.py")
    lines.append(f"| seeds per hour | {float(plain):.3f} | {float(ours):.3f} | {float(ours) / float(plain):.2f} |")
    return lines


def memory_table() -> list[str]:
    """A row a space: the peaks of two processes, and the harness's share of the other's."""
    lines = ["| space | straightforward | harness | share |", "| --- | --- | --- | --- |"]
    return lines + [memory_row(space) for space in ("nasbench201", "nasbench1shot1.s1", "nasbench1shot1.s3")]


def overhead_table() -> list[str]:
    found = overhead.measure()
    return [
        "| what | measured |",
        "| --- | --- |",
        f"| `harness --help` | {human(found['help_s'])} |",
        f"| `harness run`, from the command to the end of the first step | {human(found['first_step_s'])} |",
        f"| records, lookups, checkpoint and progress, of an epoch of `make demo` | {found['beside_pct']:.2f} % |",
    ]


def peers_table() -> list[str]:
    """A row a benchmark: median, and its ratio to the harness's in the same run."""
    lines = ["| what | who | median | times the harness |", "| --- | --- | --- | --- |"]
    for group, members in groupby(measure("test_tables.py"), key=lambda b: str(b["group"])):
        medians = {str(b["name"]).removeprefix("test_"): float(b["stats"]["median"]) for b in members}
        for name, median in medians.items():
            lines.append(f"| {group} | {name} | {human(median)} | {median / medians['harness']:.3g} |")
    return lines


def rewrite(text: str, part: str, lines: list[str]) -> str:
    """The text with the part between its two marks replaced."""
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    before, _, rest = text.partition(begin)
    return before + begin + "\n\n" + "\n".join(lines) + "\n\n" + end + rest.partition(end)[2]


def conditions() -> list[str]:
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"
    return [f"{versions}, {platform.machine()}, {torch.get_num_threads()} cores."]


PARTS: dict[str, Callable[[], list[str]]] = {
    "conditions": conditions,
    "overhead": overhead_table,
    "tables": peers_table,
    "search": search_table,
    "memory": memory_table,
    "hessians": lambda: hessians.table(list(hessians.CASES)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the speed, and write it to README.md beside this file.")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}, figure; all, if not said")
    parser.add_argument("--against", metavar="REV", help="measure this build beside this revision, and nothing else")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - {*PARTS, "figure"}:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    chosen = asked.parts or [*PARTS, "figure"]
    measured = {name: PARTS[name] for name in PARTS if name in chosen}
    if asked.against:
        measured = {"against": lambda: against.table(asked.against)}
    readme = HERE / "README.md"
    for part, table in measured.items():  # written at once: what comes after it may fail
        lines = table()
        readme.write_text(rewrite(readme.read_text(), part, lines))
    if "figure" in chosen and not asked.against:
        growth.main()
    print(readme)


if __name__ == "__main__":
    main()
