"""Cutout of the training images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.datasets.base import cut_out
from harness.search.regularizers.base import Regularizer
from harness.search.schedules import interpolate_from_first_epoch
from harness.search.steps import Moment
from harness.spaces.base import IMAGES

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Cutout(Regularizer):
    """Set a square of each training image to the mean, at a random center, cut off at the border.

    DeVries & Taylor 2017 (arXiv 1708.04552).
    """

    name = "cutout"
    paper = "DeVries & Taylor (1708.04552)"
    asks = (IMAGES,)
    neutral: ClassVar[dict[str, Any]] = {"size": 0}
    size: float = Field(0.5, ge=0, le=1)
    """The square's side as a share of the image's height (DARTS: 16 of 32)."""
    ramp: bool = False
    """The share of images rises linearly to all over the search (R-DARTS), instead of all from the beginning. Both
    halves of the data are cut, as the published data loaders do."""

    def augment(self, images: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
        side = round(self.size * images.shape[2])
        if side == 0:
            return images
        share = interpolate_from_first_epoch(0.0, 1.0, moment) if self.ramp else 1.0
        return cut_out(images, side, generator, share)
