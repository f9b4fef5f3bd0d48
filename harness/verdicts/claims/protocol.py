"""Whether runs were made as the study says that a claim is to be decided by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.datasets.base import DATASETS
from harness.results.runs import Runs
from harness.runs.study import Study, load_study
from harness.tables.catalog import NO_TABLE
from harness.verdicts.claims.base import Protocol

FOLDERS = (".", "../trajectories", "../comparisons", "../stability")
"""Where the file of a study is looked for, seen from the folder of the claims."""
MOST_TOLD = 3


def find_study(name: str, claims: Path) -> Path | None:
    """The file of a study by its name. claims: the folder of the claims."""
    return next((path for folder in FOLDERS if (path := claims / folder / f"{name}.toml").is_file()), None)


def describe_differences(runs: Runs, study: Path | None, protocol: Protocol, methods: Sequence[str]) -> str:
    """In what the runs of these methods differ from the study's file and from the claim's protocol, as a clause; empty
    where they do not. Of results that keep no configuration nothing is known, which is a difference."""
    if study is None:
        return ""
    expected = load_configurations(study)
    told: dict[str, None] = {}
    for method in methods or tuple(expected):
        found = [complete_configuration(m["configuration"]) for m in runs.manifests if m["method_name"] == method]
        if not found:
            told[f"nothing is known of how {method} ran"] = None
        wanted = expected.get(method)
        for configuration in found[:1] + [c for c in found[1:] if extract_shape(c) != extract_shape(found[0])]:
            told |= dict.fromkeys(
                list_unlike(extract_shape(configuration), wanted) if wanted else [f"{study.name} has no {method}"]
            )
            if protocol.epochs is not None and configuration["epochs"] != protocol.epochs:
                told[f"epochs are {configuration['epochs']}, the claim's {protocol.epochs}"] = None
    some = list(told)[:MOST_TOLD]
    return ", ".join(some) + (f" and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else "")


@cache
def load_configurations(path: Path) -> dict[str, dict[str, Any]]:
    """The configuration of every method of a study's file, whether its table and its data are here or not."""
    return {run.method_name: extract_shape(run_of(run)) for run in _load_study(path).runs}


def _load_study(path: Path) -> Study:
    try:
        return load_study(path)
    except HarnessError:  # a table that is not here
        return load_study(path, [f"table={NO_TABLE}"])


def run_of(run: Any) -> dict[str, Any]:
    """A run's configuration without what only its data and its table can tell."""
    return {
        "space": run.space.name,
        "dataset": {"name": run.dataset.name} | run.dataset.model_dump(mode="json"),
        "method": run.method.describe(),
        "epochs": run.epochs,
        "preset": run.preset,
        "supernet": run.supernet.model_dump(mode="json"),
        "training": run.training.model_dump(mode="json"),
    }


def complete_configuration(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration with the data set's fields that it leaves out because they have their usual values."""
    dataset = configuration["dataset"]
    fields = DATASETS.find(dataset["name"]).model_fields
    usual = {name: field.default for name, field in fields.items() if not field.is_required()}
    return {**configuration, "dataset": usual | dataset}


LOCAL = ("path", "sha256", "folder", "precision", "implementation")
"""What differs between two copies of one protocol."""


def extract_shape(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What a claim depends on, by dotted key."""
    sections = ("space", "dataset", "method", "epochs", "preset", "supernet", "training")
    return dict(_flatten_values({key: configuration[key] for key in sections if key in configuration}))


def _flatten_values(values: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        if key in LOCAL:
            continue
        found += _flatten_values(value, f"{above}{key}.") if isinstance(value, Mapping) else [(f"{above}{key}", value)]
    return found


def list_unlike(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """A clause on each key in which a configuration is not as wanted; parts of the method must be there. A run does not
    tell of a field that it is older than."""
    both = [key for key in wanted if key in found]
    parts = {key.split(".")[1] for key in wanted if key.startswith("method.")}
    there = {key.split(".")[1] for key in found if key.startswith("method.")}
    told = [f"{k} is {found[k]}, not {wanted[k]}" for k in both if not equals_in_value(found[k], wanted[k])]
    if parts != there:
        told.append(f"the method is {' + '.join(sorted(there))}, not {' + '.join(sorted(parts))}")
    return told


def equals_in_value(a: Any, b: Any) -> bool:
    return bool(list(a) == list(b)) if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) else bool(a == b)
