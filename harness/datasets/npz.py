"""Any image data in an .npz file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.files import known_digest
from harness.datasets.base import Dataset, Images, Part, StoredImages

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
COLOURS = (1, 3)
"""Channels that pictures mostly have."""


class NpzImages(Dataset):
    """Arrays train_images, test_images (uint8 [n, height, width] or [n, height, width, channels]) and train_labels,
    test_labels (integers from 0). The first half of the training images trains the weights, the second alpha.

    mean, std of the pixels (scaled to [0, 1]) are taken from the training images, per channel. pad: padding of the
    random crop in pixels; flip: random horizontal flips.
    """

    name = "npz"
    path: Path
    pad: int = Field(0, ge=0)
    flip: bool = False

    def describe(self) -> dict[str, Any]:
        """The file by its content."""
        try:
            found = known_digest(self.path, "sha256")
        except FileNotFoundError:
            raise HarnessError(f"no image file at {self.path}: check the path") from None
        except OSError as error:
            raise HarnessError(f"{self.path} cannot be read ({error.strerror})") from None
        return super().describe() | {"sha256": found}

    def load(self, device: torch.device) -> Images:
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                missing = [name for name in ARRAYS if name not in archive.files]
                if missing:
                    raise HarnessError(f"{self.path} lacks the array {missing[0]!r}: it needs {', '.join(ARRAYS)}")
                content = {name: archive[name] for name in ARRAYS}
        except FileNotFoundError:
            raise HarnessError(f"no image file at {self.path}: check the path") from None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise HarnessError(f"{self.path} is no readable .npz file ({error})") from None
        pairs = {kind: self._pair(content, kind) for kind in ("train", "test")}
        images, labels = pairs["train"]
        half = len(labels) // 2
        scaled = images.double() / 255
        mean = tuple(scaled.mean(dim=(0, 2, 3)).tolist())
        std = tuple(scaled.std(dim=(0, 2, 3)).clamp(min=1e-6).tolist())
        parts: dict[Part, tuple[torch.Tensor, torch.Tensor]] = {
            "train": (images[:half], labels[:half]),
            "valid": (images[half:], labels[half:]),
            "test": pairs["test"],
        }
        classes = int(max(labels.max(), pairs["test"][1].max())) + 1
        return StoredImages(parts, classes=classes, mean=mean, std=std, pad=self.pad, flip=self.flip, device=device)

    def _pair(self, content: dict[str, np.ndarray], kind: str) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = content[f"{kind}_images"], content[f"{kind}_labels"]
        if images.dtype != np.uint8 or images.ndim not in (3, 4):
            raise HarnessError(
                f"{kind}_images of {self.path} are {images.dtype} {images.shape}: "
                "they must be uint8 [n, height, width] or [n, height, width, channels]"
            )
        if images.ndim == 4 and images.shape[1] in COLOURS and images.shape[3] not in COLOURS:
            raise HarnessError(
                f"{kind}_images of {self.path} are {images.shape}, and look like [n, channels, height, width]: the "
                "channels stand last here, images.transpose(0, 2, 3, 1)"
            )
        if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu" or len(labels) < 2 or labels.min() < 0:
            raise HarnessError(f"{kind}_labels of {self.path} must be one whole number from 0 up for each image")
        images = images[..., None] if images.ndim == 3 else images
        return torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), torch.from_numpy(labels.astype(np.int64))
