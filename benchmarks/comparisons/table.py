"""Rewrite the table of docs/methods.md from the finished studies beside this file.

harness run benchmarks/comparisons/methods-201.toml --jobs 1
harness run benchmarks/comparisons/methods-1shot1.toml --jobs 1
python benchmarks/comparisons/table.py
"""

import sys
from pathlib import Path

from harness.listing import listing
from harness.results import Results
from harness.runner import plan
from harness.study import load_study

HERE = Path(__file__).parent
BEGIN, END = "<!-- measured -->", "<!-- end -->"
STUDIES = ("methods-201", "methods-1shot1")


def measured(name: str) -> dict[str, tuple[str, str]]:
    """Of each method: final test error (median, lowest to highest), and seconds relative to DARTS."""
    study = load_study(HERE / f"{name}.toml")
    planned = plan(study, Path("results/runs"))
    missing = [p.run.folder_name for p in planned if not p.finished]
    if missing:
        sys.exit(f"{len(missing)} runs of {name} are missing: harness run {HERE / name}.toml")
    rows = {row["method"]: row for row in Results.of_runs(planned, study.table).final()}
    base = rows["darts"]["seconds"]
    return {
        method: (
            f"{row['final_error_pct']:.1f} ({row['lowest']:.1f} to {row['highest']:.1f})",
            f"{row['seconds'] / base:.1f}" if row["seconds"] > 0.2 else "0",
        )
        for method, row in rows.items()
    }


def table() -> str:
    found = [measured(name) for name in STUDIES]
    told = {row["method"]: row for row in listing("methods")}
    lines = [
        "| method | paper | status | NAS-Bench-201: test error % | x DARTS | 1Shot1 s1: test error % | x DARTS |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for method in found[0]:
        row = told.get(method, {"paper": "", "status": ""})
        cells = [cell for study in found for cell in study[method]]
        lines.append(f"| `{method}` | {row['paper']} | {row['status']} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    path = HERE.parent.parent / "docs" / "methods.md"
    before, _, rest = path.read_text().partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.partition(END)[2]}")
    print(path)
