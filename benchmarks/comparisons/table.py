"""Rewrite the table of docs/explanation/methods.md from the finished studies beside this file.

harness run benchmarks/comparisons/methods-201.toml --jobs 1
harness run benchmarks/comparisons/methods-1shot1.toml --jobs 1
python benchmarks/comparisons/table.py

Measures each method's peak memory on NAS-Bench-201 on the way (memory.py, a fresh process each, some seconds).
`table.py --restate` measures nothing: papers, statuses and passes become what `harness list methods` says now.
"""

import subprocess
import sys
from pathlib import Path

from harness.cli.listing import listing
from harness.results.frames import Results
from harness.runs.execute import plan
from harness.runs.study import load_study
from harness.search.methods import methods

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "explanation" / "methods.md"
BEGIN, END = "<!-- measured -->", "<!-- end -->"
STUDIES = ("methods-201", "methods-1shot1")


def measured(name: str) -> dict[str, tuple[str, str]]:
    """Of each method: final test error (median, lowest to highest), and processor seconds relative to DARTS."""
    study = load_study(HERE / f"{name}.toml")
    planned = plan(study, Path("results/runs"))
    missing = [p.run.folder_name for p in planned if not p.finished]
    if missing:
        sys.exit(f"{len(missing)} runs of {name} are missing: harness run {HERE / name}.toml")
    results = Results.of_runs(planned, study.table)
    rows = {row["method"]: row for row in results.final()}
    seconds = results.timing.groupby(["method", "seed"])["cpu_s"].max().groupby("method").median()
    return {
        method: (
            f"{row['final_error_pct']:.1f} ({row['lowest']:.1f} to {row['highest']:.1f})",
            f"{seconds[method] / seconds['darts']:.1f}" if seconds[method] > 0.2 else "0",
        )
        for method, row in rows.items()
    }


def memory(method: str) -> float:
    """Peak memory in MB that a method adds (see memory.py)."""
    command = [sys.executable, HERE / "memory.py", HERE / f"{STUDIES[0]}.toml", method]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def told(method: str) -> list[str]:
    """Paper, status and passes of a method by any of its names; nothing of a combination, whose parts have rows."""
    known = methods()
    if method not in known:
        return ["", "", ""]
    own = known[method]
    same = {n for n, e in known.items() if (e.searcher, e.regularizers) == (own.searcher, own.regularizers)}
    row = next(row for row in listing("methods") if row["method"] in same)
    return [row[key] for key in ("paper", "status", "passes")]


def table() -> str:
    found = [measured(name) for name in STUDIES]
    lines = [
        "| method | paper | status | passes | 201: test error % | x DARTS | s1: test error % | x DARTS | peak MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for method in found[0]:
        cells = [cell for study in found for cell in study[method]]
        lines.append(f"| `{method}` | {' | '.join([*told(method), *cells])} | {memory(method):.0f} |")
    return "\n".join(lines)


def parted(page: str) -> tuple[str, str, str]:
    """A page before, in and after its table."""
    before, _, rest = page.partition(BEGIN)
    inside, _, after = rest.partition(END)
    return before, inside.strip(), after


def restated(measurements: str) -> str:
    """The table with what was measured, and with papers, statuses and passes as they are now."""
    lines = measurements.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("| `"):
            method, _, _, _, *cells = line.strip("| ").split(" | ")
            lines[number] = f"| {' | '.join([method, *told(method.strip('`')), *cells])} |"
    return "\n".join(lines)


if __name__ == "__main__":
    before, inside, after = parted(PAGE.read_text())
    inside = restated(inside) if "--restate" in sys.argv else table()
    PAGE.write_text(f"{before}{BEGIN}\n\n{inside}\n\n{END}{after}")
    print(PAGE)
