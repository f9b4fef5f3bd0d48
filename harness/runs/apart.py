"""Where the methods of some runs were trained otherwise: what a comparison of them has to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from harness.search.searchers.base import SEARCHERS, SupernetSearcher

Settings = Mapping[str, Any]
"""How a network is trained, by the study's keys."""


class Described(Protocol):
    """A run, as far as it is looked at here."""

    @property
    def method_name(self) -> str: ...
    def describe(self) -> dict[str, Any]: ...


def extract_settings(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Epochs, network and training of a run's configuration; nothing of a search that trains no network."""
    kinds = (SEARCHERS.classes.get(part) for part in configuration.get("method", {}))
    if any(kind is not None and not issubclass(kind, SupernetSearcher) for kind in kinds):
        return {}
    found = {"epochs": configuration.get("epochs")}
    for section in ("supernet", "training"):
        found |= {f"{section}.{key}": value for key, value in configuration.get(section, {}).items()}
    return found


def group_by_method(configurations: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Settings]:
    """The settings of each method's first run, of (method, configuration) of every run."""
    found: dict[str, Settings] = {}
    for method, configuration in configurations:
        if method not in found:
            found[method] = extract_settings(configuration)
    return {method: settings for method, settings in found.items() if settings}


def collect_settings(runs: Iterable[Described]) -> dict[str, Settings]:
    """The settings of each method of these runs, of which the first of each method alone is asked what it is."""
    first: dict[str, Described] = {}
    for run in runs:
        first.setdefault(run.method_name, run)
    return group_by_method((method, run.describe()) for method, run in first.items())


def find_differences(settings: Mapping[str, Settings]) -> dict[str, dict[str, Any]]:
    """Of each method, the settings in which the methods differ; none of any where all are trained alike."""
    keys = list(dict.fromkeys(key for each in settings.values() for key in each))
    apart = [key for key in keys if len({repr(each.get(key)) for each in settings.values()}) > 1]
    return {method: {key: each.get(key) for key in apart} for method, each in settings.items()} if apart else {}


def describe_alike(settings: Mapping[str, Settings]) -> str:
    """Whether the methods were trained alike, as a clause; empty where it is not known."""
    apart = find_differences(settings)
    if not apart:
        return "the same training settings for all methods that train" if settings else ""
    words = (f"{method} {', '.join(f'{k} {v}' for k, v in own.items())}" for method, own in apart.items())
    return f"methods trained differently: {'; '.join(words)}"


def describe_between(settings: Mapping[str, Settings], pair: Sequence[str]) -> str:
    """How the first of two methods was trained otherwise than the second, as a clause; empty where it was not."""
    apart = find_differences({method: settings[method] for method in pair if method in settings})
    if len(apart) < 2:
        return ""
    new, base = apart.values()
    return f"trained differently: {', '.join(f'{key} {value} against {base[key]}' for key, value in new.items())}"
