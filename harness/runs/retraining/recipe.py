"""How the network of a derived architecture is trained to judge it."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import Field, ValidationError

from harness.core.errors import HarnessError, suggest_names
from harness.core.registry import explain
from harness.core.settings import Settings
from harness.runs.retraining.language import LanguageRecipe
from harness.spaces.base import WORDS, Space


class RetrainingRecipe(Settings):
    """Size of the network, and its training: SGD on all training images, both halves of a search together, the
    learning rate falling to zero by a cosine over the epochs.

    steps_per_epoch: None is one pass over the images. cutout: the square's side as a share of the image's height.
    auxiliary: weight of the auxiliary classifier's loss; 0 builds none. drop_path: reached linearly over the epochs.
    The defaults are those of DARTS (Liu et al. 2019, section 3.2; its code and SmoothDARTS', train.py).
    """

    measured: ClassVar[str] = "accuracy_pct"
    """What is measured of what was trained (a column of `tables.measure.SCALES`)."""
    splits: ClassVar[tuple[str | None, str]] = (None, "test")
    """Which selects, and which judges; nothing is held out to select by, as nothing is in the papers."""
    channels: int = Field(36, ge=1)
    cells: int = Field(20, ge=1)
    epochs: int = Field(600, ge=1)
    steps_per_epoch: int | None = Field(None, ge=1)
    batch_size: int = Field(96, ge=2)
    learning_rate: float = Field(0.025, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(3e-4, ge=0)
    gradient_clip: float = Field(5.0, gt=0)
    cutout: float = Field(0.5, ge=0, le=1)
    auxiliary: float = Field(0.4, ge=0)
    drop_path: float = Field(0.2, ge=0, lt=1)

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0, written out, so that no scheduler version shifts it by one."""
        return self.learning_rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2

    def dropped(self, epoch: int) -> float:
        """The probability of drop-path in an epoch, counted from 0."""
        return self.drop_path * epoch / self.epochs


PUBLISHED, SMALL = "published", "small"
RECIPES = {
    PUBLISHED: RetrainingRecipe(),
    SMALL: RetrainingRecipe(
        channels=8, cells=8, epochs=10, steps_per_epoch=60, batch_size=64, cutout=0, auxiliary=0, drop_path=0
    ),
}
"""By name. `small` is finished by one core in minutes, on images of up to 32 x 32 pixels."""
LANGUAGE_RECIPES = {
    PUBLISHED: LanguageRecipe(),
    SMALL: LanguageRecipe(
        channels=64,
        epochs=16,
        batch_size=16,
        learning_rate=10.0,
        patience=2,
        output=0.25,
        hidden=0.1,
        inside=0.25,
        embedded=0.1,
        words=0.0,
        average_lags=False,
        evaluation_counts_all_rows=False,
        last_word_untrained=False,
    ),
}
"""The same of language models; `small` for a text of some tens of thousands of words."""


def list_recipes(space: Space) -> dict[str, Any]:
    """Those of a space, by name: with those that it declares itself."""
    known: dict[str, Any] = {**(LANGUAGE_RECIPES if WORDS in space.has else RECIPES)}
    published = known[PUBLISHED]
    own = {name: type(published).model_validate(dict(fields)) for name, fields in space.trainings.items()}
    return known | own


def build_recipe(name: str, changes: dict[str, Any], space: Space | None = None) -> Any:
    """A recipe of a name with some fields changed; an error names what is misspelt or impossible. space: whose recipes;
    if not said, those of any space of images."""
    known = RECIPES if space is None else list_recipes(space)
    if name not in known:
        raise HarnessError(f"unknown recipe {name!r}: {suggest_names(name, known)}")
    chosen = known[name]
    try:
        return type(chosen).model_validate(chosen.model_dump() | changes)
    except ValidationError as error:
        raise HarnessError(explain(error, f"recipe {name!r}", type(chosen).model_fields)) from None
