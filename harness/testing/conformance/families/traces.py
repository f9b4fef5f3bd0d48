"""Eigenvalue traces of real searches, which must stop where the published rule does."""

from __future__ import annotations

from collections.abc import Iterator

from harness.measures.early_stopping import find_early_stop
from harness.testing.conformance.records import QuantityCheck, Record


def can_replay(record: Record) -> bool:
    runs = record.content
    return (
        isinstance(runs, list) and bool(runs) and all(isinstance(run, dict) and "max_eigenvalue" in run for run in runs)
    )


def replay(record: Record) -> Iterator[QuantityCheck]:
    runs = record.content
    stops = [find_early_stop(run["epochs"], run["max_eigenvalue"]) or (None, None) for run in runs]
    recorded = [(run["triggered_at_epoch"], run["returned_epoch"]) for run in runs]
    same = [tuple(a) == b for a, b in zip(stops, recorded, strict=True)]
    yield record.exactly(f"early stop of {len(runs)} traces", all(same))
