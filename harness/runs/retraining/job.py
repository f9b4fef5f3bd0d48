"""One training of a derived architecture: what it is, and where it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.files import hash_values
from harness.datasets.base import Dataset
from harness.runs.retraining.language import LanguageRecipe
from harness.runs.retraining.recipe import RetrainingRecipe
from harness.runs.store import RunFolder
from harness.spaces.base import Architecture, Space

FORMAT = 1
"""Part of every training's identity: raised when the same configuration would give other rows."""


@dataclass(frozen=True)
class Retraining:
    """One training: everything that its rows depend on. Architectures of one canonical key are one."""

    space: Space
    architecture: Architecture
    dataset: Dataset
    recipe: RetrainingRecipe | LanguageRecipe
    seed: int

    def describe(self) -> dict[str, Any]:
        """The resolved configuration: plain values, every default written out."""
        return {
            "format": FORMAT,
            "space": self.space.name,
            "architecture": self.space.canonical_key(self.architecture),
            "dataset": {"name": self.dataset.name} | self.dataset.describe(),
            "recipe": self.recipe.model_dump(mode="json"),
            "seed": self.seed,
        }

    @property
    def id(self) -> str:
        return hash_values(self.describe())[:16]

    def folder(self, root: Path) -> RetrainingFolder:
        return RetrainingFolder(root, f"{self.space.name}_seed{self.seed}_{self.id}")


class RetrainingFolder(RunFolder):
    """The folder of one training."""

    @property
    def again(self) -> str:
        return f"delete {self.final}, and it is trained again"
