"""The folder is the registry: a plugin is one file, and its class carries its name.

Looking a name up imports the modules of the kind's folder (`harness/<kind>/`) and the entry points of the group
`harness.<kind>`, so that an installed package adds plugins without touching this one.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.core.errors import HarnessError, did_you_mean

PACKAGES = {
    "spaces": "harness.spaces",
    "searchers": "harness.search.searchers",
    "regularizers": "harness.search.regularizers",
    "datasets": "harness.datasets",
    "probes": "harness.search.probes",
    "importers": "harness.results.importers",
    "exporters": "harness.results.exporters",
}


class Plugin(BaseModel):
    """A frozen set of hyperparameters with a registered name. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    """Where it comes from, for listings: authors, venue, arXiv number."""
    status: ClassVar[str] = "specified"
    """`conforms` (replays published numbers), `specified` (closed-form or property tests), or `adapted` (changed to fit
    these spaces)."""

    def proof(self) -> str:
        """The status with these fields."""
        return self.status


@cache
def plugins(kind: str) -> dict[str, type[Any]]:
    """Every registered class of a kind by name, in alphabetical order."""
    package = importlib.import_module(PACKAGES[kind])
    found: dict[str, type[Any]] = {}
    modules = [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    # those that a module or folder defines, not those that it imports
    classes = [
        c
        for m in modules
        for c in vars(m).values()
        if isinstance(c, type) and f"{c.__module__}.".startswith(f"{m.__name__}.")
    ]
    classes += [point.load() for point in entry_points(group=f"harness.{kind}")]
    for cls in classes:
        name = vars(cls).get("name")
        if isinstance(name, str) and name:
            found[name] = cls
    return dict(sorted(found.items()))


def find(kind: str, name: str) -> type[Any]:
    """The class registered under this name, or an error that suggests the closest names."""
    known = plugins(kind)
    if name not in known:
        raise HarnessError(f"unknown {kind[:-1]} {name!r}: {did_you_mean(name, known)}")
    return known[name]


def build(kind: str, name: str, fields: dict[str, Any]) -> Any:
    """An instance with these hyperparameters; a misspelt or impossible one is an error that names it."""
    cls = find(kind, name)
    try:
        return cls(**fields)
    except ValidationError as error:
        raise HarnessError(explain(error, f"{kind[:-1]} {name!r}", cls.model_fields)) from None


def explain(error: ValidationError, where: str, known: Any) -> str:
    """The first problem of a validation error as one sentence."""
    problems = error.errors()
    # a misspelt required key is also a missing one: the spelling is what helps
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    path = ".".join(str(p) for p in problem["loc"])
    if problem["type"] == "extra_forbidden":
        key = str(problem["loc"][-1])
        return f"{where} has no key {path!r}: {did_you_mean(key, known)}"
    if problem["type"] == "missing":
        return f"{where} needs the key {path!r}: add it"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {path or 'value'} = {problem['input']!r} is not usable: {message}"
