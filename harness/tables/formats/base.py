"""What a table can be made of: kinds of files and folders, each converted by a class of its own."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from harness.core.download import Say
from harness.core.errors import HarnessError
from harness.core.registry import Registry
from harness.spaces.base import Space
from harness.tables.measure import Measure, Unit
from harness.tables.sources.source import TableSource
from harness.tables.table import Table

FORMATS = Registry("formats", "harness.tables.formats")


@dataclass(frozen=True)
class Conversion:
    """What is to be converted. path: of the file or folder. folder: of the table that is to be written, named like it;
    further tables go beside it. about: where the numbers come from, stored as given. jobs: processes that may be used.
    space, test, validation, unit, columns: what the user says of a file that does not say it itself
    (`TableFormat.told`). unit: of its accuracies; columns: what a file calls a column, by its name here or by the
    measure that it holds."""

    path: Path
    folder: Path
    about: dict[str, Any]
    jobs: int
    say: Say
    space: Space | None = None
    test: Measure | None = None
    validation: Measure | None = None
    unit: Unit | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


class HeldNumber(NamedTuple):
    """A number of a table beside the one that an official package reads in the same file; NaN: not there."""

    what: str
    ours: float
    theirs: float

    @property
    def equal(self) -> bool:
        """Whether they are the same, up to the last bits of a sum."""
        both_missing = math.isnan(self.ours) and math.isnan(self.theirs)
        return both_missing or math.isclose(self.ours, self.theirs, rel_tol=1e-12, abs_tol=1e-12)


class TableFormat(ABC):
    """A kind of file or folder. sources: published files of this kind, by name. told: whether the user has to say the
    table's name, space and measures, since files of this kind do not."""

    name: ClassVar[str] = ""
    what: ClassVar[str]
    """The files, in half a sentence, for messages."""
    sources: ClassVar[Mapping[str, TableSource]] = {}
    told: ClassVar[bool] = False

    @abstractmethod
    def recognizes(self, path: Path) -> bool:
        """Whether a file or folder is of this kind, by its name and outside."""

    @abstractmethod
    def convert(self, job: Conversion) -> list[Table]:
        """Write the table or tables; an error says what is wrong with the file."""

    def hold(self, table: Table, path: Path, choose: Callable[[int], Sequence[int]]) -> Iterator[HeldNumber]:
        """Numbers of a table beside what an official package reads in the file that it was made of.

        Args:
            table: as `convert` wrote it.
            path: the file or folder.
            choose: gives the places of the architectures to look at, of their number.

        Raises:
            HarnessError: there is no package for files of this kind, or it cannot read this one.
        """
        raise HarnessError(
            f"no official package reads {self.what}: 'harness tables verify' without --against hashes the table"
        )
