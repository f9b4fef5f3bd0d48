"""Names from the literature, each bound to one searcher and a list of regularizers; `a + b` combines them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.errors import HarnessError, did_you_mean
from harness.core.registry import Plugin, build, plugins
from harness.search.regularizers.base import Regularizer
from harness.search.searchers.base import SupernetSearcher, composed

Fields = dict[str, Any]

Part = tuple[str, Fields]
"""A registered name and the fields that differ from its defaults."""

METHODS: dict[str, tuple[Part, tuple[Part, ...]]] = {
    "darts": (("darts", {}), ()),
    "darts-2nd": (("darts", {"order": 2}), ()),
    "sdarts-rs": (("darts", {}), (("random-smoothing", {}),)),
    "sdarts-adv": (("darts", {}), (("adversarial", {}),)),
    "beta-darts": (("darts", {}), (("beta-decay", {}),)),
    "ms-darts": (("darts", {}), (("mean-shift", {}),)),
    "ms-darts-true": (("darts", {}), (("mean-shift", {"variant": "true"}),)),
    "ms-darts-control": (("darts", {}), (("random-smoothing", {"epsilon": 0.204, "epsilon_start": 0.0204}),)),
    "pc-darts": (("darts", {}), (("partial-channels", {}),)),
    "p-darts": (("darts", {}), (("staged-dropping", {}),)),
    "lambda-darts": (("darts", {}), (("layer-alignment", {}),)),
    "darts-pt": (("darts", {}), (("perturbation-selection", {}),)),
    "oles": (("darts", {}), (("operation-stopping", {}),)),
    "sgas": (("darts", {}), (("sequential-decisions", {}),)),
    "darts-minus": (("darts", {}), (("auxiliary-skip", {}),)),
    "r-darts-l2": (("darts", {}), (("weight-decay", {}),)),
    "r-darts-dp": (("darts", {}), (("drop-path", {}), ("cutout", {"ramp": True}))),
    "darts-es": (("darts", {}), (("eigenvalue-stopping", {}),)),
    "darts-ada": (("darts", {}), (("adaptive-decay", {}),)),
    "darts-plus": (("darts", {}), (("skip-stopping", {}),)),
    "amended-darts": (("amended", {}), ()),
    "idarts": (("idarts", {}), ()),
    "sam-darts": (("sam", {}), ()),
    "drnas": (("drnas", {}), ()),
    "gdas": (("gumbel", {"variant": "hard", "temperature_end": 0.1}), ()),
    "snas": (("gumbel", {}), ()),
    "gaea": (("gaea", {}), ()),
    "fairdarts": (("fairdarts", {}), ()),
    "nasp": (("nasp", {}), ()),
    "random-nas": (("uniform-path", {}), (("sampled-selection", {}),)),
    "regularised-evolution": (("regularised-evolution", {}), ()),
    "local-search": (("local-search", {}), ()),
    "reinforce": (("reinforce", {}), ()),
    "hyperband": (("hyperband", {}), ()),
    "bohb": (("bohb", {}), ()),
    "random-search": (("random-search", {}), ()),
}
"""name -> (searcher, regularizers)."""


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
        counts = [self.searcher.passes(), *(r.passes() for r in self.regularizers)]
        return 1 + sum(f for f, _ in counts), 1 + sum(b for _, b in counts)

    def override(self, changes: dict[str, Fields]) -> Method:
        """The same method with some fields changed: {part's name: {field: value}}."""
        parts = self.parts()
        for name, fields in changes.items():
            if name not in parts:
                raise HarnessError(f"this method has no part {name!r} to set: {did_you_mean(name, parts)}")
            kind = "searchers" if parts[name] in self.searchers else "regularizers"
            parts[name] = build(kind, name, parts[name].model_dump() | fields)
        count = len(self.searchers)
        built: list[Any] = list(parts.values())
        return made(built[:count], tuple(built[count:]))

    def describe(self) -> dict[str, Fields]:
        """Every part with every field: what a run's identity is made of."""
        return {name: part.model_dump(mode="json") for name, part in self.parts().items()}


def known_names() -> dict[str, tuple[Part, tuple[Part, ...]]]:
    """The methods, and every registered regularizer on its own (with DARTS)."""
    alone: dict[str, tuple[Part, tuple[Part, ...]]] = {
        name: (("darts", {}), ((name, {}),)) for name in plugins("regularizers")
    }
    return METHODS | {name: parts for name, parts in alone.items() if name not in METHODS}


def method(expression: str) -> Method:
    """The method of a name, or of several joined by ' + '.

    A combination takes all regularizers in the order written, and the searcher that is not plain DARTS; two of them are
    composed if one gives the mixing weights and the other the gradient (`gdas + amended-darts`), else an error.
    """
    known = known_names()
    searchers: list[Part] = []
    regularizers: dict[str, Fields] = {}
    for name in (part.strip() for part in expression.split("+")):
        if name not in known:
            raise HarnessError(f"unknown method {name!r}: {did_you_mean(name, known)}")
        searcher, added = known[name]
        if searcher != ("darts", {}) and searcher not in searchers:
            searchers.append(searcher)
        for regularizer, fields in added:
            if regularizer in regularizers:
                raise HarnessError(f"method {expression!r} names the regularizer {regularizer!r} twice: leave one out")
            regularizers[regularizer] = fields
    built = [build("searchers", name, fields) for name, fields in searchers or [("darts", {})]]
    roles = sorted(getattr(searcher, "role", "whole") for searcher in built)
    if len(built) > 1 and roles != ["estimator", "relaxation"]:
        names = " and ".join(repr(name) for name, _ in searchers)
        raise HarnessError(
            f"method {expression!r} combines the searchers {names}: two go together where one gives the mixing weights "
            "(gumbel, drnas) and the other the gradient (darts-2nd, amended, idarts, sam)"
        )
    if regularizers and not isinstance(built[0], SupernetSearcher):
        raise HarnessError(
            f"method {expression!r} regularizes {built[0].name!r}, which trains no supernet: leave that out"
        )
    built.sort(key=lambda searcher: getattr(searcher, "role", "whole"), reverse=True)  # the relaxation first
    found = made(built, tuple(build("regularizers", n, f) for n, f in regularizers.items()))
    if isinstance(found.searcher, SupernetSearcher):
        refuse_senseless(expression, found.searcher, found.regularizers)
    return found


def made(searchers: Sequence[Any], regularizers: tuple[Regularizer, ...]) -> Method:
    """The method of one searcher, or of a relaxation and an estimator."""
    if len(searchers) == 1:
        return Method(searchers[0], regularizers)
    return Method(composed(*searchers), regularizers, tuple(searchers))


def refuse_senseless(expression: str, searcher: SupernetSearcher, regularizers: Sequence[Regularizer]) -> None:
    """An error for a combination that would run and mean nothing."""
    for regularizer in regularizers:
        for need in regularizer.needs:
            if need not in searcher.offers:
                raise HarnessError(
                    f"method {expression!r} makes no sense: {regularizer.name!r} needs {need}, which the searcher "
                    f"{searcher.name!r} does not have"
                )
    selecting = [r.name for r in regularizers if type(r).select is not Regularizer.select]
    if len(selecting) > 1:
        names = " and ".join(map(repr, selecting))
        raise HarnessError(f"method {expression!r} selects its architecture twice, by {names}: leave one out")
