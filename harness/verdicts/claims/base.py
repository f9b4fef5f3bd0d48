"""A published claim as data, and what deciding it needs and gives."""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from harness.core.errors import HarnessError
from harness.core.registry import Plugin, Registry
from harness.results.runs import Runs
from harness.stats.intervals import Floats, Interval
from harness.stats.tests import Test
from harness.tables.measure import Measure
from harness.tables.table import Table

State = Literal["reproduced", "not reproduced", "cannot be tested", "a question"]
Divisor = Literal["n", "n-1", "unknown"]
ROUNDING = 0.005
"""Half of the last digit of a number that is printed with two decimals."""
COMMON = 0.05
"""From this share of random cells on that would satisfy a claim too, it says nothing of a method."""
UNQUOTED = re.compile(r"recollection|from memory|our question|no number was found|nobody said", re.IGNORECASE)
"""What a source says that quotes nothing."""

CLAIMS = Registry("claims", "harness.verdicts.claims.kinds")
"""The kinds of claims."""


class Undecided(HarnessError):
    """Why a claim cannot be tested with what is there."""


class Protocol(BaseModel):
    """How a published number came about, as far as its source says.

    data: what was searched on. split: where the number was measured. epochs: of the search. seeds: how many. std: what
    the published standard deviation divides by. note: what else a reader must know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    data: str
    split: str
    epochs: int | None = Field(None, ge=1)
    seeds: int | None = Field(None, ge=1)
    std: Divisor = "unknown"
    note: str = ""


@dataclass(frozen=True)
class Evidence:
    """What a claim is decided by. table: None where it is not there, no_table says why. runs: finished runs of one of
    the claim's studies; None where there are none, no_runs says why. other_protocol: in what they differ from what the
    claim is about; empty where they do not. multiplier, family: what the correction for all tests of the claims' file
    multiplies this claim's p by, and how many tests these are."""

    table: Table | None
    no_table: str = ""
    runs: Runs | None = None
    no_runs: str = ""
    other_protocol: str = ""
    multiplier: float = 1.0
    family: int = 1

    def asked_table(self) -> Table:
        if self.table is None:
            raise Undecided(self.no_table or "its claims name no table")
        return self.table

    def finished(self, *methods: str) -> Runs:
        """The runs, which must have runs of these methods."""
        if self.runs is None:
            raise Undecided(self.no_runs)
        there = self.runs.methods
        if lacking := [m for m in methods if m not in there]:
            raise Undecided(f"{self.runs.name} has no finished run of {lacking[0]!r}, only of {', '.join(there)}")
        return self.runs


@dataclass(frozen=True)
class Verdict:
    """found: the number that was found, in the claim's unit. n: runs, or cells of the table. interval: of `found`.
    noise: of the table, percentage points. why: the reason in a sentence."""

    state: State
    why: str
    found: float | None = None
    n: int | None = None
    interval: Interval | None = None
    noise: float | None = None


class Claim(Plugin):
    """What a paper says, so that it can be checked. A subclass is a kind of claim.

    says: the claim in words. source: where it is quoted from: page, table, figure or code, and where that was read. One
    that is a recollection, or a question of ours, makes it a question, which is answered and never reproduced.
    protocol: how the published number came about.
    """

    needs_runs: ClassVar[bool] = False
    """Whether it takes searches to decide it, or the table alone."""
    says: str
    source: str
    protocol: Protocol

    @property
    def quoted(self) -> bool:
        """Whether the source is quoted, so that there is something to reproduce."""
        return UNQUOTED.search(self.source) is None

    def test(self, evidence: Evidence) -> Test | None:
        """The test that decides it, where one does, so that all of a file are corrected for each other. Raises
        `Undecided` as `check` does."""
        return None

    @abstractmethod
    def claimed(self) -> str:
        """The published number, as it is printed."""

    @abstractmethod
    def check(self, evidence: Evidence) -> Verdict:
        """Decide it. Raises `Undecided` where the evidence cannot."""


class RunClaim(Claim):
    """A claim that takes searches. any_size: whether its source says it of searches of any size, so that a reduced
    study decides it as well."""

    needs_runs = True
    any_size: bool = False

    def decided_by(self, evidence: Evidence, *methods: str) -> Runs:
        """The runs that may decide it."""
        return evidence.finished(*methods)


def agrees_with_published(found: float, value: float, tolerance: float) -> bool:
    """Whether a number is the published one, up to a tolerance (and the last bits of a mean)."""
    return bool(abs(found - value) <= tolerance + 1e-9)


def state_of(agreed: bool) -> State:
    return "reproduced" if agreed else "not reproduced"


def decide_state(shown: bool, refuted: bool) -> State:
    return "reproduced" if shown else "not reproduced" if refuted else "cannot be tested"


def collect_known_values(table: Table, measure: str) -> Floats:
    """A measure of every architecture, in row order; some are known at least."""
    values = table.row_values(Measure.parse(measure))
    if np.isnan(values).all():
        raise Undecided(f"table {table.name} knows no architecture's {measure}")
    return values
