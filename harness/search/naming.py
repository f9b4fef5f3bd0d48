"""What the literature calls a method: said by the class of the part that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.core.registry import Plugin

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class SearchRecipe:
    """How the code of a paper trains.

    source: where the numbers are from. training: fields of `Training`; channels: of the one-shot network; epochs: of
    the search: those that are known to differ from a study's defaults, or to be what the code has. beside: parts that
    belong to the training, such as a warm-up. fields: of the method's own parts, {part: {field: value}}.
    """

    source: str
    training: Mapping[str, Any] = field(default_factory=dict)
    channels: int | None = None
    epochs: int | None = None
    beside: tuple[Plugin, ...] = ()
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


Recipes = Mapping[str, SearchRecipe]
"""By the beginning of a space's name, the longest one that fits; "" is for every other space."""
DARTS_CODE: Mapping[str, Any] = {
    "batch_size": 64,
    "order": "alpha-first",
    "learning_rate": 0.025,
    "learning_rate_min": 0.001,
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 3e-4,
    "gradient_clip": 5.0,
    "alpha_learning_rate": 3e-4,
    "alpha_betas": (0.5, 0.999),
    "alpha_weight_decay": 1e-3,
}
"""What DARTS' cnn/train_search.py trains with, and most code that was made of it."""
RNN_CODE: Mapping[str, Any] = {
    **DARTS_CODE,
    "batch_size": 256,
    "learning_rate": 20.0,
    "learning_rate_min": 20.0,
    "momentum": 0.0,
    "weight_decay": 5e-7,
    "gradient_clip": 0.25,
    "alpha_learning_rate": 3e-3,
    "alpha_betas": (0.9, 0.999),
}
"""What DARTS' rnn/train_search.py trains with, and SmoothDARTS' sota/rnn."""
AUTODL: Mapping[str, Any] = {**DARTS_CODE, "order": "weights-first", "nesterov": True, "weight_decay": 5e-4}
"""What AutoDL-Projects trains with, in configs/nas-benchmark/algos."""


@dataclass(frozen=True)
class NamedUse:
    """How a class, under one of its papers' names, is used.

    fields: of the class, those that differ from their defaults. beside: the parts that the method has besides it.
    alias: another spelling, which listings leave out. official: fields that the published code has otherwise, by a
    fault of it or by what the paper does not say: the preset `official` of the method. recipes: how its paper trains,
    where that is not the `recipes` of the class.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[Plugin, ...] = ()
    alias: bool = False
    official: Mapping[str, Any] = field(default_factory=dict)
    recipes: Recipes | None = None
