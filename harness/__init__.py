"""Reproduce differentiable architecture searches over NAS-Bench tables, and check what they claim.

    import harness

    harness.run("study.toml", seeds="0..4")
    r = harness.load("results/runs/study")
    r.final(), r.compare(baseline="darts"), r.plot("trajectory")

Names are imported when they are first asked for: `import harness` takes no torch, pandas or matplotlib.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from harness.core.version import __version__

if TYPE_CHECKING:
    from harness.api.runs import LoadedRuns, compare, gate, ledger, load, plot, rank, report
    from harness.api.studies import plan, run
    from harness.core.errors import HarnessError, InvalidStudyError, MissingDataError
    from harness.results.runs import Runs
    from harness.runs.manifest import DamagedError
    from harness.spaces.base import search_space
    from harness.tables.catalog import open_table

__all__ = [
    "DamagedError",
    "HarnessError",
    "InvalidStudyError",
    "LoadedRuns",
    "MissingDataError",
    "Runs",
    "__version__",
    "compare",
    "gate",
    "ledger",
    "load",
    "open_table",
    "plan",
    "plot",
    "rank",
    "report",
    "run",
    "search_space",
]

HOMES = {
    "DamagedError": "harness.runs.manifest",
    "HarnessError": "harness.core.errors",
    "InvalidStudyError": "harness.core.errors",
    "MissingDataError": "harness.core.errors",
    "LoadedRuns": "harness.api.runs",
    "Runs": "harness.results.runs",
    "compare": "harness.api.runs",
    "gate": "harness.api.runs",
    "ledger": "harness.api.runs",
    "load": "harness.api.runs",
    "open_table": "harness.tables.catalog",
    "plan": "harness.api.studies",
    "plot": "harness.api.runs",
    "rank": "harness.api.runs",
    "report": "harness.api.runs",
    "run": "harness.api.studies",
    "search_space": "harness.spaces.base",
}
"""Where each public name is."""


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__


class _Public(ModuleType):
    """This package: a public name stays what it is where a folder has the same, as that of reports."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in HOMES and isinstance(value, ModuleType)):  # an import hangs folders in here
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Public
