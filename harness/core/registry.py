"""The folder is the registry: a plugin is one file or folder, and its class carries its name.

Each kind of plugin has a `Registry` beside its base class. Asking it for a name imports the modules of the kind
and the entry points of the group `nasbench_harness.<kind>`, so that an installed package adds plugins without touching
this one.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any, ClassVar

from pydantic import ValidationError

from harness.core.errors import HarnessError, suggest_names
from harness.core.settings import Settings
from harness.core.text import brief

DISTRIBUTION = "nasbench-harness"
"""What pip knows the package as; its cache folder and its groups of entry points are named alike."""


class Plugin(Settings):
    """A frozen set of hyperparameters with a registered name."""

    name: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    """Where it comes from, for listings: authors, venue, arXiv number."""
    status: ClassVar[str] = "specified"
    """`conforms` (replays published numbers), `specified` (closed-form or property tests), or `adapted` (changed to fit
    these spaces). Of another package's parts only what they say themselves counts."""
    revision: ClassVar[int] = 1
    """Raised when the same fields give other rows, so that its runs, and no others, are other ones."""
    later: ClassVar[tuple[str, ...]] = ()
    """Fields that it did not have from the beginning: at their defaults, its runs are those of before."""

    decisions: ClassVar[tuple[str, ...]] = ()
    """Records of published decisions that it replays, beside those of its `records`."""
    lacks: ClassVar[str] = "no record of published code"
    """Why it replays none, or not all of them."""

    def evidence(self) -> str:
        """The records of published code that it replays, or why there are none."""
        return ", ".join((*vars(type(self)).get("records", ()), *self.decisions)) or self.lacks

    def proof(self) -> str:
        """The status with these fields."""
        return self.status

    def identity(self) -> dict[str, Any]:
        """What a run's identity has of it: every field, but `later` ones at their defaults; its revision after the
        first."""
        told = self.model_dump(mode="json")
        usual = self.model_dump(mode="json", exclude_defaults=True)
        told = {field: value for field, value in told.items() if field not in self.later or field in usual}
        return told | ({"revision": self.revision} if self.revision > 1 else {})


class Registry:
    """The plugins of one kind.

    kind: its name, a plural, and that of its entry points. package: the folder that is looked through, as it is
    imported. A module or folder there registers every class that it defines with a `name` of its own.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self.package = kind, package

    @property
    def one(self) -> str:
        """What one of them is called."""
        return f"{self.kind[:-3]}y" if self.kind.endswith("ies") else self.kind[:-1]

    @property
    def group(self) -> str:
        """The group of entry points by which installed packages add to the kind."""
        return f"{DISTRIBUTION.replace('-', '_')}.{self.kind}"

    @cached_property
    def classes(self) -> dict[str, type[Any]]:
        """Every registered class by name, in alphabetical order."""
        package = importlib.import_module(self.package)
        modules = [importlib.import_module(f"{self.package}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
        # those that a module or folder defines, not those that it imports
        found = [
            c
            for m in modules
            for c in vars(m).values()
            if isinstance(c, type) and f"{c.__module__}.".startswith(f"{m.__name__}.")
        ]
        named = {name: c for c in found if isinstance(name := vars(c).get("name"), str) and name}
        for point in entry_points(group=self.group):
            cls = self._loaded(point)
            if cls.name in named:
                raise HarnessError(
                    f"the entry point {point.value!r} adds a second {self.one} {cls.name!r}: give it another name"
                )
            named[cls.name] = cls
        return dict(sorted(named.items()))

    def _loaded(self, point: Any) -> type[Any]:
        try:
            cls = point.load()
        except Exception as error:  # another package's module can fail in any way
            raise HarnessError(
                f"the entry point {point.value!r} of {self.group} cannot be loaded ({error!r:.200}): "
                "mend or uninstall its package"
            ) from None
        if not (isinstance(cls, type) and isinstance(vars(cls).get("name"), str) and vars(cls)["name"]):
            raise HarnessError(f"the entry point {point.value!r} of {self.group} is no class with a `name` of its own")
        if lacking := sorted(getattr(cls, "__abstractmethods__", ())):
            raise HarnessError(
                f"the entry point {point.value!r} of {self.group} lacks {', '.join(lacking)}: write "
                f"{'it' if len(lacking) == 1 else 'them'}; the base class says what each gives"
            )
        return cls

    def find(self, name: str) -> type[Any]:
        """The class registered under this name, or an error that suggests the closest names."""
        if not isinstance(name, str):  # what stands in a file can be anything
            raise HarnessError(f"{name!r} cannot name a {self.one}: write its name in quotes")
        if name not in self.classes:
            raise HarnessError(f"unknown {self.one} {name!r}: {suggest_names(name, self.classes)}")
        return self.classes[name]

    def build(self, name: str, fields: dict[str, Any]) -> Any:
        """An instance with these hyperparameters; a misspelt or impossible one is an error that names it."""
        cls = self.find(name)
        try:
            return cls(**fields)
        except ValidationError as error:
            raise HarnessError(explain(error, f"{self.one} {name!r}", cls.model_fields)) from None


def explain(error: ValidationError, where: str, known: Any) -> str:
    """The first problem of a validation error as one sentence."""
    problems = error.errors()
    # a misspelt required key is also a missing one: the spelling is what helps
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    path = ".".join(str(p) for p in problem["loc"])
    if problem["type"] == "extra_forbidden":
        key = str(problem["loc"][-1])
        return f"{where} has no key {path!r}: {suggest_names(key, known)}"
    if problem["type"] == "missing":
        return f"{where} needs the key {path!r}: add it"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {path or 'value'} = {brief(problem['input'])} is not usable: {message}"
