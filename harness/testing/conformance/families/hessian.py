"""Hessians of the validation loss over all logits, with the L2 factor of alpha on their diagonal."""

from __future__ import annotations

from collections.abc import Iterator

from harness.measures.hessian import compute_hessian, compute_largest_eigenvalue
from harness.testing.conformance.families.steps import StepReplay
from harness.testing.conformance.records import QuantityCheck, Record, Skipped
from harness.testing.conformance.searches import find_recorded


def can_replay(record: Record) -> bool:
    return record.has("hessian") and find_recorded(record) is not None


def replay(record: Record) -> Iterator[QuantityCheck | Skipped]:
    replayed = StepReplay(record)
    replayed.forward()
    search, batch = replayed.search, record.batch("step0", "xs", "ys")
    search.net.train()
    with search.net.readable():
        matrix = compute_hessian(
            lambda alphas: search.loss_at(alphas, batch), search.alphas, ridge=record.meta["arch_wd"]
        )
    replayed.found.add("Hessian", matrix, record.arrays["hessian/matrix"])
    replayed.found.add("largest eigenvalue", compute_largest_eigenvalue(matrix), record.arrays["hessian/max_eig"])
    yield from replayed.found.checks()
