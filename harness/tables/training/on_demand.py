"""Trained tables: a space without a table of its own gets one that trains an architecture when it is first asked for.

`<space>.trained` trains by the recipe of the embedded tables (digits100, three trials) and keeps every result under
the cache folder for good, one file a distinct cell. Processes share it: whoever asks for a cell that is being trained
waits for it. Its fingerprint is that of the recipe, not of the cells that happen to be there.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.spaces.base import Architecture, Space
from harness.tables.blocks import Block, Blocks
from harness.tables.measure import Column, Measure
from harness.tables.opened import What
from harness.tables.table import Table
from harness.tables.training.recipe import DATASET, SPLITS, Recipe
from harness.tables.write import save_npz

SUFFIX = ".trained"
TRIALS = (0, 1, 2)


class TrainedTable(Table):
    """The trained cells so far, and those that are asked for. folder: holds a subfolder for each space and recipe."""

    complete: ClassVar[bool] = False

    def __init__(self, space: Space, root: Path, recipe: Recipe | None = None) -> None:
        self.recipe = recipe or Recipe.of(space)
        told = {"space": space.name, "dataset": DATASET, "trials": TRIALS, **self.recipe.describe()}
        self.fingerprint = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        self.root, self.folder = root, root / f"{space.name}-{self.fingerprint[:12]}"
        self.space, self.name = space, f"{space.name}{SUFFIX}"
        epochs = self.recipe.epochs
        self.columns = [Column(DATASET, split, epochs, trial) for trial in TRIALS for split in SPLITS]
        self.validation, self.test = (Measure(DATASET, split, epochs) for split in SPLITS)
        self.info = {
            "space": space.name,
            "about": {"title": "trained when first asked for, by the recipe of the embedded tables", "recipe": told},
            "arrays": {},
            "curves": self.columns,
        }
        self._row_by_key: dict[str, int] = {}
        self._known: list[str] = []
        empty = np.empty((len(self.columns), 0, epochs), dtype=np.float32)
        self._blocks = Blocks(self.name, self.info, self._load)
        self._keep(empty)
        for path in sorted(self.folder.glob("*.npz")):
            self._append(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return TrainedTable, (self.space, self.root, self.recipe)

    @property
    def digests(self) -> NDArray[np.uint64]:  # type: ignore[override]
        """One number a row; rows are in the order in which they became known here."""
        return np.arange(len(self._known), dtype=np.uint64)

    def encoding(self, row: int) -> str:
        return self._known[row]

    def references(self, measure: Measure) -> dict[str, float]:
        """Nothing: the optimum is unknown."""
        return {}

    def row(self, what: What) -> int:
        """The architecture's row; trains it where nobody has yet."""
        architecture = self.architecture(what)
        key = self.space.canonical_key(architecture)
        if key not in self._row_by_key:
            path = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
            if not path.exists():
                self._train(architecture, key, path)
            self._append(path)
        return self._row_by_key[key]

    def rows(self, architectures: Any) -> NDArray[np.intp]:
        return np.array([self.row(a) for a in architectures], dtype=np.intp)

    def _train(self, architecture: Architecture, key: str, path: Path) -> None:
        from filelock import FileLock

        from harness.core.arithmetic import one_thread
        from harness.tables.training.train import stack_class, train_stack

        locks = self.folder / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / path.stem):
            if path.exists():  # another process trained it while this one waited
                return
            kind = stack_class(self.space)
            spec = kind.specify(architecture)
            with one_thread():
                curves = [train_stack(kind, [spec], trial, self.recipe, self._images)[0] for trial in TRIALS]
            save_npz(path, key=key, encoding=architecture.encoding, curves=np.concatenate(curves))

    @cached_property
    def _images(self) -> Any:
        import torch

        from harness.datasets.digits import DigitPairs

        return DigitPairs().load(torch.device("cpu"))

    def _append(self, path: Path) -> None:
        """Take a cell's file in as a row."""
        shape = (len(self.columns), self.recipe.epochs)
        try:
            with np.load(path) as content:
                key, encoding, curves = str(content["key"]), str(content["encoding"]), content["curves"].reshape(shape)
        except Exception as error:
            raise HarnessError(f"{path} is damaged ({error!r:.200}): delete it, and it is trained again") from None
        self._row_by_key[key] = len(self._known)
        self._known.append(encoding)
        before = self._blocks.kept[f"accuracy-curves-{self.recipe.epochs}"].array
        self._keep(np.concatenate([before, curves[:, None]], axis=1))

    def _keep(self, curves: NDArray[Any]) -> None:
        """Answer from these curves, [columns, cells, epochs]."""
        self._blocks.kept[f"accuracy-curves-{self.recipe.epochs}"] = Block(self.columns, curves)
        self._blocks.kept["accuracy"] = Block(self.columns, curves[..., -1])

    def __len__(self) -> int:
        return len(self._known)
