"""What a network of sequences takes: a stretch of text, and the state that the one before it left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Stretch:
    """Consecutive rows of a text that was cut into columns.

    tokens: [rows, columns]. state: the hidden state [columns, channels] that enters; None: zeros. rate: the factor of
    the learning rate of a weight step on it. left: the hidden state that the last pass of a network left, detached.
    """

    tokens: Tensor
    state: Tensor | None = None
    rate: float = 1.0
    left: Tensor | None = None
