"""Holding a converted table against the official file, as the benchmark's own package reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.core.download import Say
from harness.core.seeds import derive_seed
from harness.tables.formats.base import HeldNumber
from harness.tables.sources.add import format_of
from harness.tables.table import Table

REPORT_EVERY = 100_000


@dataclass(frozen=True)
class Holding:
    """What was compared. numbers: how many; different: how many are not the same; first: of those."""

    name: str
    path: Path
    architectures: str
    numbers: int
    different: int
    first: HeldNumber | None

    @property
    def told(self) -> str:
        """A sentence; of numbers that differ, the first is named."""
        what = f"{self.name}: {self.numbers:,} numbers of {self.architectures} beside the package's of {self.path}"
        if self.first is None:
            return f"{what}: all the same"
        ours, theirs = self.first.ours, self.first.theirs
        return f"{what}: {self.different:,} differ, the first is {self.first.what}: {ours!r} here, {theirs!r} there"


def hold_table(table: Table, path: Path, sample: int | None, say: Say) -> Holding:
    """Compare a table with its official file.

    Args:
        table: the converted table.
        path: the official file or archive folder, which its package unpickles: one that is trusted.
        sample: so many architectures alone, by a fixed stream; None: all.
        say: told how far it is.

    Raises:
        HarnessError: no package reads such files, or it cannot read this one; or it holds nothing that the table has.
    """
    chosen = "all architectures"

    def choose(count: int) -> Sequence[int]:
        nonlocal chosen
        if sample is None or sample >= count:
            chosen = f"all {count:,} architectures"
            return range(count)
        chosen = f"{sample:,} of {count:,} architectures"
        rng = np.random.default_rng(derive_seed("verify", table.fingerprint))
        return sorted(rng.choice(count, sample, replace=False).tolist())

    numbers, different, first = 0, 0, None
    for held in format_of(path).hold(table, path, choose):
        numbers += 1
        if not held.equal:
            different += 1
            first = first or held
        if numbers % REPORT_EVERY == 0:
            say(f"{numbers:,} numbers")
    return Holding(table.name, path, chosen, numbers, different, first)
