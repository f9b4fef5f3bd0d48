"""Images in a file of one's own, whose number and size nobody knows who has not the file."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.base import Dataset, Images

if TYPE_CHECKING:
    import torch

Sizes = tuple[int, int, int, int]
"""Number of training images, height, width, channels."""


class OwnImages(Dataset):
    """Base of what reads images from a file."""

    path: Path

    @abstractmethod
    def noise(self, sizes: Sizes, device: torch.device) -> Images:
        """Random images of these sizes: a step on them costs what it does on those of the file, which need not be
        there."""
