"""The selection of RandomNAS alone, of made-up errors. What it draws is not replayed: published cells take `none`, too,
which cells of DARTS' spaces do not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from harness.search.regularizers.sampled_selection import SampledSelection
from harness.testing.conformance.records import Found, QuantityCheck, Record


def can_replay(record: Record) -> bool:
    return isinstance(record.content, dict) and {"cheap_errors", "full_errors", "rounds"} <= record.content.keys()


def replay(record: Record) -> Iterator[QuantityCheck]:
    """Each round: all candidates by their cheap errors, the best of them by their full ones."""
    found, content = Found(record), record.content
    cheap, full = (np.array_split(-np.asarray(content[f"{k}_errors"]), content["rounds"]) for k in ("cheap", "full"))
    order = np.array_split(np.asarray(content["full_order"]), content["rounds"])
    first = 0
    for few, scores, again, best in zip(order, cheap, full, content["best"], strict=True):
        rule, asked = SampledSelection(samples=len(scores), finalists=len(few)), list[int]()
        place = rule.best(scores.tolist(), partial(answer_scores, asked, again.tolist()))
        found.exactly("finalists", [first + p for p in asked] == few.tolist())
        found.exactly("selected", content["archs"][first + place] == best["arch"])
        first += len(scores)
    yield from found.checks()


def answer_scores(asked: list[int], scores: list[float], places: list[int]) -> list[float]:
    """The recorded scores; keeps what was asked for."""
    asked += places
    return scores
