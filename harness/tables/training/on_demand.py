"""Trained tables: a space without a table of its own gets one that trains an architecture when it is first asked for.

Every result is kept under the cache folder for good, once a distinct cell. Processes share it: whoever asks for a cell
that is being trained waits for it. A trained table's fingerprint is that of how it trains, not of the cells that happen
to be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.files import hash_bytes, hash_values
from harness.datasets.base import DATASETS, Dataset
from harness.spaces.base import SPACES, Architecture, Space
from harness.tables.blocks import Block, Blocks
from harness.tables.measure import ACCURACY, SCALES, AnyMeasure, Column, Measure, Scale
from harness.tables.opened import What
from harness.tables.table import Table
from harness.tables.training.recipe import DATASET, SPLITS, TableRecipe
from harness.tables.write import save_npz

SUFFIX = ".trained"
TRIALS = (0, 1, 2)


class TrainedTable(Table):
    """The architectures that are known so far. This class alone, of what a manifest says, knows none and trains none: a
    subclass does.

    dataset_name: of the images. trials: their seeds. splits: what selects (None: nothing does) and what judges. recipe:
    how it trains, plain values, among them the epochs. scale: what its values are; the block `accuracy` holds them.
    What is said of the images themselves is asked for when it is needed: their file need not be there to plan.
    """

    complete: ClassVar[bool] = False
    device: Any = "cpu"
    """Where architectures are trained."""

    def __init__(
        self,
        space: Space,
        dataset_name: str,
        trials: Sequence[int],
        splits: tuple[str | None, str],
        recipe: dict[str, Any],
        *,
        scale: Scale = ACCURACY,
    ) -> None:
        self.scale = scale
        self.space, self.name = space, f"{space.name}{SUFFIX}"
        self.dataset_name, self.asked_trials, self.splits, self.how = dataset_name, tuple(trials), splits, recipe
        self.epochs: int = recipe["epochs"]
        selects, judges = splits
        self.validation = Measure(dataset_name, selects, self.epochs) if selects else None
        self.test = Measure(dataset_name, judges, self.epochs)
        self.columns = [
            Column(dataset_name, split, self.epochs, trial) for trial in trials for split in splits if split
        ]
        self.info = {
            "space": space.name,
            "about": {"title": "trained when first asked for", "recipe": recipe},
            "arrays": {},
            "curves": self.columns,
        }
        self._row_by_key: dict[str, int] = {}
        self._known: list[str] = []
        self._blocks = Blocks(self.name, self.info, self._load)
        self._keep(np.empty((len(self.columns), 0, self.epochs), dtype=np.float32))

    @cached_property
    def told(self) -> dict[str, Any]:
        """All that its values depend on, plain values."""
        splits = {} if self.splits == SPLITS else {"splits": list(self.splits)}
        return {
            "space": self.space.name,
            "dataset": self._data(),
            "trials": list(self.asked_trials),
            **splits,
            **({} if self.scale == ACCURACY else {"scale": self.scale.column}),
            **self.how,
        }

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]
        return hash_values(self.told)

    def _data(self) -> Any:
        """What is said of the images: the name of the embedded tables' own, or a name and fields."""
        return self.dataset_name

    @classmethod
    def of_manifest(cls, named: dict[str, Any]) -> TrainedTable:
        """The table that a manifest names, as far as rows that were looked up before need it."""
        told = dict(named["trained"])
        kept = {key: told[key] for key in ("space", "dataset", "trials", "splits", "scale") if key in told}
        selects, judges = kept.get("splits", SPLITS)
        how = {key: value for key, value in told.items() if key not in kept}
        space: Space = SPACES.find(kept["space"])()
        scale = SCALES[kept.get("scale", ACCURACY.column)]
        found = TrainedTable(space, kept["dataset"]["name"], kept["trials"], (selects, judges), how, scale=scale)
        found.told = told
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return TrainedTable.of_manifest, (self.describe(),)

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"trained": self.told}

    @property
    def digests(self) -> NDArray[np.uint64]:  # type: ignore[override]
        """One number a row; rows are in the order in which they became known here."""
        return np.arange(len(self._known), dtype=np.uint64)

    def encoding(self, row: int) -> str:
        return self._known[row]

    def references(self, measure: AnyMeasure) -> dict[str, float]:
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

    def __init__(
        self, space: Space, root: Path, recipe: TableRecipe | None = None, dataset: Dataset | None = None
    ) -> None:
        self.recipe = recipe or TableRecipe.of(space)
        usual: Dataset = DATASETS.build(DATASET, {})
        self.dataset = usual if dataset is None else dataset
        self.usual = self.dataset == usual
        super().__init__(space, self.dataset.name, TRIALS, SPLITS, self.recipe.describe())
        self.root = root
        if self.usual:
            for path in sorted(self.folder.glob("*.npz")):
                self._add(*self._read(path))

    @cached_property
    def folder(self) -> Path:  # type: ignore[override]
        return self.root / f"{self.space.name}-{self.fingerprint[:12]}"

    def _data(self) -> Any:
        return DATASET if self.usual else {"name": self.dataset.name} | self.dataset.describe()

    def __reduce__(self) -> tuple[Any, ...]:
        return StackTable, (self.space, self.root, self.recipe, self.dataset)

    def describe(self) -> dict[str, Any]:
        """Of the usual data: as it was before there were others."""
        return Table.describe(self) if self.usual else super().describe()

    def _trained(self, architecture: Architecture, key: str) -> NDArray[Any]:
        from filelock import FileLock

        from harness.core.arithmetic import use_one_thread
        from harness.tables.training.train import stack_class, train_stack

        path = self.folder / f"{hash_bytes(key.encode())[:32]}.npz"
        if not path.exists():
            kind = stack_class(self.space)
            locks = self.folder / ".locks"
            locks.mkdir(parents=True, exist_ok=True)
            with FileLock(locks / path.stem), use_one_thread():
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
