"""Images in the pickled batches that CIFAR and downsampled ImageNet are published in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness.core.errors import HarnessError
from harness.core.lazy import torch
from harness.core.pickles import NUMPY, load
from harness.datasets.base import Part

if TYPE_CHECKING:
    from torch import Tensor


def read_batches(paths: list[Path], labels_key: str, side: int) -> tuple[Any, Any]:
    """Images uint8 [n, 3, side, side] and labels int64 [n] of official batch files."""
    read = [read_batch(path, labels_key, side) for path in paths]
    return np.concatenate([x for x, _ in read]), np.concatenate([y for _, y in read])


def read_batch(path: Path, labels_key: str, side: int) -> tuple[Any, Any]:
    with path.open("rb") as stream:
        content = load(stream, path, NUMPY, encoding="bytes")
    try:
        # Python 2 wrote the keys as bytes
        named = {k.decode() if isinstance(k, bytes) else k: v for k, v in content.items()}
        images = np.asarray(named["data"], dtype=np.uint8).reshape(-1, 3, side, side)
        labels = np.asarray(named[labels_key], dtype=np.int64)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise HarnessError(f"{path} is no batch of images ({error!r}): unpack its archive again") from None
    if len(images) != len(labels):
        raise HarnessError(f"{path} holds {len(images)} images but {len(labels)} labels: unpack its archive again")
    return images, labels


def split_halves(images: Any, labels: Any, test: tuple[Any, Any]) -> dict[Part, tuple[Tensor, Tensor]]:
    """Search halves as published: the first half of the training images in file order, the second, and the test set."""
    half = len(images) // 2
    return read_parts(train=(images[:half], labels[:half]), valid=(images[half:], labels[half:]), test=test)


def read_parts(**arrays: tuple[Any, Any]) -> dict[Part, tuple[Tensor, Tensor]]:
    """Images and labels of each part, as tensors."""
    return {cast(Part, part): _convert_to_tensors(*pair) for part, pair in arrays.items()}


def _convert_to_tensors(images: Any, labels: Any) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(np.ascontiguousarray(labels))
