"""Handwritten digits (1,797 images of 8x8 pixels; Alpaydin & Kaynak 1998, UCI, CC BY 4.0): small, and in the package.

`digits` is the plain set. `digits100` puts two digits side by side and asks for both, 100 classes, under noise: hard
enough for small networks to tell architectures apart, which plain digits are not.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from harness.core.lazy import torch
from harness.core.seeds import derive_seed
from harness.core.streams import send_to_device
from harness.datasets.base import Dataset, Images, Part, StoredImages

if TYPE_CHECKING:
    from torch import Tensor

PART_SIZE = 599
"""1,797 digits in three equal parts, by a fixed shuffle."""


def load_digit_parts() -> dict[Part, tuple[Tensor, Tensor]]:
    """Images [599, 8, 8] in [0, 1] and labels [599] of each part."""
    with (files("harness.datasets") / "files" / "digits.npz").open("rb") as stream, np.load(stream) as content:
        images, labels = (torch.from_numpy(content[name]) for name in ("images", "labels"))
    images, labels = images.float() / 16, labels.long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    names: tuple[Part, ...] = ("train", "valid", "test")
    chunks = zip(names, torch.split(order, PART_SIZE), strict=True)
    return {part: (images[index], labels[index]) for part, index in chunks}


class Digits(Dataset):
    """The plain digits, 10 classes, 1x8x8, no augmentation: 599 images a part."""

    name = "digits"

    def load(self, device: torch.device) -> Images:
        parts = {part: ((x[:, None] * 255).round().byte(), y) for part, (x, y) in load_digit_parts().items()}
        return StoredImages(parts, classes=10, mean=(0.305,), std=(0.376,), pad=0, flip=False, device=device)


class DigitPairs(Dataset):
    """Two digits side by side, 1x8x16, label 10 left + right, with Gaussian pixel noise drawn anew for each batch.

    A part has 599 x 599 ordered pairs, numbered left * 599 + right; parts share no digit. evaluation sets are
    `evaluation_pairs` fixed pairs with fixed noise.
    """

    name = "digits100"
    noise: float = Field(0.2, ge=0)
    """Standard deviation, in units of the pixel range [0, 1]."""
    evaluation_pairs: int = Field(1000, ge=1, le=1_000_000)
    """Fixed pairs with fixed noise in each evaluation set."""

    def load(self, device: torch.device) -> Images:
        return PairImages(self.noise, self.evaluation_pairs, device)


class PairImages(Images):
    """The pairs of `DigitPairs`, put together when they are drawn."""

    classes = 100
    shape = (1, 8, 16)

    def __init__(self, noise: float, evaluation_pairs: int, device: torch.device) -> None:
        self.noise, self.evaluation_pairs = noise, evaluation_pairs
        self.parts = {part: (x.to(device), y.to(device)) for part, (x, y) in load_digit_parts().items()}

    def size(self, part: Part) -> int:
        return PART_SIZE**2

    def batch(self, part: Part, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        images, labels = self.parts[part]
        index = send_to_device(index, images.device)
        left, right = index // PART_SIZE, index % PART_SIZE
        x = torch.cat([images[left], images[right]], dim=2)[:, None]
        x = x + self.noise * send_to_device(torch.randn(x.shape, generator=generator), x.device)
        return (x - 0.3) / 0.37, 10 * labels[left] + labels[right]

    def evaluation(self, part: Part) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(derive_seed("digits100", part))
        index = torch.randint(0, self.size(part), (self.evaluation_pairs,), generator=generator)
        return self.batch(part, index, generator)
