"""What is measured of a search's network after an epoch, beside its rows."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from pydantic import Field

from harness.core.registry import Plugin, Registry
from harness.datasets.base import Batch, Data
from harness.search.state import SearchState
from harness.tables.table import Table

PROBES = Registry("probes", "harness.search.probes")


class Probe(Plugin):
    """Columns that a study's `[probes]` adds to the rows of every `every`-th epoch and of the last; NaN in between.

    A probe draws from streams of its own and leaves the search as it was: with or without it, a search is the same.
    """

    asks: ClassVar[tuple[str, ...]] = ()
    """What the networks of the space must have (see `Space.has`)."""
    needs_table: ClassVar[bool] = False
    """Whether it asks a table that holds every architecture; a study without one is refused before it runs."""

    every: int = Field(1, ge=1)
    """Measure after every so many epochs, and after the last."""

    @abstractmethod
    def measure(self, search: SearchState, table: Table | None) -> dict[str, Any]:
        """Numbers, or lists of numbers, by column."""

    def batch(self, search: SearchState) -> Batch:
        """A minibatch of the validation half, without augmentation."""
        data: Data = search.images
        return data.sample("valid", search.training.batch_size, search.streams[f"probe-{self.name}"])
