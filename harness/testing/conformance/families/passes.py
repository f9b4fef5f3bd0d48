"""Single passes of language models: the one-shot cell, derived cells, and how many weights they have."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from harness.core.errors import HarnessError
from harness.spaces.base import Space
from harness.spaces.blocks.supernet import Supernet
from harness.spaces.recurrent.derived import RecurrentModel
from harness.spaces.recurrent.language import PUBLISHED_NAMES
from harness.testing.conformance.languages import (
    DROPOUTS,
    add_pass,
    add_statistics,
    expect,
    lacks_gradient,
    read_masks,
    refuse_unknown,
    stretch_at,
)
from harness.testing.conformance.records import Found, QuantityCheck, Record, Skipped
from harness.testing.conformance.searches import ReplayedStreams, find_space

KNOWN = (
    *("source", "torch", "space", "ops", "nodes", "concat", "ntokens", "nhid", "batch", "bptt", "seed", "bn_eps"),
    *("bn_momentum", "token_without_input_gradient", "genotypes", "dropout_probabilities", "parameters"),
)
COUNTED = re.compile(r"(search|derived \((\d+) nodes\)), (\d+) words, (\d+)")
"""How a record names the network whose weights it counts."""


def can_replay(record: Record) -> bool:
    return "genotypes" in record.meta and record.has("search")


def replay(record: Record) -> Iterator[QuantityCheck | Skipped]:
    refuse_unknown(record.meta, KNOWN)
    found, space = Found(record), find_space(record)
    expect(record.meta, ops=list(space.operations), concat=record.meta["nodes"])
    modes = sorted({key.split("/")[1] for key in record.arrays if re.match(r"search/\w+/loss$", key)})
    for mode in modes:
        search_pass(found, space, mode)
    for name in record.meta["genotypes"]:
        modes = sorted({k.split("/")[2] for k in record.arrays if re.match(rf"derived/{re.escape(name)}/\w+/loss$", k)})
        for mode in modes:
            replay_derived_pass(found, name, mode)
    for told, count in record.meta["parameters"].items():
        found.exactly("numbers of weights", count_weights(space, told) == count)
    yield from found.checks()


def read_probabilities(record: Record, mode: str) -> dict[str, float]:
    """The probabilities of dropout in a pass."""
    told = record.meta["dropout_probabilities"]
    return {field: told[key] for field, key in DROPOUTS.items()} if mode == "dropout" else {}


def prepare_network(net: Any, record: Record, prefix: str, mode: str) -> ReplayedStreams:
    """Fill a network with recorded weights, and let it take its random numbers from the record."""
    streams = ReplayedStreams()
    streams.queues = read_masks(record, f"{prefix}/{mode}")
    net.draw = lambda name, make: streams.draw(name, make, torch.device("cpu"))
    net.load_state_dict(
        {name: record.tensor(f"{prefix}/weights/{name_published_weight(name)}") for name in net.state_dict()}
    )
    return streams


def name_published_weight(name: str) -> str:
    """What the published code calls a weight."""
    for pattern, replacement in PUBLISHED_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def search_pass(found: Found, space: Space, mode: str) -> None:
    """A pass of the one-shot cell, at its logits or at given mixing weights."""
    record = found.record
    preset = space.presets["official"].model_copy(update={"last_word_untrained": lacks_gradient(record.meta)})
    net: Any = build_one_shot(
        space, record.meta["nhid"], record.meta["ntokens"], read_probabilities(record, mode), preset
    ).double()
    expect(record.meta, bn_eps=net.norm.eps, bn_momentum=net.norm.momentum)
    streams = prepare_network(net, record, "search", mode)
    net.train(not mode.startswith("eval"))
    given = mode.endswith("given_mixing")
    start = record.tensor("search/mixing/0" if given else "search/alpha/0").requires_grad_()
    stretch, rows = stretch_at(record, "search"), record.tensor("search/y")
    passed = net.passed(stretch, net.shares([start if given else start.softmax(dim=-1)]))
    add_pass(found, net, passed, stretch, rows, prefix=f"search/{mode}", told=name_published_weight, alphas=[start])
    if record.has(f"search/{mode}/bn_after"):
        add_statistics(found, "search: batch-norm statistics", net, f"search/{mode}/bn_after")
    found.exactly("all random numbers are used", not any(streams.queues.values()))


def replay_derived_pass(found: Found, name: str, mode: str) -> None:
    """A pass of a derived cell; without dropout in eval mode, too, which has to give the same."""
    record, genotype = found.record, found.record.meta["genotypes"][name]
    cell = tuple((str(operation), int(state)) for operation, state in genotype["recurrent"])
    net = RecurrentModel(
        cell,
        channels=record.meta["nhid"],
        classes=record.meta["ntokens"],
        put_out=genotype["concat"],
        last_word_untrained=lacks_gradient(record.meta),
        regularization=read_probabilities(record, mode),
    ).double()
    rows, prefix = record.tensor(f"derived/{name}/y"), f"derived/{name}"
    for training in (True, False) if mode != "dropout" else (True,):
        streams = prepare_network(net, record, prefix, mode)
        stretch = stretch_at(record, prefix)
        passed = net.train(training).passed(stretch, None)
        add_pass(found, net, passed, stretch, rows, prefix=f"{prefix}/{mode}", told=name_published_weight, alphas=[])
        found.exactly("all random numbers are used", not any(streams.queues.values()))


def build_one_shot(space: Space, channels: int, words: int, dropout: dict[str, float], preset: Any) -> Supernet:
    """The one-shot network of a space, uninitialized."""
    net: Supernet = space.networks().readable(
        channels=channels, cells=1, classes=words, image_channels=0, regularization=dropout, **preset.network_options()
    )
    return net


def count_weights(space: Space, told: str) -> int:
    """The weights of the network that a record names."""
    named = COUNTED.match(told)
    if named is None:
        raise HarnessError(f"its {told!r} names no network whose weights can be counted")
    words, channels = int(named[3]), int(named[4])
    with torch.device("meta"):
        net: nn.Module = build_one_shot(space, channels, words, {}, space.presets["official"])
        if named[2]:
            net = RecurrentModel(((space.operations[1], 0),) * int(named[2]), channels=channels, classes=words)
    return sum(math.prod(weight.shape) for weight in net.parameters())
