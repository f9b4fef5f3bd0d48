"""The proximal step of NASP alone, of made-up values with ties."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from harness.search.searchers.nasp import find_nearest_vertex
from harness.spaces.base import SPACES
from harness.testing.conformance.records import QuantityCheck, Record


def can_replay(record: Record) -> bool:
    cases = record.content.get("cases") if isinstance(record.content, dict) else None
    return isinstance(cases, list) and all(isinstance(c, dict) and "projected" in c for c in cases[:1] or [None])


def replay(record: Record) -> Iterator[QuantityCheck]:
    """The edges of DARTS' cells, with as many operations as are recorded."""
    cases = record.content["cases"]
    tensors = [t for cls in SPACES.classes.values() for t in cls.tensors if t.keeps is not None]
    choices = next(t for t in tensors if t.shape[0] == len(cases[0]["alpha"]))
    same = [find_nearest_vertex(torch.tensor(c["alpha"]).double(), choices).tolist() == c["projected"] for c in cases]
    yield record.exactly(f"proximal steps of {len(cases)} cases", all(same))
