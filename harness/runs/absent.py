"""A study whose published table or images are not here, as far as its steps can be measured without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from harness.core.errors import HarnessError, MissingDataError
from harness.datasets.base import Data, Dataset
from harness.datasets.official import OfficialDataset
from harness.runs.retraining.table import build_trained_table
from harness.runs.study import Study, load_study
from harness.tables.catalog import NO_TABLE
from harness.tables.training.on_demand import TrainedTable


class AbsentDataset(Dataset):
    """Random items in place of those of a published data set."""

    name = "random-items"
    of: OfficialDataset

    def load(self, device: torch.device) -> Data:
        return self.of.noise(device)


def load_priceable(
    source: Path | Mapping[str, Any], settings: Sequence[str] = (), seeds: str | None = None
) -> tuple[Study, list[str]]:
    """A study to be measured, and a sentence on each thing that is published and not here: nothing is looked up, or
    images are random ones of the same number and size. Not to be run: its runs have other ids."""
    absent = []
    try:
        study = load_study(source, settings, seeds)
    except MissingDataError as missing:
        absent.append(str(missing))
        try:
            study = load_study(source, [*settings, f"table={NO_TABLE}"], seeds)
        except HarnessError:  # what needs the table cannot be measured without
            raise missing from None
    dataset = study.runs[0].dataset
    if isinstance(dataset, OfficialDataset):
        try:
            for file in dataset.published():
                dataset.path(file)
        except MissingDataError as missing:
            absent.append(str(missing))
            noise, table, space = AbsentDataset(of=dataset), study.table, study.runs[0].space
            if isinstance(table, TrainedTable):  # it judges by the same images
                table = build_trained_table(space, noise, study.file.retraining)
            runs = tuple(replace(run, dataset=noise, table=table) for run in study.runs)
            study = replace(study, runs=runs, table=table)
    return study, absent
