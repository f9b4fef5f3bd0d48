"""What a stranger meets in the package: names, docstrings, files, circles. Beside an older revision, if one is named.

python tools/house.py [REVISION]
"""

import ast
import re
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

ROOT = Path(__file__).parents[1]
VERBS = frozenset(
    re.findall(
        r"\w+",
        """
        add adds adjust agrees answer append apply approximate assemble assert assign audit augment average
        await begins build calibrate can canonicalize cast check choose classify clean clip close collect
        combine comment compare complete compose compute conform convert convolve copy correct correlate count
        cut decide declare decode derive describe differentiate digest download draw drop embed emit encode
        end enumerate equalize equals escape estimate evaluate exchange execute expand explain export extend
        extract fail fetch fill find fit fits fix flatten fold format gate generate get group guard has hash
        hold identify import index initialize insert install interpolate invert is iterate join judge keep
        label lacks launch lay lean list load locate look looks make map mark match measure merge mirror mix
        move name normalize open order pad pair parse pass pick plan plot pool predict prepare preprocess
        print probe project propose prune publish push put raise rank read reads rebuild recalibrate redraw
        reduce refuse register rehearse relabel remove rename render repeat replace replay report require
        reset resolve restore round run sample save scale scan seal search select send set shift shorten show
        shuffle sign simulate solve sort spell split stack standardize start starts stop store stream strip
        submit sum summarize survey swap symmetrize sync tabulate take tell test train transform translate
        trim truncate turn undo unescape unflatten unpack unstack unwrap update use verify wait walk warn
        widen wrap write yield zip
        """,
    )
)
"""First words of functions that count as verbs; a command of the command line is one by its nature."""
SHORT = 60
"""Lines below which a file is short."""
RAISES = ("Args", "Returns", "Raises")
REPLAY = r"recorded|^of_record$"
"""Names of functions that only a replay of records calls."""


def iterate_modules(root: Path) -> Iterator[tuple[str, Path, ast.Module]]:
    """Name, path and tree of every module of the package under a folder."""
    for path in sorted((root / "harness").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, path, ast.parse(path.read_text())


def is_command(function: ast.FunctionDef) -> bool:
    return any("command" in ast.unparse(d) or "group" in ast.unparse(d) for d in function.decorator_list)


def begins_with_verb(name: str) -> bool:
    return name.strip("_").split("_")[0] in VERBS


def count_circles(modules: dict[str, ast.Module]) -> int:
    """Groups of modules that import one another, imports within functions and for types counted."""
    places = {name: place for place, name in enumerate(modules)}
    edges = set()
    for name, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                named = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = {each if each in places else node.module for each in named}
                edges |= {(places[name], places[m]) for m in targets if m in places and m != name}
    rows, columns = zip(*edges, strict=True)
    graph = coo_array((np.ones(len(edges)), (rows, columns)), shape=(len(places), len(places)))
    labels = connected_components(graph, connection="strong")[1]
    return int((np.bincount(labels) > 1).sum())


def describe_house(root: Path) -> dict[str, str]:
    """Each share and count of the package under a folder, as a text."""
    functions, documents, public, lines = [], [], [], []
    classes: dict[str, int] = defaultdict(int)
    modules = {}
    replay = 0
    for name, path, tree in iterate_modules(root):
        modules[name] = tree
        lines.append(len(path.read_text().splitlines()))
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                classes[node.name] += 1
            if isinstance(node, ast.FunctionDef):
                functions.append((node.name, is_command(node)))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and "testing" not in path.parts and re.search(REPLAY, node.name):
                replay += (node.end_lineno or node.lineno) - node.lineno + 1
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node)):
                documents.append(text)
                if not node.name.startswith("_"):
                    public.append(text)
    verbs = sum(command or begins_with_verb(name) for name, command in functions)
    single = sum("_" not in name.strip("_") and not command for name, command in functions)
    sections = {part: sum(f"{part}:" in text for text in public) / len(public) for part in RAISES}
    return {
        "top-level functions": f"{len(functions):,}",
        "  that begin with a verb": f"{verbs / len(functions):.0%}",
        "  that are a single word": f"{single / len(functions):.0%}",
        "class names that several classes have": f"{sum(n > 1 for n in classes.values())}",
        "docstrings, median words": f"{statistics.median(len(t.split()) for t in documents):.0f}",
        "docstrings with Args / Returns / Raises": " / ".join(f"{sections[part]:.0%}" for part in RAISES),
        f"files, and those under {SHORT} lines": f"{len(lines)}, {sum(n < SHORT for n in lines)}",
        "groups of modules in a circle": f"{count_circles(modules)}",
        "lines of production code for replay": f"{replay}",
    }


def main(revision: str | None) -> None:
    today = describe_house(ROOT)
    before = {}
    if revision:
        with tempfile.TemporaryDirectory() as folder:
            command = f"git archive {revision} harness | tar -x -C {folder}"
            subprocess.run(["bash", "-c", command], cwd=ROOT, check=True)
            before = describe_house(Path(folder))
    width = max(map(len, today))
    for key, value in today.items():
        print(f"{key:{width}}  {before.get(key, ''):>14}  {value:>14}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
