"""Hessians of the validation loss over all logits, with the L2 factor of alpha on their diagonal."""

from __future__ import annotations

from collections.abc import Iterator

from harness.measures.hessian import hessian, largest_eigenvalue
from harness.testing.conformance.families.steps import Replay
from harness.testing.conformance.records import Check, Record, Skipped
from harness.testing.conformance.searches import recorded


def takes(record: Record) -> bool:
    return record.has("hessian") and recorded(record) is not None


def replay(record: Record) -> Iterator[Check | Skipped]:
    replayed = Replay(record)
    replayed.forward()
    search, batch = replayed.search, record.batch("step0", "xs", "ys")
    search.net.train()
    with search.net.readable():
        matrix = hessian(lambda alphas: search.loss_at(alphas, batch), search.alphas, ridge=record.meta["arch_wd"])
    replayed.found.add("Hessian", matrix, record.arrays["hessian/matrix"])
    replayed.found.add("largest eigenvalue", largest_eigenvalue(matrix), record.arrays["hessian/max_eig"])
    yield from replayed.found.checks()
