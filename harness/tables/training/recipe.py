"""How the networks of a trained table are trained."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any

from harness.spaces.base import Space

DATASET, SPLITS = "digits100", ("x-valid", "x-test")


@dataclass(frozen=True)
class TableRecipe:
    """How each network of the table is trained. The pilots behind these numbers are in docs/explanation/tables.md.

    channels: of the first stage (doubled twice). steps: of `batch_size` fresh pairs; an epoch of the curve is
    steps / epochs of them. learning_rate: of Adam, after a linear warm-up, to zero by a cosine. stack: networks
    trained together.
    """

    channels: int = 4
    steps: int = 240
    batch_size: int = 64
    learning_rate: float = 0.02
    betas: tuple[float, float] = (0.9, 0.99)
    warmup_steps: int = 20
    epochs: int = 4
    stack: int = 80

    @classmethod
    def of(cls, space: Space) -> TableRecipe:
        """The recipe of a space's table."""
        return cls(**space.recipe)

    def describe(self) -> dict[str, Any]:
        """The fields as JSON gives them back."""
        fields: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return fields

    def rate(self, step: int) -> float:
        warm = min(1.0, (step + 1) / self.warmup_steps)
        return self.learning_rate * warm * (1 + math.cos(math.pi * step / self.steps)) / 2
