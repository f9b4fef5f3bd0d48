"""ImageNet16-120 (Chrabaszcz et al. 2017; Dong & Yang 2020) from the official batches of downsampled ImageNet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from harness.core.errors import HarnessError
from harness.datasets.base import Dataset, Images, StoredImages
from harness.datasets.pickled import halves, read_batches

BATCHES = tuple(f"train_data_batch_{i}" for i in range(1, 11))


class ImageNet16(Dataset):
    """The first `classes` classes of ImageNet, 3x16x16; pad 2, random crop, flip. Halves: the training images in file
    order, as for CIFAR-10; `test` is the official validation set.

    root: the folder of the official batches (train_data_batch_1 to 10, val_data), whose labels count from 1.
    """

    name = "imagenet16-120"
    root: Path
    classes: int = Field(120, ge=2, le=1000)

    def load(self, device: torch.device) -> Images:
        parts = halves(*self._read(*BATCHES), self._read("val_data"))
        mean, std = (0.4811, 0.4575, 0.4079), (0.2479, 0.2402, 0.2553)
        return StoredImages(parts, classes=self.classes, mean=mean, std=std, pad=2, flip=True, device=device)

    def _read(self, *names: str) -> tuple[Any, Any]:
        images, labels = read_batches([self.root / n for n in names], "labels", 16, "Imagenet16_train.zip and _val.zip")
        if len(labels) and labels.min() < 1:
            raise HarnessError(f"the labels in {self.root} do not count from 1: these are not the official batches")
        kept = labels <= self.classes
        return images[kept], labels[kept] - 1
