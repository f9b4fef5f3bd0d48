"""Texts as language models read them: words by number, cut into columns that are read side by side.

A text is cut into as many columns of consecutive words as a batch has; its rows are then read from the first to the
last, a stretch of them at a time, and each stretch begins with the hidden state that the one before it left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.lazy import torch
from harness.core.streams import Streams
from harness.datasets.base import HALVES, Batch, Data, Feed, Part, Scores
from harness.spaces.base import Preset
from harness.spaces.blocks.sequences import Stretch

if TYPE_CHECKING:
    from torch import Tensor

END = "<eos>"
"""The word that ends a line."""
USUAL = 0.95
"""The share of stretches of the usual length; the others have half of it."""
EVALUATION_COLUMNS: dict[Part, int] = {"train": 10, "valid": 10, "test": 1}
"""The columns into which a text is cut to be evaluated."""


def split_words(text: str) -> list[str]:
    """The words of a text, each line ended by `END`; an empty line is one `END`."""
    lines = text.split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines  # what follows the last line's end is no line
    return [word for line in lines for word in (*line.split(), END)]


def number_words(parts: Mapping[Part, Sequence[str]]) -> tuple[list[str], dict[Part, Tensor]]:
    """The different words in the order of their first appearance, and each part's words by their place in it."""
    places: dict[str, int] = {}
    numbers = {
        part: torch.tensor([places.setdefault(word, len(places)) for word in words], dtype=torch.long)
        for part, words in parts.items()
    }
    return list(places), numbers


def cut_into_columns(tokens: Tensor, columns: int) -> Tensor:
    """[rows, columns]: row t has the t-th word of every column of consecutive ones; what is left over is dropped."""
    rows = len(tokens) // columns
    return tokens[: rows * columns].view(columns, rows).t().contiguous()


def stretch_of(text: Tensor, first: int, length: int) -> Batch:
    """The rows from `first` on, at most `length` of a text [rows, columns], and the word after each, flat."""
    length = min(length, len(text) - 1 - first)
    return Stretch(text[first : first + length]), text[first + 1 : first + 1 + length].flatten()


