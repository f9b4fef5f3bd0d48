"""The decisions of OLES alone, of made-up gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from harness.search.clipping import compute_norm_and_scale
from harness.search.regularizers.operation_stopping import OperationStopping, make_empty_memory
from harness.testing.conformance.adapters.operation_stopping import read_recorded_fields
from harness.testing.conformance.records import Found, QuantityCheck, Record


def can_replay(record: Record) -> bool:
    return record.has("train_grad") and record.has("arch_grad")


def replay(record: Record) -> Iterator[QuantityCheck]:
    """Each step: the validation gradients against the training gradients of the last one, a decision, and new training
    gradients, of which those of operations that are not frozen are clipped together."""
    (fields,) = read_recorded_fields(record.meta).values()
    rule = OperationStopping(**fields, late=True)
    names = [str(name) for name in record.arrays["params"]]
    owners = [int(name.split(".")[0]) for name in names]
    train, valid = ({name: record.tensor(f"{kind}_grad/{name}") for name in names} for kind in ("train", "arch"))
    memory, found = make_empty_memory(len(record.arrays["ops"])), Found(record)
    last: dict[str, torch.Tensor] = {}
    for step in range(record.meta["steps"]):
        groups = [
            [n for n, owner in zip(names, owners, strict=True) if owner == place]
            for place in range(len(memory["frozen"]))
        ]
        rule.note(memory, [[(valid[n][step], last[n]) for n in group if n in last] for group in groups])
        new = {n: train[n][step] for n, owner in zip(names, owners, strict=True) if not memory["frozen"][owner]}
        norm, scale = compute_norm_and_scale(list(new.values()), record.meta["grad_clip"])
        last = {n: g * scale for n, g in new.items()}
        found.add("gradient norms", norm, record.arrays["grad_norm"][step])
        for quantity, ours, theirs in (
            ("agreement so far", "totals", "accumulated"),
            ("number of comparisons", "counts", "count"),
            ("frozen operations", "frozen", "frozen"),
        ):
            found.add(quantity, np.asarray(memory[ours]), record.arrays[theirs][step])
    yield from found.checks()
