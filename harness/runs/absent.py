"""A study whose published table or images are not here, as far as its steps can be measured without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from harness.core.errors import HarnessError, MissingDataError
from harness.core.text import brief, is_whole
from harness.datasets.base import Data, Dataset
from harness.datasets.official import OfficialDataset
from harness.datasets.own import OwnImages, Sizes
from harness.runs.retraining.table import build_trained_table
from harness.runs.study import Study, load_study
from harness.tables.catalog import NO_TABLE
from harness.tables.training.on_demand import TrainedTable

LARGEST = 10_000_000
"""Of any of the sizes of random images."""


class AbsentDataset(Dataset):
    """Random items in place of those of a published data set."""

    name = "random-items"
    of: OfficialDataset

    def load(self, device: torch.device) -> Data:
        return self.of.noise(device)


class AbsentImages(Dataset):
    """Random images in place of those of a file."""

    name = "random-images"
    of: OwnImages
    sizes: Sizes

    def load(self, device: torch.device) -> Data:
        return self.of.noise(self.sizes, device)


def parse_sizes(text: str) -> Sizes:
    """50000x8x8x3: how many images, their height, width and channels."""
    numbers = [int(part) if is_whole(part) else 0 for part in text.split("x")]
    if len(numbers) != 4 or not all(0 < n <= LARGEST for n in numbers):
        raise HarnessError(
            f"--images {brief(text)} is no size: write how many training images there are, their height, width and "
            "channels, such as 50000x8x8x3"
        )
    return numbers[0], numbers[1], numbers[2], numbers[3]


def load_priceable(
    source: Path | Mapping[str, Any],
    settings: Sequence[str] = (),
    seeds: str | None = None,
    images: str | None = None,
) -> tuple[Study, list[str]]:
    """A study to be measured, and a sentence on each thing that is published and not here: nothing is looked up, or
    images are random ones of the same number and size. Not to be run: its runs have other ids. images: the sizes of
    those of a file that is not here (see `parse_sizes`)."""
    absent = []
    sizes = None if images is None else parse_sizes(images)
    try:
        study = load_study(source, settings, seeds)
    except MissingDataError as missing:
        absent.append(str(missing))
        try:
            study = load_study(source, [*settings, f"table={NO_TABLE}"], seeds)
        except HarnessError:  # what needs the table cannot be measured without
            raise missing from None
    found = find_absent(study.runs[0].dataset, sizes)
    if sizes is not None and not (found and isinstance(found[0], AbsentImages)):
        raise HarnessError(
            "--images takes the place of a file of images that is not here, and this study asks for none: leave it out"
        )
    if found is not None:
        noise, sentence = found
        absent.append(sentence)
        table, space = study.table, study.runs[0].space
        if isinstance(table, TrainedTable):  # it judges by the same images
            table = build_trained_table(space, noise, study.file.retraining)
        runs = tuple(replace(run, dataset=noise, table=table) for run in study.runs)
        study = replace(study, runs=runs, table=table)
    return study, absent


def find_absent(dataset: Dataset, sizes: Sizes | None) -> tuple[Dataset, str] | None:
    """What takes the place of a data set that is not here, and a sentence on it."""
    if isinstance(dataset, OfficialDataset):
        try:
            for file in dataset.published():
                dataset.path(file)
        except MissingDataError as missing:
            return AbsentDataset(of=dataset), str(missing)
    if isinstance(dataset, OwnImages) and not dataset.path.exists():
        if sizes is None:
            raise HarnessError(
                f"no image file at {dataset.path}: check the path, or say how many images of which size are to take "
                "its place: --images 50000x8x8x3 (number, height, width, channels)"
            )
        told = "x".join(map(str, sizes))
        return AbsentImages(of=dataset, sizes=sizes), f"no image file at {dataset.path}; {told} random images instead"
    return None
