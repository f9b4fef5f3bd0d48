"""The table of a space without one: derived architectures are trained, each once, and looked up like any other.

Trainings are kept under the cache folder, and shared between studies, runs and processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, field_validator

from harness.core.arithmetic import use_one_thread, use_precision
from harness.core.errors import HarnessError
from harness.core.files import cache_folder
from harness.core.lazy import torch
from harness.core.seeds import check_seeds, parse_seeds
from harness.core.settings import Settings
from harness.datasets.base import Dataset
from harness.runs.lease import Held
from harness.runs.retraining.job import Retraining
from harness.runs.retraining.language import LanguageRecipe
from harness.runs.retraining.recipe import RetrainingRecipe, build_recipe
from harness.spaces.base import STACKS, Architecture, Space
from harness.tables.catalog import NO_TABLE, open_table
from harness.tables.measure import SCALES
from harness.tables.table import Table
from harness.tables.training.on_demand import SUFFIX, StackTable, TrainedTable

TRAINED = "trained"
POLL_SECONDS = 1.0


class RetrainingRequest(Settings):
    """How a study wants derived architectures to be trained: by which recipe, with which of its fields changed, and
    with which seeds."""

    model_config = ConfigDict(extra="allow")
    recipe: str = "published"
    """How what is derived is trained: a recipe by name."""
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    """Seeds with which each derived architecture is trained."""

    @field_validator("seeds", mode="before")
    @classmethod
    def _seeds(cls, value: Any) -> Any:
        return tuple(parse_seeds(value) if isinstance(value, str) else check_seeds(value))

    def resolved(self, space: Space) -> Any:
        return build_recipe(self.recipe, dict(self.model_extra or {}), space)


class RetrainedTable(TrainedTable):
    """Trains the networks of single architectures. root: where trainings are kept."""

    def __init__(
        self,
        space: Space,
        dataset: Dataset,
        recipe: RetrainingRecipe | LanguageRecipe,
        seeds: Sequence[int],
        root: Path,
    ) -> None:
        self.dataset, self.recipe, self.root = dataset, recipe, root
        scale = SCALES[recipe.measured]
        super().__init__(space, dataset.name, seeds, recipe.splits, recipe.model_dump(mode="json"), scale=scale)

    def _data(self) -> Any:
        return {"name": self.dataset.name} | self.dataset.describe()

    def __reduce__(self) -> tuple[Any, ...]:
        return RetrainedTable, (self.space, self.dataset, self.recipe, self.asked_trials, self.root)

    def jobs(self, architecture: Architecture) -> list[Retraining]:
        """The trainings of an architecture."""
        return [Retraining(self.space, architecture, self.dataset, self.recipe, seed) for seed in self.asked_trials]

    def _trained(self, architecture: Architecture, key: str) -> NDArray[Any]:
        jobs = self.jobs(architecture)
        for _ in train_all(jobs, self.root, torch.device(self.device)):
            pass
        frames = [job.folder(self.root).tables()["epochs"] for job in jobs]
        columns = [f"{split}_{self.scale.column}" for split in self.splits if split]
        return np.stack([f[column].to_numpy(np.float32) for f in frames for column in columns])


def train_all(
    jobs: Sequence[Retraining], root: Path, device: torch.device, say: Callable[[str], None] = lambda line: None
) -> Iterator[Retraining]:
    """Do the trainings that are not done, yielding each as it is. What another process does is left to it, and taken
    over when that process dies, so several processes divide what they are all asked for. say: told what goes on."""
    from harness.runs.retraining.fit import train

    left = list(jobs)
    while left:
        held = []
        for job in left:
            try:
                with use_one_thread(), use_precision("fp32", device):
                    train(job, job.folder(root), device)
                yield job
            except Held as other:
                say(f"seed {job.seed} is left alone: {other}")
                held.append(job)
        while held and not any(is_free(job, root) for job in held):
            time.sleep(POLL_SECONDS)
        left = held


def is_free(job: Retraining, root: Path) -> bool:
    """Whether a training is done, or nobody is doing it."""
    folder = job.folder(root)
    return folder.finished or folder.lease().holder() is None


def locate_networks() -> Path:
    """Where trainings are kept, if nobody says."""
    return cache_folder() / "trained" / "networks"


def open_study_table(name: str, space: Space, dataset: Dataset, asked: RetrainingRequest, where: str) -> Table | None:
    """The table that a study names, or that trains what it derives. where: the study, for an error."""
    if name in (TRAINED, f"{space.name}{SUFFIX}"):
        return build_trained_table(space, dataset, asked)
    if asked != RetrainingRequest():
        raise HarnessError(f'{where} has [retraining], but table = "{name}": say table = "{TRAINED}"')
    return None if name == NO_TABLE else open_table(name)


def build_trained_table(space: Space, dataset: Dataset, asked: RetrainingRequest) -> TrainedTable:
    """The table that judges a study of this space and data set by training what it derives."""
    if STACKS not in space.has:
        return RetrainedTable(space, dataset, asked.resolved(space), asked.seeds, locate_networks())
    if asked != RetrainingRequest():
        raise HarnessError(
            f"the trained table of {space.name} has a recipe of its own, that of the embedded tables: leave "
            "[retraining] out"
        )
    return StackTable(space, locate_networks().parent, dataset=dataset)
