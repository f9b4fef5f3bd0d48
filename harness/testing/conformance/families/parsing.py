"""The cells that FairDARTS' code derives of made-up logits, by its three rules; one of them is the spaces' own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import get_args

import torch

from harness.search.searchers.fairdarts import FairDARTS, Parsing, parse_sigmoids
from harness.testing.conformance.families.derivation import find_space_of_operations
from harness.testing.conformance.records import Found, QuantityCheck, Record, Skipped

RULES = get_args(Parsing)
"""The first is that of the spaces."""


def can_replay(record: Record) -> bool:
    cases = record.content.get("cases") if isinstance(record.content, dict) else None
    return isinstance(cases, list) and all(isinstance(c, dict) and "op_threshold" in c for c in cases[:1] or [None])


def replay(record: Record) -> Iterator[QuantityCheck | Skipped]:
    names = record.meta["ops"]
    space = find_space_of_operations(record)
    if isinstance(space, Skipped):
        yield space
        return
    found, searcher = Found(record), FairDARTS()
    for case in record.content["cases"]:
        alphas = {kind: torch.tensor(case[f"alpha_{kind}"]).double() for kind in ("normal", "reduce")}
        for how in RULES:
            for kind, alpha in alphas.items():
                ours = parse_sigmoids(alpha.sigmoid(), names, case["op_threshold"], how)
                found.exactly(f"cells by {how}", ours == [tuple(edge) for edge in case[how][kind]])
        derived = searcher.derive(space, [a.numpy() for a in alphas.values()])
        told = space.recorded_encoding(json.dumps(case[RULES[0]]))
        found.exactly("derived architectures", derived.encoding == told)
    yield from found.checks()
