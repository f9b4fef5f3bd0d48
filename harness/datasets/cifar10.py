"""CIFAR-10 (Krizhevsky 2009) from its official Python batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.datasets.base import Dataset, Images, Part, StoredImages
from harness.errors import HarnessError
from harness.pickles import NUMPY, load

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))


class CIFAR10(Dataset):
    """CIFAR-10, 3x32x32, 10 classes. Search halves as published: training images 0..24,999 in file order train the
    weights, 25,000..49,999 train alpha; both are augmented (pad 4, random crop, flip). `test` is the test batch.

    root: the folder `cifar-10-batches-py` of the official archive.
    """

    name = "cifar10"
    root: Path

    def load(self, device: torch.device) -> Images:
        read = [read_batch(self.root / name) for name in BATCHES]
        images = np.concatenate([x for x, _ in read])
        labels = np.concatenate([y for _, y in read])
        half = len(images) // 2
        parts: dict[Part, tuple[torch.Tensor, torch.Tensor]] = {
            "train": _tensors(images[:half], labels[:half]),
            "valid": _tensors(images[half:], labels[half:]),
            "test": _tensors(*read_batch(self.root / "test_batch")),
        }
        return StoredImages(parts, classes=10, mean=MEAN, std=STD, pad=4, flip=True, device=device)


def _tensors(images: Any, labels: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(images.copy()), torch.from_numpy(labels.copy())


def read_batch(path: Path) -> tuple[Any, Any]:
    """Images uint8 [n, 3, 32, 32] and labels int64 [n] of one official batch file."""
    try:
        with path.open("rb") as stream:
            content = load(stream, path, NUMPY, encoding="bytes")
    except FileNotFoundError:
        raise HarnessError(f"no CIFAR-10 batch at {path}: unpack cifar-10-python.tar.gz and name its folder") from None
    try:
        images = np.asarray(content[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
        labels = np.asarray(content[b"labels"], dtype=np.int64)
    except (KeyError, TypeError, ValueError) as error:
        raise HarnessError(f"{path} is no CIFAR-10 batch ({error!r}): unpack the archive again") from None
    if len(images) != len(labels):
        raise HarnessError(f"{path} holds {len(images)} images but {len(labels)} labels: unpack the archive again")
    return images, labels
