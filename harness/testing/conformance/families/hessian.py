"""Hessians of the validation loss over all logits, with the L2 factor of alpha on their diagonal."""

from __future__ import annotations

from collections.abc import Iterator

from harness.measures.hessian import hessian, largest_eigenvalue
from harness.testing.conformance.families import steps
from harness.testing.conformance.records import Check, Found, Record, Skipped
from harness.testing.conformance.searches import ReplayedStreams, recorded, search_of, space_of


def takes(record: Record) -> bool:
    return record.has("hessian") and recorded(record) is not None


def replay(record: Record) -> Iterator[Check | Skipped]:
    own, streams, found = recorded(record), ReplayedStreams(), Found(record)
    assert own is not None
    search = search_of(record, own, space_of(record), streams)
    steps.forward(record, own, search, streams, found)
    batch = record.batch("step0", "xs", "ys")
    search.net.train()
    with search.net.readable():
        matrix = hessian(lambda alphas: search.loss_at(alphas, batch), search.alphas, ridge=record.meta["arch_wd"])
    found.add("Hessian", matrix, record.arrays["hessian/matrix"])
    found.add("largest eigenvalue", largest_eigenvalue(matrix), record.arrays["hessian/max_eig"])
    yield from found.checks()
