"""How the language model of a derived cell is trained to judge it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.core.settings import Settings

LEAST, BEYOND = 5, 20
"""Rows of the shortest stretch, and how many more the longest one has than the usual one."""
SPREAD = 5
"""Standard deviation of the lengths of stretches."""
SHARE = 0.95
"""How often the mean length is the usual one, and not half of it."""


class LanguageRecipe(Settings):
    """Size of the model, and its training: SGD on the training text at a constant rate, then ASGD.

    Each stretch of text has its own length, normal around the data set's `rows` or half of them, and the learning rate
    is in proportion to it. After an epoch whose validation loss is above the lowest of all but the last `patience`
    ones before, the weights are averaged from then on, and the average is judged (NT-ASGD, Merity et al. 2017). What
    had the lowest validation loss is kept, and its perplexity on the test text is measured after the last epoch.

    steps_per_epoch: None is one reading of the text. Dropout and activation regularization: as of `awd` in a search.
    average_lags: a step of ASGD has the learning rate of the one before it (published).
    evaluation_counts_all_rows, last_word_untrained: see the presets of a search.
    The defaults are those of DARTS and SmoothDARTS for Penn Treebank (their rnn/train.py).
    """

    measured: ClassVar[str] = "perplexity"
    """What is measured of what was trained (a column of `tables.measure.SCALES`)."""
    splits: ClassVar[tuple[str | None, str]] = ("valid", "test")
    """Which selects, and which judges."""
    channels: int = Field(850, ge=1)
    epochs: int = Field(8000, ge=1)
    steps_per_epoch: int | None = Field(None, ge=1)
    batch_size: int = Field(64, ge=1)
    learning_rate: float = Field(20.0, gt=0)
    weight_decay: float = Field(8e-7, ge=0)
    gradient_clip: float = Field(0.25, gt=0)
    output: float = Field(0.75, ge=0, lt=1)
    hidden: float = Field(0.25, ge=0, lt=1)
    inside: float = Field(0.75, ge=0, lt=1)
    embedded: float = Field(0.2, ge=0, lt=1)
    words: float = Field(0.1, ge=0, lt=1)
    activation: float = Field(0.0, ge=0)
    change: float = Field(1e-3, ge=0)
    patience: int = Field(5, ge=0)
    average_lags: bool = True
    evaluation_counts_all_rows: bool = True
    last_word_untrained: bool = True

    def regularization(self) -> dict[str, float]:
        """Its dropout and activation regularization."""
        names = ("output", "hidden", "inside", "embedded", "words", "activation", "change")
        return {name: getattr(self, name) for name in names}
