"""The stages of P-DARTS, of made-up logits: what they drop, when logits move, the dropout of skips, and the cells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from harness.core.streams import Streams
from harness.search.regularizers.staged_dropping import StagedDropping, derive_limited, find_largest
from harness.search.state import DROPPED
from harness.search.steps import Moment
from harness.spaces.base import Space
from harness.testing.conformance.families.derivation import find_space_of_operations
from harness.testing.conformance.records import Found, QuantityCheck, Record, Skipped

KINDS = ("normal", "reduce")
FROZEN = 10
"""Epochs of each stage in which the published code lets logits stay."""


def can_replay(record: Record) -> bool:
    return isinstance(record.content, dict) and "num_to_drop" in record.meta


def replay(record: Record) -> Iterator[QuantityCheck | Skipped]:
    space = find_space_of_operations(record)
    if isinstance(space, Skipped):
        yield space
        return
    found = Found(record)
    for run in record.content["runs"]:
        replay_schedule(found, run)
        replay_decisions(found, run, space)
    yield from found.checks()


def replay_schedule(found: Found, run: dict[str, Any]) -> None:
    """Each stage, as a search of its own."""
    for stage in run["stages"]:
        epochs = len(stage["p_epochs"])
        rule = StagedDropping(kept=(), dropout=(stage["p_init"],), frozen=FROZEN / epochs)
        ours = [rule.probability(stage["p_init"], epoch, epochs) for epoch in range(epochs)]
        found.add("dropout of skips", np.array(ours), stage["p_epochs"])
        streams, no_space = Streams(0), None
        moments = [Moment(streams, no_space, epoch, epochs) for epoch in range(epochs)]  # type: ignore[arg-type]
        found.exactly("epochs in which logits move", [rule.alpha_moves(m) for m in moments] == stage["train_arch"])


def replay_decisions(found: Found, run: dict[str, Any], space: Space) -> None:
    """The options that are left after each stage, and the cells of the last one under each limit of skips."""
    switches = [[np.array(stage[f"switches_{kind}"], bool) for kind in KINDS] for stage in run["stages"]]
    for (before, after), alphas in zip(pairwise(switches), run["alpha"], strict=False):
        for on, left, alpha in zip(before, after, alphas, strict=True):
            for options, told, values in zip(on, left, alpha, strict=True):
                kept = np.flatnonzero(options)[find_largest(values, int(told.sum()))]
                found.exactly("operations left", kept.tolist() == np.flatnonzero(told).tolist())
    last = [np.full(on.shape, DROPPED) for on in switches[-1]]
    for rows, on, alpha in zip(last, switches[-1], run["alpha"][-1], strict=True):
        rows[on] = np.asarray(alpha).ravel()
    for limit, told in zip(run["max_skips"], run["genotypes"], strict=True):
        ours = derive_limited(space, last, [limit, None])
        found.exactly("cells", ours.encoding == space.recorded_encoding(json.dumps(told)))
