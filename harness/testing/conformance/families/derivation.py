"""Decodings of architecture tensors, case by case: all that the space decodes must be equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.spaces.base import SPACES
from harness.testing.conformance.records import QuantityCheck, Record, Skipped


def can_replay(record: Record) -> bool:
    cases = record.content.get("cases") if isinstance(record.content, dict) else None
    return bool(cases) and all(isinstance(c, dict) and "space" in c and "alphas" in c for c in cases or ())


def replay(record: Record) -> Iterator[QuantityCheck | Skipped]:
    cases = record.content["cases"]
    spaces = {name: find_recorded_space(name, record) for name in {str(case["space"]) for case in cases}}
    missing = sorted(name for name, space in spaces.items() if space is None)
    if missing:
        yield Skipped(record.name, f"no space of this version is the records' {', '.join(missing)}")
        return
    wrong: Counter[str] = Counter()
    for case in cases:
        found = spaces[str(case["space"])].recorded_decoding(case)
        wrong.update({quantity: ours != recorded for quantity, (ours, recorded) in found.items()})
    if not wrong:
        yield Skipped(record.name, "its spaces decode nothing that is recorded")
    for quantity, count in wrong.items():
        yield record.exactly(f"{quantity} of {len(cases)} cases", count == 0)


def find_recorded_space(name: str, record: Record) -> Any:
    """The space on which a record that calls it so is replayed, or None."""
    found = (cls.of_record(name, record.arrays) for cls in SPACES.classes.values())
    return next((space for space in found if space is not None), None)


def find_space_of_operations(record: Record) -> Any:
    """The space of the cells with the operations that a record lists, or `Skipped` with the reason."""
    names = record.meta["ops"]
    found = find_recorded_space("darts", record.with_arrays(ops=np.array(names)))
    if found is None:
        return Skipped(record.name, f"no space of this version has the record's operations {names}")
    return found
