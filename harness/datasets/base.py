"""Images as tensors on the device, and batches of them drawn by index.

Every data set has three parts: `train` (the half that trains the weights), `valid` (the half that trains alpha, as
published for DARTS) and `test`. Parts are disjoint and do not depend on the run's seed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from harness.core.registry import Plugin, Registry
from harness.core.streams import sent

DATASETS = Registry("datasets", "harness.datasets")

Part = Literal["train", "valid", "test"]


class Images(ABC):
    """A data set in memory. shape: (channels, height, width) of an image."""

    classes: int
    shape: tuple[int, int, int]

    @abstractmethod
    def size(self, part: Part) -> int:
        """Number of items to draw from."""

    @abstractmethod
    def batch(self, part: Part, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images [n, channels, height, width] (float, normalised, augmented as for training) and labels [n]."""

    @abstractmethod
    def evaluation(self, part: Part) -> tuple[Tensor, Tensor]:
        """A fixed set of images without augmentation, and labels: the same on every call and in every run."""


class Dataset(Plugin):
    """Where a data set comes from; `load` brings it onto the device."""

    def describe(self) -> dict[str, Any]:
        """What a run's identity says of the data: the fields, but not where on this machine the files are."""
        return {k: v for k, v in self.model_dump(mode="json").items() if not isinstance(getattr(self, k), Path)}

    @abstractmethod
    def load(self, device: torch.device) -> Images:
        """The data set, ready to draw from."""


class StoredImages(Images):
    """Items held as tensors: uint8 images with optional pad-and-crop and horizontal flip, normalised on the way out.

    parts: (uint8 images [n, channels, height, width], labels [n]) of each part. mean, std: per channel, of
    images scaled to [0, 1]. pad: pixels of zero padding before the random crop (0: no crop).
    """

    def __init__(
        self,
        parts: dict[Part, tuple[Tensor, Tensor]],
        *,
        classes: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        pad: int,
        flip: bool,
        device: torch.device,
    ) -> None:
        self.parts = {part: (x.to(device), y.to(device).long()) for part, (x, y) in parts.items()}
        images = parts["train"][0]
        self.classes, self.pad, self.flip = classes, pad, flip
        self.shape = (images.shape[1], images.shape[2], images.shape[3])
        self.mean = torch.tensor(mean, device=device).view(-1, 1, 1)
        self.std = torch.tensor(std, device=device).view(-1, 1, 1)

    def size(self, part: Part) -> int:
        return len(self.parts[part][1])

    def batch(self, part: Part, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        images, labels = self.parts[part]
        index = sent(index, images.device)
        return self._normalise(augment(images[index], self.pad, self.flip, generator)), labels[index]

    def evaluation(self, part: Part) -> tuple[Tensor, Tensor]:
        images, labels = self.parts[part]
        return self._normalise(images), labels

    def _normalise(self, images: Tensor) -> Tensor:
        return (images.float() / 255 - self.mean) / self.std


def augment(x: Tensor, pad: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Random crop of the zero-padded image and random horizontal flip, each image on its own.

    x: [n, channels, height, width], before normalisation, so that the border is black as in the published transforms
    (pad, crop, flip, normalise).
    """
    n, _, height, width = x.shape
    if not pad and not flip:
        return x
    rows = torch.arange(height, device=x.device).expand(n, -1)
    columns = torch.arange(width, device=x.device).expand(n, -1)
    if pad:
        down, right = sent(torch.randint(0, 2 * pad + 1, (2, n), generator=generator), x.device)
        rows, columns = rows + down[:, None], columns + right[:, None]
        x = torch.nn.functional.pad(x, (pad, pad, pad, pad))
    if flip:
        chosen = sent(torch.rand(n, generator=generator) < 0.5, x.device)
        columns = torch.where(chosen[:, None], columns.flip(-1), columns)
    items = torch.arange(n, device=x.device)[:, None, None]
    # advanced indices around a slice put the indexed axes first: [n, height, width, channels]
    return x[items, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cut_out(x: Tensor, side: int, generator: torch.Generator, share: float = 1.0) -> Tensor:
    """Set a square of each image, or of a share of them, to zero, at a random centre, cut off at the border
    (DeVries & Taylor 2017, arXiv 1708.04552). x: [n, channels, height, width], normalised. side: in pixels."""
    count, _, height, width = x.shape
    centres = sent(torch.rand(3, count, generator=generator), x.device)
    inside = []
    for place, length in ((0, height), (1, width)):
        low = (centres[place] * length).floor()[:, None] - side // 2
        position = torch.arange(length, device=x.device)
        inside.append((position >= low) & (position < low + side))
    square = inside[0][:, :, None] & inside[1][:, None, :] & (centres[2] < share)[:, None, None]
    return x.masked_fill(square[:, None], 0.0)


class Batches:
    """Endless batches of indices from a named stream, resumable at any position.

    sampling "pass": one shuffled pass after another (an incomplete last batch is dropped); "replacement": the head
    of a fresh shuffle every time.
    """

    def __init__(self, size: int, batch_size: int, sampling: str, generator: torch.Generator) -> None:
        self.size, self.batch_size, self.sampling, self.generator = size, batch_size, sampling, generator
        self.order = torch.empty(0, dtype=torch.long)
        self.position = 0
        self.shuffled_from: Tensor | None = None
        """The generator's state before the last shuffle, which a checkpoint holds in place of the order."""

    def next(self) -> Tensor:
        if self.sampling == "replacement" or self.position + self.batch_size > len(self.order):
            self.shuffled_from = self.generator.get_state()
            self.order = torch.randperm(self.size, generator=self.generator)
            self.position = 0
        chosen = self.order[self.position : self.position + self.batch_size]
        self.position += self.batch_size
        return chosen

    def state_dict(self) -> dict[str, Any]:
        return {"shuffled_from": self.shuffled_from, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.shuffled_from, self.position = state["shuffled_from"], state["position"]
        if self.shuffled_from is not None:
            shuffler = torch.Generator()
            shuffler.set_state(self.shuffled_from)
            self.order = torch.randperm(self.size, generator=shuffler)
