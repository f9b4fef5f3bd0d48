"""Rewrite the table of docs/explanation/methods.md from finished studies beside this file.

harness run benchmarks/comparisons/methods-201.toml --jobs 1
harness run benchmarks/comparisons/methods-201-published.toml --jobs 1
python benchmarks/comparisons/table.py methods-201 methods-201-published

The first study says the methods, and what each costs beside DARTS; the others add a column of errors each. Measures
every method's peak memory on the way (memory.py, a fresh process each, some seconds).
`table.py --restate` measures nothing: papers, statuses and passes become what `harness list methods` says now.
"""

import subprocess
import sys
from pathlib import Path

from harness.cli.listing import list_members
from harness.results.load import read_planned
from harness.results.runs import Runs
from harness.runs.execute import plan
from harness.runs.study import load_study
from harness.search.methods import list_methods

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "explanation" / "methods.md"
BEGIN, END = "<!-- measured -->", "<!-- end -->"


def finished(name: str) -> Runs:
    """The results of a study, all of whose runs have to be there."""
    study = load_study(HERE / f"{name}.toml")
    planned = plan(study, Path("results/runs"))
    if missing := [p.run.folder_name for p in planned if not p.finished]:
        sys.exit(f"{len(missing)} runs of {name} are missing: harness run {HERE / name}.toml")
    return read_planned(study, planned)


def errors(results: Runs) -> dict[str, str]:
    """Of each method: final test error, median and lowest to highest."""
    rows = results.final().to_dict("records")
    return {r["method"]: f"{r['final_error_pct']:.1f} ({r['lowest']:.1f} to {r['highest']:.1f})" for r in rows}


def costs(results: Runs) -> dict[str, str]:
    """Of each method: processor seconds of a run, relative to DARTS."""
    seconds = results.timing.groupby(["method", "seed"])["cpu_s"].max().groupby("method").median()
    return {m: f"{s / seconds['darts']:.1f}" if s > 0.2 else "0" for m, s in seconds.items()}


def memory(study: str, method: str) -> float:
    """Peak memory in MB that a method adds (see memory.py)."""
    command = [sys.executable, HERE / "memory.py", HERE / f"{study}.toml", method]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def told(method: str) -> list[str]:
    """Paper, status and passes of a method by any of its names; nothing of a combination, whose parts have rows."""
    known = list_methods()
    if method not in known:
        return ["", "", ""]
    own = known[method]
    same = {n for n, e in known.items() if (e.searcher, e.regularizers) == (own.searcher, own.regularizers)}
    row = next(row for row in list_members("methods") if row["method"] in same)
    return [row[key] for key in ("paper", "status", "passes")]


def table(first: str, *others: str) -> str:
    """A row a method of the first study."""
    results = finished(first)
    columns = [errors(results), costs(results), *(errors(finished(name)) for name in others)]
    heads = [f"{first}: test error %", "x DARTS", *(f"{name}: test error %" for name in others), "peak MB"]
    lines = [f"| method | paper | status | passes | {' | '.join(heads)} |", f"|{' --- |' * (4 + len(heads))}"]
    for method in columns[0]:
        cells = [column.get(method, "") for column in columns]
        lines.append(f"| `{method}` | {' | '.join([*told(method), *cells])} | {memory(first, method):.0f} |")
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
    asked = sys.argv[1:] or sys.exit("usage: python benchmarks/comparisons/table.py STUDY [STUDY ...] | --restate")
    inside = restated(inside) if asked == ["--restate"] else table(*asked)
    PAGE.write_text(f"{before}{BEGIN}\n\n{inside}\n\n{END}{after}")
    print(PAGE)
