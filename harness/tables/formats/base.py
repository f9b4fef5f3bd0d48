"""What a table can be made of: kinds of files and folders, each converted by a class of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from harness.core.download import Say
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


class TableFormat(ABC):
    """A kind of file or folder. sources: published files of this kind, by name. told: whether the user has to say the
    table's name, space and measures, since files of this kind do not."""

    name: ClassVar[str] = ""
    what: ClassVar[str]
    """The files, in half a sentence, for messages."""
    sources: ClassVar[Mapping[str, TableSource]] = {}
    told: ClassVar[bool] = False

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether a file or folder is of this kind, by its name and outside."""

    @abstractmethod
    def convert(self, job: Conversion) -> list[Table]:
        """Write the table or tables; an error says what is wrong with the file."""
