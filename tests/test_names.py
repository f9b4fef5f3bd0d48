"""Nothing outside of its own file names a space, a method, an operation, a data set, a figure or a format."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.registry import Registry
from harness.datasets.base import DATASETS
from harness.plots.base import FIGURES
from harness.results.exporters.base import EXPORTERS
from harness.results.importers.base import IMPORTERS
from harness.results.policies.base import POLICIES
from harness.runs.executors.base import EXECUTORS
from harness.search.methods import list_methods
from harness.search.probes.base import PROBES
from harness.search.regularizers.base import REGULARIZERS
from harness.search.searchers.base import SEARCHERS
from harness.spaces.base import SPACES
from harness.tables.formats.base import FORMATS
from tests.conftest import ROOT

REGISTRIES = (
    SPACES,
    DATASETS,
    SEARCHERS,
    REGULARIZERS,
    PROBES,
    FORMATS,
    FIGURES,
    IMPORTERS,
    EXPORTERS,
    EXECUTORS,
    POLICIES,
)
ORDINARY = (FIGURES,)
"""Kinds whose names are ordinary words, of which imports alone are looked at."""
HOUSE = ROOT / "harness"
ALLOWED = {
    ("api/runs.py", "none"): "runs of no method",
    ("cli/claims.py", "csv"): "how rows are printed",
    ("cli/judging.py", "csv"): "how rows are printed",
    ("cli/ledger.py", "csv"): "how rows are printed",
    ("cli/printing.py", "csv"): "how rows are printed",
    ("cli/listing.py", "none"): "a method without regularizers",
    ("plots/base.py", "none"): "no title",
    ("cli/submit.py", "slurm"): "the queue, where none is named",
    ("runs/execute.py", "local"): "the executor, where none is named",
    ("report/publish.py", "harness.plots.trajectory"): "the figure of what is published",
    ("tables/catalog.py", "none"): "no table",
    ("verdicts/claims/check.py", "none"): "a claim that no run was looked at for",
    ("verdicts/claims/page.py", "noise"): "a column of the page",
    ("search/loop.py", "none"): "a clip that counts no logits",
    ("search/methods.py", "harness.search.searchers.darts"): "the searcher of a method that names none",
    ("tables/training/train.py", "harness.datasets.digits"): "the data of the tables that are trained here",
    ("tables/training/on_demand.py", "harness.datasets.digits"): "the data of the tables that are trained here",
    ("tables/training/recipe.py", "digits100"): "the data of the tables that are trained here",
    ("testing/conformance/families/projection.py", "harness.search.regularizers.perturbation_selection"): "its records",
    **{
        (f"testing/conformance/families/{family}.py", name): "its records"
        for family, names in {
            "blackbox": ("regularized-evolution", "nasbench201", "harness.search.searchers.hyperband"),
            "projected": ("harness.search.searchers.nasp",),
            "derivation": ("darts",),
            "language": ("none", "awd"),
            "parsing": ("harness.search.searchers.fairdarts",),
            "sampling": ("harness.search.regularizers.sampled_selection",),
            "sequence": ("harness.search.regularizers.sequential_decisions",),
            "stages": ("harness.search.regularizers.staged_dropping",),
            "stopping": ("harness.search.regularizers.operation_stopping",),
        }.items()
        for name in names
    },
    ("testing/conformance/searches.py", "none"): "what a record says of weights that were not evaluated",
    ("testing/contracts.py", "harness.datasets.digits"): "the data of the contract suites",
}
"""What may be said elsewhere, and why."""


def own_files(registry: Registry) -> set[Path]:
    """The files of a kind's plugins: theirs, those of their folder, and the helpers that stand beside them."""
    found: set[Path] = set()
    for cls in registry.classes.values():
        path = Path(str(sys.modules[cls.__module__].__file__))
        found |= set(path.parent.rglob("*.py"))
    # what only a replay needs to know of them
    return found | set((HOUSE / "testing" / "conformance" / "adapters").rglob("*.py"))


def names() -> set[str]:
    """Everything that has a name of its own."""
    operations = {op for kind in SPACES.classes.values() for op in kind.operations}
    return operations | set(list_methods()) | {name for r in REGISTRIES if r not in ORDINARY for name in r.classes}


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """String constants that are no docstrings or comments."""
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body
        and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.lineno, node.value


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def told_elsewhere(path: Path, plugins: set[str]) -> list[str]:
    """What a file outside of the plugins says of them."""
    tree, where = ast.parse(path.read_text()), path.relative_to(HOUSE).as_posix()
    said = [(line, text) for line, text in strings(tree) if text in names()]
    said += [(line, module) for line, module in imports(tree) if module in plugins]
    return [f"harness/{where}:{line} names {text!r}" for line, text in said if (where, text) not in ALLOWED]


def test_nothing_is_named_outside_of_its_own_file() -> None:
    own = set().union(*map(own_files, REGISTRIES))
    plugins = {cls.__module__ for r in REGISTRIES for cls in r.classes.values()}
    plugins |= {f"harness.spaces.{p.name}" for p in (HOUSE / "spaces").iterdir()} - {"harness.spaces.blocks"}
    outside = [p for p in sorted(HOUSE.rglob("*.py")) if p not in own and "spaces/" not in p.as_posix()]
    assert len(outside) > 60
    assert [line for path in outside for line in told_elsewhere(path, plugins)] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('METHODS = ["sdarts-rs"]', "names 'sdarts-rs'"),
        ('SKIP = "skip_connect"', "names 'skip_connect'"),
        ("from harness.spaces.nasbench201.space import EDGES", "names 'harness.spaces.nasbench201.space'"),
    ],
)
def test_the_scan_finds_what_it_looks_for(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = HOUSE / "made_up.py"
    read = Path.read_text

    def made_up(self: Path, *how: Any, **more: Any) -> str:
        """Every other file is read as ever: plugins are found by files, too."""
        return text if self == path else read(self, *how, **more)

    monkeypatch.setattr(Path, "read_text", made_up)
    (line,) = told_elsewhere(path, {"harness.spaces.nasbench201.space"})
    assert message in line


def test_no_two_classes_have_one_name() -> None:
    where: dict[str, list[str]] = {}
    for path in sorted(HOUSE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                where.setdefault(node.name, []).append(path.relative_to(HOUSE).as_posix())
    assert {name: files for name, files in where.items() if len(files) > 1} == {}
