"""A data set that is no image: a text that counts."""

import torch
from pydantic import Field

from harness.datasets.base import Dataset, Part
from harness.datasets.texts import Text, number_words

PARTS: tuple[Part, ...] = ("train", "valid", "test")


class Counting(Dataset):
    """The numbers up to `last` in words of one digit each, over and over; `rows` of a column are read in a step."""

    name = "counting"
    last: int = Field(40, ge=1)
    rows: int = Field(8, ge=2)

    def load(self, device: torch.device) -> Text:
        text = [digit for number in range(self.last) for digit in (*str(number), ",")] * 4
        words, numbers = number_words(dict.fromkeys(PARTS, text))
        return Text(numbers, words, rows=self.rows, device=device)
