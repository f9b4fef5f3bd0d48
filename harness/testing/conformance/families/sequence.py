"""The decisions of SGAS alone, of made-up logits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from harness.search.regularizers.sequential_decisions import SequentialDecisions, compute_strengths, make_empty_memory
from harness.spaces.base import Space
from harness.testing.conformance.families.derivation import find_space_of_operations
from harness.testing.conformance.records import Found, QuantityCheck, Record, Skipped

KINDS = ("normal", "reduce")


def can_replay(record: Record) -> bool:
    runs = record.content.get("runs") if isinstance(record.content, dict) else None
    return isinstance(runs, list) and all(isinstance(r, dict) and "decision_freq" in r for r in runs[:1] or [None])


def replay(record: Record) -> Iterator[QuantityCheck | Skipped]:
    space = find_space_of_operations(record)
    if isinstance(space, Skipped):
        yield space
        return
    found = Found(record)
    for run in record.content["runs"]:
        search(found, run, space.with_rows(len(run["alpha"][KINDS[0]][0])))
    yield from found.checks()


def search(found: Found, run: dict[str, Any], space: Space) -> None:
    """One run. The logits of decided rows go on moving here, which in a search they do not."""
    rule, memories = (
        SequentialDecisions(criterion=run["criterion"], history=run["history_size"]),
        [make_empty_memory(), make_empty_memory()],
    )
    for row, *paths in zip(run["rows"], *(run["alpha"][kind] for kind in KINDS), strict=True):
        alphas, since = [torch.tensor(path).double() for path in paths], row["epoch"] - run["warmup_dec_epoch"]
        for kind, choices, alpha, memory in zip(KINDS, space.tensors, alphas, memories, strict=True):
            told, taken = row[kind], memory["taken"]
            rule.look(memory, alpha, choices, space.zero)
            if since >= 0 and since % run["decision_freq"] == 0:
                rule.decided(memory, alpha, choices)
            nothing = choices.options[0].index(str(space.zero))
            selected = [nothing if (op := taken.get(r, -1)) is None else op for r in range(len(alpha))]
            found.add("scores", memory["scores"], np.asarray(told["score"]))
            found.exactly("decisions", selected == told["selected"])
            found.exactly("open choices", [r not in taken for r in range(len(alpha))] == told["candidates"])
        every = zip(alphas, (memory["taken"] for memory in memories), space.tensors, strict=True)
        derived = space.strongest([compute_strengths(*one, space.zero).numpy() for one in every])
        found.exactly("cells", derived.encoding == space.recorded_encoding(json.dumps(row["genotype_force"])))
    found.exactly("last cells", derived.encoding == space.recorded_encoding(json.dumps(run["genotype"])))
