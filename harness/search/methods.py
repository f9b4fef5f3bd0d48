"""Methods: names from the literature, each one searcher and a list of regularizers; `a + b` combines them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.core.errors import HarnessError, suggest_names
from harness.core.registry import Plugin, Registry
from harness.core.text import brief
from harness.search.naming import NamedUse, Recipes
from harness.search.regularizers.base import REGULARIZERS, Regularizer
from harness.search.searchers.base import SEARCHERS, SupernetSearcher, compose_searchers
from harness.search.searchers.darts import DARTS
from harness.spaces.base import APART, PresetName, Space

Fields = dict[str, Any]
PLAIN = DARTS()
"""The searcher of a method that names none."""


@dataclass(frozen=True)
class Method:
    """A searcher and the regularizers that it runs with, in order. made_of: where the searcher is composed, its
    relaxation and its estimator."""

    searcher: Any
    regularizers: tuple[Regularizer, ...]
    made_of: tuple[Any, ...] = ()

    def parts(self) -> dict[str, Plugin]:
        return {part.name: part for part in (*self.searchers, *self.regularizers)}

    @property
    def searchers(self) -> tuple[Any, ...]:
        return self.made_of or (self.searcher,)

    def supernet_options(self) -> dict[str, Any]:
        """What the regularizers ask of the one-shot network."""
        options: dict[str, Any] = {}
        for regularizer in self.regularizers:
            options |= regularizer.supernet_options()
        return options

    def passes(self) -> tuple[int, int] | None:
        """Forward and backward passes of the one-shot network in a step; None where there is no such network."""
        if not isinstance(self.searcher, SupernetSearcher):
            return None
        held = any(r.holds_alpha for r in self.regularizers)
        counts = [(0, 0) if held else self.searcher.passes(), *(r.passes() for r in self.regularizers)]
        return 1 + sum(f for f, _ in counts), 1 + sum(b for _, b in counts)

    @property
    def stacks(self) -> bool:
        """Whether its steps can be taken beside those of other searches."""
        searches = isinstance(self.searcher, SupernetSearcher)
        return searches and self.searcher.stacks and all(regularizer.stacks for regularizer in self.regularizers)

    def override(self, changes: dict[str, Fields]) -> Method:
        """The same method with some fields changed: {part's name: {field: value}}."""
        parts = self.parts()
        for name, fields in changes.items():
            if name not in parts:
                raise HarnessError(f"this method has no part {name!r} to set: {suggest_names(name, parts)}")
            if not isinstance(fields, Mapping):
                raise HarnessError(f"{name} = {brief(fields)} sets no fields: write {name} = {{field = value}}")
            kind = SEARCHERS if parts[name] in self.searchers else REGULARIZERS
            parts[name] = kind.build(name, parts[name].model_dump() | fields)
        count = len(self.searchers)
        built: list[Any] = list(parts.values())
        return combine_parts(built[:count], tuple(built[count:]))

    def describe(self) -> dict[str, Fields]:
        """Every part with its fields and its revision: what a run's identity is made of."""
        return {name: part.identity() for name, part in self.parts().items()}


@dataclass(frozen=True)
class Entry:
    """A name's parts. alias: another spelling of a name. official: {part: fields} of the preset `official`. recipes:
    how its paper trains."""

    searcher: Any
    regularizers: tuple[Regularizer, ...]
    alias: bool
    official: Mapping[str, Fields]
    recipes: Recipes


@cache
def list_methods() -> dict[str, Entry]:
    """Every known name: those that the registered searchers and regularizers declare, and each regularizer's own."""
    found: dict[str, Entry] = {}
    for registry in (SEARCHERS, REGULARIZERS):
        for own, cls in registry.classes.items():
            for name, named in _list_declared(registry, own, cls).items():
                if name in found:
                    raise HarnessError(f"two parts declare the method {name!r}: give one of them another name")
                parts = (cls(**named.fields), *named.beside)
                searchers = [p for p in parts if not isinstance(p, Regularizer)]
                regularizers = tuple(p for p in parts if isinstance(p, Regularizer))
                found[name] = Entry(
                    searchers[0] if searchers else PLAIN,
                    regularizers,
                    named.alias,
                    {own: dict(named.official)},
                    getattr(cls, "recipes", {}) if named.recipes is None else named.recipes,
                )
    return found


def _list_declared(registry: Registry, own: str, cls: Any) -> dict[str, NamedUse]:
    """The names of a class; a regularizer can always be asked for by its own, with plain DARTS."""
    declared: dict[str, NamedUse] = dict(vars(cls).get("methods", {}))
    if registry is REGULARIZERS and own not in declared:
        return declared | {own: NamedUse(alias=bool(declared))}
    return declared or {own: NamedUse()}


def build_method(expression: str, preset: PresetName = "fixed") -> Method:
    """The method of a name, or of several joined by ' + '. preset: its own one, `official` as its published code.

    A combination takes all regularizers in the order written, and the searcher that is not plain DARTS; two of them are
    composed if one gives the mixing weights and the other the gradient (`gdas + amended-darts`), else an error.
    """
    known = list_methods()
    searchers: list[Any] = []
    official: dict[str, Fields] = {}
    regularizers: dict[str, Regularizer] = {}
    for name in (part.strip() for part in expression.split("+")):
        if name not in known:
            raise HarnessError(f"unknown method {name!r}: {suggest_names(name, known)}")
        official |= {part: dict(fields) for part, fields in known[name].official.items() if fields}
        if known[name].searcher not in (PLAIN, *searchers):
            searchers.append(known[name].searcher)
        for regularizer in known[name].regularizers:
            if regularizer.name in regularizers:
                raise HarnessError(
                    f"method {expression!r} names the regularizer {regularizer.name!r} twice: leave one out"
                )
            regularizers[regularizer.name] = regularizer
    built = searchers or [PLAIN]
    roles = sorted(getattr(searcher, "role", "whole") for searcher in built)
    if len(built) > 1 and roles != ["estimator", "relaxation"]:
        names = " and ".join(repr(searcher.name) for searcher in built)
        raise HarnessError(
            f"method {expression!r} combines the searchers {names}: two go together where one gives the mixing weights "
            f"({_list_of_role('relaxation')}) and the other the gradient ({_list_of_role('estimator')})"
        )
    if regularizers and not isinstance(built[0], SupernetSearcher):
        raise HarnessError(
            f"method {expression!r} regularizes {built[0].name!r}, which trains no supernet: leave that out"
        )
    built = sorted(built, key=lambda searcher: getattr(searcher, "role", "whole"), reverse=True)  # relaxation first
    # what sets the mixing weights goes before what perturbs them
    found = combine_parts(
        built, tuple(sorted(regularizers.values(), key=lambda regularizer: not regularizer.without_alpha))
    )
    if isinstance(found.searcher, SupernetSearcher):
        refuse_senseless(expression, found.searcher, found.regularizers)
    return found.override(official) if preset == "official" and official else found


def _list_of_role(role: str) -> str:
    """The searchers that can be composed in a role."""
    return ", ".join(name for name, cls in SEARCHERS.classes.items() if getattr(cls, "role", "whole") == role)


def combine_parts(searchers: Sequence[Any], regularizers: tuple[Regularizer, ...]) -> Method:
    """The method of one searcher, or of a relaxation and an estimator."""
    if len(searchers) == 1:
        return Method(searchers[0], regularizers)
    return Method(compose_searchers(*searchers), regularizers, tuple(searchers))


def refuse_unfit(expression: str, chosen: Method, space: Space) -> None:
    """An error for a method that asks for what the networks of a space do not have."""
    if not isinstance(chosen.searcher, SupernetSearcher):
        return
    for part in (*chosen.searchers, *chosen.regularizers):
        for ask in (*part.asks, *((APART,) if part.omits else ())):
            if ask not in space.has:
                raise HarnessError(
                    f"method {expression!r} cannot search {space.name}: {part.name!r} needs {ask}, which its networks "
                    "do not have"
                )


def refuse_senseless(expression: str, searcher: SupernetSearcher, regularizers: Sequence[Regularizer]) -> None:
    """An error for a combination that would run and mean nothing."""
    for regularizer in regularizers:
        for need in regularizer.needs:
            if need not in searcher.offers:
                raise HarnessError(
                    f"method {expression!r} makes no sense: {regularizer.name!r} needs {need}, which the searcher "
                    f"{searcher.name!r} does not have"
                )
    parts: list[Any] = [searcher, *regularizers]
    omitting = [part.name for part in parts if part.omits]
    if omitting and (whole := [r.name for r in regularizers if r.whole]):
        raise HarnessError(
            f"method {expression!r} makes no sense: {whole[0]!r} needs the gradient of every operation, and "
            f"{omitting[0]!r} leaves operations out of a step"
        )
    without = [r.name for r in regularizers if r.without_alpha]
    about = [] if searcher == PLAIN else [searcher.name]
    about += [r.name for r in regularizers if r.of_alpha and not r.without_alpha]
    if without and about:
        raise HarnessError(
            f"method {expression!r} makes no sense: {about[0]!r} is about alpha, and {without[0]!r} searches without it"
        )
    selecting = [r.name for r in regularizers if type(r).select is not Regularizer.select]
    if len(selecting) > 1:
        names = " and ".join(map(repr, selecting))
        raise HarnessError(f"method {expression!r} selects its architecture twice, by {names}: leave one out")
