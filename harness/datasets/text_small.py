"""A small text in the public domain, in the package: Alice's Adventures in Wonderland (Lewis Carroll, 1865)."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from pydantic import Field

from harness.datasets.base import Dataset, Part
from harness.datasets.texts import Text, read_text

if TYPE_CHECKING:
    import torch

PARTS: tuple[Part, ...] = ("train", "valid", "test")


class TextSmall(Dataset):
    """Chapters 1 to 8, 9 and 10, 11 and 12 of Alice's Adventures in Wonderland, in lower case without punctuation, a
    sentence a line: 19,625, 4,744 and 4,328 words, the ends of lines among them. Words that the training text has
    less than three times are `<unk>`, which leaves 816 different ones.
    """

    name = "text-small"
    rows: int = Field(35, ge=2, le=10_000)
    """See the data set `text`."""

    def load(self, device: torch.device) -> Text:
        with as_file(files("harness.datasets") / "files") as folder:
            return read_text({part: folder / f"text-small.{part}.txt" for part in PARTS}, self.rows, device)
