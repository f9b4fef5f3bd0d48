"""Any text in three files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.files import digest_once
from harness.datasets.base import Dataset, Part
from harness.datasets.texts import Text, read_text

if TYPE_CHECKING:
    import torch

FILES: dict[Part, str] = {"train": "train.txt", "valid": "valid.txt", "test": "test.txt"}


class TextFolder(Dataset):
    """A folder of train.txt, valid.txt and test.txt, in UTF-8: words between spaces, a sentence a line.

    `train` trains the weights, `valid` alpha, as in the published searches; every different word of the three files
    is a class.
    """

    name = "text"
    path: Path
    """The folder of train.txt, valid.txt and test.txt."""
    rows: int = Field(35, ge=2, le=10_000)
    """Words of a column that a step reads (the papers' bptt)."""

    def describe(self) -> dict[str, Any]:
        """The files by their content."""
        found = {}
        for part, file in FILES.items():
            try:
                found[f"{part}_sha256"] = digest_once(self.path / file, "sha256")
            except (FileNotFoundError, NotADirectoryError):
                raise HarnessError(
                    f"no {file} in {self.path}: name a folder of {', '.join(FILES.values())} as dataset.path"
                ) from None
            except OSError as error:
                raise HarnessError(f"{self.path / file} cannot be read ({error.strerror})") from None
        return super().describe() | found

    def load(self, device: torch.device) -> Text:
        return read_text({part: self.path / file for part, file in FILES.items()}, self.rows, device)
