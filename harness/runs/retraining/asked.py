"""What is to be trained, as a person names it: cells, or runs that derived one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.datasets.base import DATASETS, Dataset
from harness.runs.store import RunFolder
from harness.spaces.base import Architecture, Space, search_space


@dataclass(frozen=True)
class RequestedCell:
    """An architecture to train, on what, and how a person calls it."""

    label: str
    space: Space
    architecture: Architecture
    dataset: Dataset


def find_cells(names: Sequence[str], space: str | None, dataset: dict[str, Any] | None) -> list[RequestedCell]:
    """The cells of these names: architectures as the space writes them, published indices, or folders of finished runs.

    space, dataset: where they are not those of the run. dataset: its name and fields.
    """
    found = []
    for name in names:
        if os.path.isdir(name):  # noqa: PTH112 - a genotype is too long to be asked for as a Path
            found.append(read_derived_cell(Path(name), space, dataset))
            continue
        if space is None:
            raise HarnessError(f"of which space is {name!r}? Say --space, such as --space darts.full")
        if dataset is None:
            raise HarnessError("on which images is it to be trained? Say --dataset, such as --dataset cifar10")
        chosen = search_space(space)
        architecture = chosen.parse(name)
        label = name.partition("=")[0].strip() if "=" in name.partition("(")[0] else architecture.encoding
        found.append(RequestedCell(label, chosen, architecture, build_dataset(dataset)))
    return found


def read_derived_cell(folder: Path, space: str | None, dataset: dict[str, Any] | None) -> RequestedCell:
    """What a run derived after its last epoch."""
    run = RunFolder(folder.parent, folder.name)
    if not (folder / "manifest.json").is_file():
        raise HarnessError(f"{folder} is no folder of a finished run: name one under results/runs/STUDY")
    told = run.manifest().get("configuration")
    if told is None:
        raise HarnessError(f"{folder} holds results of several runs: name the folder of one run")
    chosen = search_space(space or told["space"])
    last = run.tables()["epochs"].sort_values("epoch").iloc[-1]
    return RequestedCell(
        folder.name,
        chosen,
        chosen.parse(last["architecture"]),
        build_dataset(dataset or read_searched_dataset(told, folder)),
    )


def read_searched_dataset(told: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The data set of a run, by its name and fields; one that is a file is not said where."""
    known = DATASETS.find(told["dataset"]["name"]).model_fields
    fields = {k: v for k, v in told["dataset"].items() if k in known or k == "name"}
    if any(known[f].is_required() and f not in fields for f in known):
        raise HarnessError(
            f"where the images of {folder} are is not known: say --dataset {told['dataset']['name']} --set "
            "dataset.path=FILE, and its other fields"
        )
    return fields


def build_dataset(fields: dict[str, Any]) -> Dataset:
    found: Dataset = DATASETS.build(str(fields["name"]), {k: v for k, v in fields.items() if k != "name"})
    return found
