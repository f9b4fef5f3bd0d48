"""A search in the state that a record begins with, with the record's settings and random numbers."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor

from harness.core.errors import HarnessError
from harness.core.streams import Make, Streams
from harness.search.build import build_search
from harness.search.loop import SupernetSearch
from harness.search.methods import Method, build_method
from harness.search.training import Training
from harness.spaces.base import Space
from harness.testing.conformance import adapters
from harness.testing.conformance.families.derivation import find_recorded_space
from harness.testing.conformance.recorded import Arrays, Recorded
from harness.testing.conformance.records import Record

SETTINGS = {
    "learning_rate": "lr",
    "momentum": "momentum",
    "nesterov": "nesterov",
    "weight_decay": "weight_decay",
    "gradient_clip": "grad_clip",
    "alpha_learning_rate": "arch_lr",
    "alpha_betas": "arch_betas",
    "alpha_weight_decay": "arch_wd",
    "batch_size": "batch",
}
"""Fields of `Training`, by what records call them."""


class ReplayedStreams(Streams):
    """Hands out recorded numbers instead of drawing, by stream."""

    def __init__(self) -> None:
        super().__init__(0)
        self.queues: dict[str, list[Tensor]] = {}

    def draw(self, name: str, make: Make, device: torch.device) -> Tensor:
        if not self.queues.get(name):
            raise HarnessError(f"the record has less of {name!r} than the method draws: it was made by another method")
        return self.queues[name].pop(0)

    def uniform(self, name: str, like: Tensor, low: float, high: float) -> Tensor:
        noise = super().uniform(name, like, low, high)
        if noise.shape != like.shape:
            raise HarnessError(f"recorded noise has shape {tuple(noise.shape)} where {tuple(like.shape)} is drawn")
        return noise.to(like)


@cache
def list_recorded() -> dict[str, Recorded]:
    """How each method is replayed, by the name of the method in its records: what all adapters say."""
    names = sorted(module.name for module in pkgutil.iter_modules(adapters.__path__))
    modules = [importlib.import_module(f"{adapters.__name__}.{name}") for name in names]
    return {name: own for module in modules for name, own in getattr(module, "RECORDS", {}).items()}


def find_recorded(record: Record) -> Recorded | None:
    """What the adapter of the record's method says of it."""
    known = list_recorded()
    name = str(record.meta.get("method"))
    if name in known:
        return known[name]
    parts = split_name(name.split("_"), known)
    return combine_recorded([known[part] for part in parts]) if parts else None


def split_name(words: list[str], known: Mapping[str, Recorded]) -> list[str]:
    """The known methods whose names, joined by underscores, are a record's; none where it is no combination."""
    for end in range(len(words), 0, -1):
        if (first := "_".join(words[:end])) in known:
            rest = split_name(words[end:], known) if end < len(words) else []
            if end == len(words) or rest:
                return [first, *rest]
    return []


def combine_recorded(parts: list[Recorded]) -> Recorded:
    """Several methods in one search: each says its own fields, draws and quantities; of the rest, the one that differs
    from what is usual."""

    def merged(told: Callable[[Recorded], dict[str, Any]]) -> dict[str, Any]:
        return {key: value for part in parts for key, value in told(part).items()}

    def one(name: str) -> Any:
        usual = getattr(Recorded, name)
        return next((own for part in parts if (own := getattr(part, name)) is not usual), usual)

    def prepare(net: Any, arrays: Arrays, prefix: str) -> None:
        for part in parts:
            part.prepare(net, arrays, prefix)

    return Recorded(
        " + ".join(part.method for part in parts),
        fields=lambda meta: merged(lambda part: part.fields(meta)),
        training=lambda meta: merged(lambda part: part.training(meta)),
        epochs=lambda meta: max(part.epochs(meta) for part in parts),
        draws=lambda arrays, prefix: merged(lambda part: part.draws(arrays, prefix)),
        quantities=lambda search, arrays, prefix: merged(lambda part: part.quantities(search, arrays, prefix)),
        prepare=prepare,
        logits=one("logits"),
        values=one("values"),
        genotype=one("genotype"),
        renamed=one("renamed"),
    )


def find_space(record: Record) -> Space:
    """The space that the record is replayed on, or an error."""
    space: Space | None = find_recorded_space(str(record.meta["space"]), record)
    if space is None:
        raise HarnessError(f"no space of this version is the record's {record.meta['space']!r}")
    return space


def build_recorded_method(record: Record, own: Recorded) -> Method:
    """The method with the record's hyperparameters."""
    return build_method(own.method, "official").override(own.fields(record.meta))


def search_of(record: Record, own: Recorded, space: Space, streams: Streams) -> SupernetSearch:
    """A search in the record's initial state, with the preset `official`."""
    meta = record.meta
    settings: dict[str, Any] = {ours: meta[theirs] for ours, theirs in SETTINGS.items() if meta.get(theirs) is not None}
    if str(meta.get("order", "alpha")).startswith("weights"):
        settings["order"] = "weights-first"
    preset = space.presets["official"].model_copy(
        update={
            "clip_counts_alpha": meta.get("clip_includes_alpha", False),
            "unevaluated_weights_move": meta.get("zero_grad") != "none",
        }
    )
    images = next(v for k, v in record.arrays.items() if k.endswith("/x"))
    search = build_search(
        space,
        build_recorded_method(record, own),
        channels=meta["C"],
        cells=meta[space.recorded_cells],
        classes=meta["classes"],
        image_channels=images.shape[-3],
        epochs=own.epochs(meta),
        streams=streams,
        training=Training(**settings | own.training(meta)),
        preset=preset,
        dtype=torch.float64,
    )
    net, buffers = search.net, {name for name, _ in search.net.named_buffers()}
    state = net.state_dict()
    for name in state:
        key = f"init/weights/{own.renamed(net.published_name(name))}"
        if key in record.arrays or name not in buffers:  # a record without running statistics: train mode has no use
            state[name] = record.tensor(key)
    net.load_state_dict(state)
    with torch.no_grad():
        for alpha, value in zip(search.alphas, record.group("init/alpha") or search.alphas, strict=True):
            alpha.copy_(own.logits(value, record.arrays) if record.has("init/alpha") else value)
    return search
