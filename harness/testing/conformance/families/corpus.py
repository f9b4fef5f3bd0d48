"""Texts, their words by number, cut into columns and stretches: made-up files as published code reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from harness.datasets.texts import cut_into_columns, number_words, split_words, stretch_of
from harness.testing.conformance.languages import PARTS, refuse_unknown
from harness.testing.conformance.records import Found, QuantityCheck, Record, Skipped


def can_replay(record: Record) -> bool:
    cases = record.content.get("cases") if isinstance(record.content, dict) else None
    return isinstance(cases, list) and all(isinstance(c, dict) and "files" in c for c in cases[:1] or [None])


def replay(record: Record) -> Iterator[QuantityCheck | Skipped]:
    refuse_unknown(record.meta, ("source", "torch", "space", "seed"))
    found = Found(record)
    for case in record.content["cases"]:
        parts: Any = {part: split_words(case["files"][part]) for part in PARTS}
        words, numbers = number_words(parts)
        found.exactly("words", words == case["words"])
        found.exactly("their numbers", {part: n.tolist() for part, n in numbers.items()} == case["ids"])
        for told in case["batches"]:
            check_columns(found, numbers[told["split"]], told)
    yield from found.checks()


def check_columns(found: Found, tokens: torch.Tensor, told: dict[str, Any]) -> None:
    """A text that is cut into columns, and some stretches of it."""
    rows = cut_into_columns(tokens, told["batch"])
    found.exactly("columns", rows.tolist() == told["rows"])
    for one in told["get_batch"]:
        stretch, following = stretch_of(rows, one["i"], one["seq_len"] or one["bptt"])
        found.exactly("stretches", stretch.tokens.tolist() == one["x"])
        found.exactly("words that follow", following.tolist() == torch.tensor(one["y"]).flatten().tolist())