def read_text(paths: Mapping[Part, Path], rows: int, device: torch.device) -> Text:
    """The text in a file of each part. rows: of a stretch."""
    try:
        parts = {part: split_words(path.read_text(encoding="utf-8")) for part, path in paths.items()}
    except FileNotFoundError as error:
        raise HarnessError(f"there is no text at {error.filename}: check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"the text in {paths['train'].parent} cannot be read as UTF-8 ({error})") from None
    words, numbers = number_words(parts)
    return Text(numbers, words, rows=rows, device=device)


def draw_text(sizes: Mapping[Part, int], words: int, rows: int, device: torch.device) -> Text:
    """A text of random words, so many in each part, for what its content does not matter."""
    draws = torch.Generator().manual_seed(0)
    parts = {part: torch.randint(words, (size,), generator=draws) for part, size in sizes.items()}
    return Text(parts, [str(number) for number in range(words)], rows=rows, device=device)


class Text(Data):
    """A text in memory. parts: the words of each part by number; words: what they stand for; rows: of a stretch."""

    kind = "words"
    measured = "perplexity"

    def __init__(self, parts: dict[Part, Tensor], words: Sequence[str], *, rows: int, device: torch.device) -> None:
        self.parts = {part: tokens.to(device) for part, tokens in parts.items()}
        self.words, self.rows, self.classes = words, rows, len(words)

    def size(self, part: Part) -> int:
        return len(self.parts[part])

    def feed(
        self, *, batch_size: int, sampling: str, steps_per_epoch: int | None, preset: Preset, streams: Streams
    ) -> TextFeed:
        return TextFeed(self, batch_size, steps_per_epoch, streams, jumps=preset.validation_jumps)

    def evaluated(self, scores: Scores, part: Part, preset: Preset, count: int | None = None) -> tuple[float, float]:
        """The mean over the words of the text (or of its beginning), and the perplexity, its exponential."""
        tokens = self.parts[part][:count]
        text = cut_into_columns(tokens, min(EVALUATION_COLUMNS[part], max(1, len(tokens) // 2)))
        loss = evaluate_text(scores, text, self.rows, counts_all_rows=preset.evaluation_counts_all_rows)
        return loss, compute_perplexity(loss)

    def sample(self, part: Part, count: int, generator: torch.Generator) -> Batch:
        """A stretch of the text in so many columns, that enters with a hidden state of zeros."""
        text = cut_into_columns(self.parts[part], count)
        last = max(1, len(text) - self.rows)
        return stretch_of(text, int(torch.randint(last, (), generator=generator)), self.rows)

    def drawn(self, part: Part, count: int, generator: torch.Generator) -> Batch:
        return self.sample(part, count, generator)

    def example(self, count: int) -> tuple[Any, int]:
        return Stretch(torch.zeros(self.rows, count, dtype=torch.long)), self.rows * count

    def problems(self, name: str, batch_size: int) -> list[str]:
        least = 3 * batch_size
        return [
            f"the {word} half of {name} has {self.size(part)} words, fewer than three rows of {batch_size} columns: "
            "lower training.batch_size, or give a longer text"
            for part, word in HALVES
            if self.size(part) < least
        ]


class TextFeed(Feed):
    """Stretches of the training text, each with one of the validation text.

    jumps: see `Preset.validation_jumps`. An epoch is one reading of the training text; with `steps_per_epoch`, so many
    stretches, and the next epoch reads on.
    """

    def __init__(self, text: Text, columns: int, steps_per_epoch: int | None, streams: Streams, *, jumps: bool) -> None:
        self.texts = {part: cut_into_columns(text.parts[part], columns) for part in ("train", "valid")}
        self.rows, self.streams, self.jumps, self.limit = text.rows, streams, jumps, steps_per_epoch
        mean = USUAL * self.rows + (1 - USUAL) * (self.rows // 2)
        self.steps_per_epoch = steps_per_epoch or math.ceil(len(self.texts["train"]) / mean)
        self.taken = 0
        self.restart()

    def restart(self) -> None:
        """Go back to the beginning of both texts."""
        self.positions: dict[Part, int] = {"train": 0, "valid": 0}
        self.states: dict[Part, Tensor | None] = {"train": None, "valid": None}

    def begin_epoch(self) -> None:
        self.taken = 0
        if self.limit is None:
            self.restart()

    @property
    def ended(self) -> bool:
        """Whether the training text has no further stretch of two rows."""
        return self.positions["train"] >= len(self.texts["train"]) - 2

    def more(self) -> bool:
        return not self.ended if self.limit is None else self.taken < self.limit

    def next(self, part: Part) -> Batch:
        if part == "valid":
            return self._valid()
        if self.ended:
            self.restart()
        self.taken += 1
        first = self.positions["train"]
        host = torch.device("cpu")
        drawn = self.streams.draw("lengths", lambda g: torch.rand((), generator=g, dtype=torch.float64), host).item()
        self.length = self.rows if drawn < USUAL else max(1, self.rows // 2)
        self.positions["train"] += self.length
        return self._stretch("train", first, self.length, rate=self.length / self.rows)

    def _valid(self) -> Batch:
        """The validation stretch that goes with the last training stretch."""
        last = len(self.texts["valid"]) - 1
        first = self.positions["valid"]
        if self.jumps:
            self.positions["valid"] = self.positions["train"]
            return self._stretch("valid", first % last, self.rows)
        if first >= last:
            first, self.states["valid"] = 0, None
        self.positions["valid"] = first + self.length
        return self._stretch("valid", first, self.length)

    def _stretch(self, part: Part, first: int, length: int, rate: float = 1.0) -> Batch:
        x, y = stretch_of(self.texts[part], first, length)
        x.state, x.rate = self.states[part], rate
        return x, y

    def further(self) -> Batch:
        """A stretch of the training text from anywhere, that enters with a hidden state of zeros."""
        last = max(1, len(self.texts["train"]) - self.rows)
        first = int(torch.randint(last, (), generator=self.streams["further-order"]))
        return stretch_of(self.texts["train"], first, self.rows)

    def carry(self, part: Part, batch: Batch) -> None:
        if batch[0].left is not None:
            self.states[part] = batch[0].left

    def rate(self, batch: Batch) -> float:
        rate: float = batch[0].rate
        return rate

    def state_dict(self) -> dict[str, Any]:
        return {"positions": dict(self.positions), "states": dict(self.states)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        device = self.texts["train"].device
        self.positions = dict(state["positions"])
        self.states = {part: None if s is None else s.to(device) for part, s in state["states"].items()}


def evaluate_text(scores: Scores, text: Tensor, rows: int, *, counts_all_rows: bool) -> float:
    """Mean cross-entropy in nats of a text [rows, columns], read in stretches from a hidden state of zeros.

    counts_all_rows: see `Preset.evaluation_counts_all_rows`. The device is waited for once.
    """
    total = torch.zeros((), dtype=torch.float64, device=text.device)
    state: Tensor | None = None
    with torch.no_grad():
        for first in range(0, len(text) - 1, rows):
            x, y = stretch_of(text, first, rows)
            x.state = state
            loss = torch.nn.functional.cross_entropy(scores(x), y)
            total += loss * len(x.tokens)
            state = x.left
    return total.item() / (len(text) - (0 if counts_all_rows else 1)) if len(text) > 1 else math.nan


def compute_perplexity(loss: float) -> float:
    """Of a mean loss in nats; infinite where no number is as large."""
    return math.inf if loss > 700 else math.exp(loss)
