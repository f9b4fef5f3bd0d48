"""A data set."""

import torch
from pydantic import Field

from harness.datasets.base import Dataset, Images, StoredImages


class Stripes(Dataset):
    """Noisy images of horizontal or vertical stripes, 1x8x8, two classes; `count` of each part."""

    name = "stripes"
    count: int = Field(128, ge=2)

    def load(self, device: torch.device) -> Images:
        parts = {part: self._part(seed) for seed, part in enumerate(("train", "valid", "test"))}
        return StoredImages(parts, classes=2, mean=(0.5,), std=(0.3,), pad=0, flip=False, device=device)

    def _part(self, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        labels = torch.randint(0, 2, (self.count,), generator=generator)
        stripes = (torch.arange(8) % 2 * 255.0).expand(8, 8)
        clean = torch.where(labels[:, None, None] == 0, stripes, stripes.T)
        noisy = clean * 0.5 + 128 * torch.rand(self.count, 8, 8, generator=generator)
        return noisy[:, None].byte(), labels
