"""Trained tables: a space without a table of its own gets one that trains an architecture when it is first asked for.

Every result is kept under the cache folder for good, once a distinct cell. Processes share it: whoever asks for a cell
that is being trained waits for it. A trained table's fingerprint is that of how it trains, not of the cells that happen
to be there.
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
from harness.datasets.base import DATASETS, Dataset
from harness.spaces.base import SPACES, Architecture, Space
from harness.tables.blocks import Block, Blocks
from harness.tables.measure import Column, Measure
from harness.tables.opened import What
from harness.tables.table import Table
from harness.tables.training.recipe import DATASET, SPLITS, Recipe
from harness.tables.write import save_npz

SUFFIX = ".trained"
TRIALS = (0, 1, 2)


class TrainedTable(Table):
    """The architectures that are known so far. This class alone, of what a manifest says, knows none and trains none: a
    subclass does.

    told: how it trains, plain values, among them dataset (its name, or that and its fields), trials, epochs and, where
    they are not those of the embedded tables, splits: what selects (None: nothing does) and what judges.
    """

    complete: ClassVar[bool] = False
    device: Any = "cpu"
    """Where architectures are trained."""

    def __init__(self, space: Space, told: dict[str, Any]) -> None:
        self.space, self.name, self.told = space, f"{space.name}{SUFFIX}", told
        self.fingerprint = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        self.dataset_name = told["dataset"] if isinstance(told["dataset"], str) else told["dataset"]["name"]
        self.epochs: int = told["epochs"]
        selects, judges = told.get("splits", SPLITS)
        self.validation = Measure(self.dataset_name, selects, self.epochs) if selects else None
        self.test = Measure(self.dataset_name, judges, self.epochs)
        splits = [split for split in (selects, judges) if split]
        self.columns = [
            Column(self.dataset_name, split, self.epochs, trial) for trial in told["trials"] for split in splits
        ]
        self.info = {
            "space": space.name,
            "about": {"title": "trained when first asked for", "recipe": told},
            "arrays": {},
            "curves": self.columns,
        }
        self._row_by_key: dict[str, int] = {}
        self._known: list[str] = []
        self._blocks = Blocks(self.name, self.info, self._load)
        self._keep(np.empty((len(self.columns), 0, self.epochs), dtype=np.float32))

    @classmethod
    def of_manifest(cls, named: dict[str, Any]) -> TrainedTable:
        """The table that a manifest names, as far as rows that were looked up before need it."""
        found: Space = SPACES.find(named["name"].removesuffix(SUFFIX))()
        return TrainedTable(found, named["trained"])

    def __reduce__(self) -> tuple[Any, ...]:
        return TrainedTable, (self.space, self.told)

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"trained": self.told}

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
            self._add(key, architecture.encoding, self._trained(architecture, key))
        return self._row_by_key[key]

    def rows(self, architectures: Any) -> NDArray[np.intp]:
        return np.array([self.row(a) for a in architectures], dtype=np.intp)

    def _trained(self, architecture: Architecture, key: str) -> NDArray[Any]:
        """The curves of an architecture, [columns, epochs]."""
        raise HarnessError(f"table {self.name} is known by the rows that were read alone, and does not train")

    def _add(self, key: str, encoding: str, curves: NDArray[Any]) -> None:
        self._row_by_key[key] = len(self._known)
        self._known.append(encoding)
        before = self._blocks.kept[f"accuracy-curves-{self.epochs}"].array
        self._keep(np.concatenate([before, curves[:, None]], axis=1))

    def _keep(self, curves: NDArray[Any]) -> None:
        """Answer from these curves, [columns, cells, epochs]."""
        self._blocks.kept[f"accuracy-curves-{self.epochs}"] = Block(self.columns, curves)
        self._blocks.kept["accuracy"] = Block(self.columns, curves[..., -1])

    def __len__(self) -> int:
        return len(self._known)


class StackTable(TrainedTable):
    """Trains as the embedded tables were made, three trials, on the embedded tables' data or other data.

    root: holds a subfolder for each space, recipe and data set, of one file a distinct cell.
    """

    def __init__(self, space: Space, root: Path, recipe: Recipe | None = None, dataset: Dataset | None = None) -> None:
        self.recipe = recipe or Recipe.of(space)
        usual: Dataset = DATASETS.build(DATASET, {})
        self.dataset = usual if dataset is None else dataset
        self.usual = self.dataset == usual
        data = DATASET if self.usual else {"name": self.dataset.name} | self.dataset.describe()
        super().__init__(space, {"space": space.name, "dataset": data, "trials": TRIALS, **self.recipe.describe()})
        self.root, self.folder = root, root / f"{space.name}-{self.fingerprint[:12]}"
        for path in sorted(self.folder.glob("*.npz")):
            self._add(*self._read(path))

    def __reduce__(self) -> tuple[Any, ...]:
        return StackTable, (self.space, self.root, self.recipe, self.dataset)

    def describe(self) -> dict[str, Any]:
        """Of the usual data: as it was before there were others."""
        return Table.describe(self) if self.usual else super().describe()

    def _trained(self, architecture: Architecture, key: str) -> NDArray[Any]:
        from filelock import FileLock

        from harness.core.arithmetic import one_thread
        from harness.tables.training.train import stack_class, train_stack

        path = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
        if not path.exists():
            kind = stack_class(self.space)
            locks = self.folder / ".locks"
            locks.mkdir(parents=True, exist_ok=True)
            with FileLock(locks / path.stem), one_thread():
                if not path.exists():  # no other process trained it while this one waited
                    spec = kind.specify(architecture)
                    curves = [train_stack(kind, [spec], trial, self.recipe, self._images)[0] for trial in TRIALS]
                    save_npz(path, key=key, encoding=architecture.encoding, curves=np.concatenate(curves))
        return self._read(path)[2]

    @cached_property
    def _images(self) -> Any:
        import torch

        return self.dataset.load(torch.device(self.device))

    def _read(self, path: Path) -> tuple[str, str, NDArray[Any]]:
        """Key, encoding and curves of a cell's file."""
        shape = (len(self.columns), self.epochs)
        try:
            with np.load(path) as content:
                return str(content["key"]), str(content["encoding"]), content["curves"].reshape(shape)
        except Exception as error:
            raise HarnessError(f"{path} is damaged ({error!r:.200}): delete it, and it is trained again") from None
