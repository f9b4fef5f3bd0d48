"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) from their official Python batches."""

from __future__ import annotations

from pathlib import Path

import torch

from harness.datasets.base import Dataset, Images, StoredImages
from harness.datasets.pickled import halves, read_batches

SIDE = 32


class CIFAR10(Dataset):
    """CIFAR-10, 3x32x32, 10 classes. Search halves as published: training images 0..24,999 in file order train the
    weights, 25,000..49,999 train alpha; both are augmented (pad 4, random crop, flip). `test` is the test batch.

    root: the folder `cifar-10-batches-py` of the official archive.
    """

    name = "cifar10"
    root: Path

    def load(self, device: torch.device) -> Images:
        def read(*names: str) -> tuple[object, object]:
            return read_batches([self.root / n for n in names], "labels", SIDE, "cifar-10-python.tar.gz")

        parts = halves(*read(*(f"data_batch_{i}" for i in range(1, 6))), read("test_batch"))
        mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
        return StoredImages(parts, classes=10, mean=mean, std=std, pad=4, flip=True, device=device)


class CIFAR100(Dataset):
    """CIFAR-100, 3x32x32, 100 classes (fine labels); halves and augmentation as for CIFAR-10.

    root: the folder `cifar-100-python` of the official archive.
    """

    name = "cifar100"
    root: Path

    def load(self, device: torch.device) -> Images:
        def read(name: str) -> tuple[object, object]:
            return read_batches([self.root / name], "fine_labels", SIDE, "cifar-100-python.tar.gz")

        parts = halves(*read("train"), read("test"))
        mean, std = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)
        return StoredImages(parts, classes=100, mean=mean, std=std, pad=4, flip=True, device=device)
