"""What there is: rows about methods, plugins and tables for `harness list` and `harness tables info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import numpy as np

from harness.core.registry import Plugin
from harness.datasets.base import DATASETS
from harness.plots.base import FIGURES
from harness.results.exporters.base import EXPORTERS
from harness.results.importers.base import IMPORTERS
from harness.results.policies.base import POLICIES
from harness.runs.executors.base import EXECUTORS
from harness.search.methods import PLAIN, build_method, list_methods
from harness.search.probes.base import PROBES
from harness.search.regularizers.base import REGULARIZERS
from harness.search.searchers.base import SEARCHERS
from harness.spaces.base import SPACES, Architecture
from harness.tables.catalog import list_table_folders
from harness.tables.formats.base import FORMATS
from harness.tables.table import Table

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

REGISTRIES = (
    REGULARIZERS,
    SEARCHERS,
    PROBES,
    SPACES,
    DATASETS,
    FORMATS,
    IMPORTERS,
    EXPORTERS,
    EXECUTORS,
    FIGURES,
    POLICIES,
)
KINDS = {registry.kind: registry for registry in REGISTRIES}


def list_members(kind: str) -> list[dict[str, Any]]:
    """One row for each member of a kind ("methods", "tables", or a registry folder)."""
    if kind == "methods":
        return [_describe_method(name) for name, entry in list_methods().items() if not entry.alias]
    if kind == "tables":
        opened = [Table(folder) for folder in list_table_folders().values()]
        return [
            {
                "table": t.name,
                "space": t.info["space"],
                "holds": len(t),
                "of": t.of_space,
                "measures": len(t.measures),
            }
            for t in opened
        ]
    return [
        {"name": name, "what": read_first_sentence(cls), "fields": _describe_fields(cls)}
        for name, cls in KINDS[kind].classes.items()
    ]


def read_first_sentence(cls: type[Any]) -> str:
    """What a class is, in its docstring's first sentence."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split()).split(". ")[0].removesuffix(".")


STATUSES = ("unproven", "adapted", "specified", "conforms")
"""From the weakest to the strongest."""


def describe_status(part: Plugin) -> str:
    """How a part is proven. One of another package inherits no proof: what it does not say itself is unproven."""
    own = __name__.partition(".")[0]
    foreign = [c for c in type(part).__mro__ if issubclass(c, Plugin) and c.__module__.partition(".")[0] != own]
    says = {name for cls in foreign for name in ("status", "proof") if name in vars(cls)}
    told = part.proof() if not foreign or "proof" in says else part.status if says else STATUSES[0]
    return told if told in STATUSES else STATUSES[0]


def _describe_method(name: str) -> dict[str, Any]:
    chosen = build_method(name)
    parts = [chosen.searcher, *chosen.regularizers]
    passes = chosen.passes()
    return {
        "method": name,
        "searcher": _call(chosen.searcher),
        "regularizers": " + ".join(map(_call, chosen.regularizers)) or "none",
        "passes": "none" if passes is None else f"{passes[0]} + {passes[1]}",
        "paper": parts[min(1, len(chosen.regularizers))].paper,
        # a method is what its weakest part is
        "status": min(map(describe_status, parts), key=STATUSES.index),
        "records": "; ".join(p.evidence() for p in parts[len(parts) > 1 and parts[0] == PLAIN :]),
    }


def _call(part: Plugin) -> str:
    """A part with the fields that are not its defaults."""
    fields = part.model_dump(exclude_defaults=True)
    return part.name if not fields else f"{part.name}({', '.join(f'{k}={v}' for k, v in fields.items())})"


def _describe_fields(cls: Any) -> str:
    fields = getattr(cls, "model_fields", {})
    return ", ".join(f"{name} = {_describe_field(field)}" for name, field in fields.items())


def _describe_field(field: FieldInfo) -> str:
    """A default, and what else there is to choose from."""
    told = "required" if field.is_required() else str(field.default)
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    others = ", ".join(str(choice) for choice in choices if choice != field.default)
    return f"{told} (or {others})" if others else told


def list_measures(table: Table) -> list[dict[str, Any]]:
    """One row for each measure of a table. Values in %. missing: architectures without any trial, and by trial."""
    rows = []
    lacking = table.missing()
    for measure in table.measures:
        mean = table.row_values(measure)
        best = table.optimum(measure) if not np.isnan(mean).all() else None
        judges = {table.test: ", judges", table.validation: ", selects"}.get(measure, "")
        rows.append(
            {
                "measure": str(measure),
                "role": f"{table.role(measure)}{judges}",
                "trials": ", ".join(map(str, table.trials(measure))),
                "missing": int(np.isnan(mean).sum()) + table.absent,
                "missing by trial": ", ".join(f"{c.trial}: {n}" for c, n in lacking.items() if c.measure == measure),
                "best": None if best is None else round(best.accuracy_pct, 4),
                "random median": round(table.random_median(measure), 4),
                "tied with": "" if best is None else ", ".join(find_ties(table, mean, best)),
                "best index": None if best is None else table.index(best.row),
                "best architecture": None if best is None else best.encoding,
            }
        )
    return rows


def find_ties(table: Table, values: Any, best: Any) -> list[str]:
    """The other architectures with the best value, as far as it is printed: their indices, or encodings."""
    rows = np.flatnonzero(np.round(values, 4) == round(best.accuracy_pct, 4))
    named = [(row, table.index(int(row))) for row in rows if row != best.row]
    told = [table.encoding(int(row)) if index is None else f"#{index}" for row, index in named[:MOST_TIED]]
    return told + ([f"{len(named) - MOST_TIED} more"] if len(named) > MOST_TIED else [])


MOST_TIED = 3
"""Architectures that are named."""


def list_values(table: Table, architecture: Architecture) -> list[dict[str, Any]]:
    """One row for each measure and trial of one architecture, in %; percentile among the table's architectures."""
    rows = []
    for column, value in table.all_values(architecture):
        whole = table.knows_all(column.measure, column.trial)
        rank = table.percentile(architecture, column.measure, column.trial) if whole else np.nan
        rows.append(
            {
                "measure": str(column.measure),
                "trial": column.trial,
                "accuracy_pct": None if np.isnan(value) else round(value, 4),
                "percentile": None if np.isnan(rank) else round(rank, 2),
            }
        )
    return rows


def list_costs(table: Table, architecture: Architecture) -> list[dict[str, Any]]:
    """One row for each cost that the table holds of one architecture's network, a column for each data set (and
    schedule, where the source measured each schedule's networks)."""
    row = table.row(architecture)
    found: dict[str, dict[str, float | None]] = {}
    for cost, every in table.all_costs:
        where = cost.dataset if cost.epochs is None else f"{cost.dataset}@{cost.epochs}"
        value = float(every[row])
        found.setdefault(cost.name, {})[where] = None if np.isnan(value) else round(value, 6)
    places = list(dict.fromkeys(where for told in found.values() for where in told))
    return [{"cost": name} | {where: told.get(where) for where in places} for name, told in found.items()]


def find_architecture(table: Table, text: str) -> Architecture:
    """The architecture that a command line names: in any notation of its space, by its published index, or by the key
    of a table without a space."""
    return table.architecture(text)
