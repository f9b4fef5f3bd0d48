"""SVHN (Netzer et al. 2011) from its official .mat files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.core.errors import HarnessError
from harness.datasets.base import Part
from harness.datasets.official import Archive, OfficialImages, Pictures
from harness.datasets.pickled import split_halves

if TYPE_CHECKING:
    from torch import Tensor


def locate_archive(part: str, size: str, md5: str) -> Archive:
    """One of the two files, which are used as they are."""
    file = f"{part}_32x32.mat"
    return Archive(
        file=file,
        title=f"SVHN, cropped digits, {part}",
        url=f"http://ufldl.stanford.edu/housenumbers/{file}",
        size=size,
        licence="non-commercial use only",
        citation="Netzer et al., Reading Digits in Natural Images, NIPS workshop 2011",
        md5=md5,
        files={file: md5},
    )


class SVHN(OfficialImages):
    """Street View House Numbers, 3x32x32, 10 classes; pad 4, random crop, flip (as RobustDARTS has it). Halves: the
    73,257 training images in file order; the extra set is not used.

    root: the folder of train_32x32.mat and test_32x32.mat, if they are not in the cache.
    """

    name = "svhn"
    archives: ClassVar = (
        locate_archive("train", "182 MB", "e26dedcc434d2e4c54c9b2d4a06d8373"),
        locate_archive("test", "64 MB", "eb5a983be6a315427106f1b164d9cef3"),
    )

    @property
    def pictures(self) -> Pictures:
        return Pictures(
            73_257, 26_032, 32, classes=10, mean=(0.4377, 0.4438, 0.4728), std=(0.1980, 0.2010, 0.1970), pad=4
        )

    def read(self) -> dict[Part, tuple[Tensor, Tensor]]:
        return split_halves(*read(self.path("train_32x32.mat")), read(self.path("test_32x32.mat")))


def read(path: Path) -> tuple[Any, Any]:
    """Images uint8 [n, 3, 32, 32] and labels int64 [n]; the digit 0 is stored as 10."""
    from scipy.io import loadmat

    try:
        content = loadmat(path)
        images = np.asarray(content["X"], dtype=np.uint8).transpose(3, 2, 0, 1)
        labels = np.asarray(content["y"], dtype=np.int64).ravel() % 10
    except Exception as error:  # scipy fails in many ways on a damaged file
        raise HarnessError(f"{path} is no readable SVHN file ({error!r:.200}): download it again") from None
    if images.shape[1:] != (3, 32, 32) or len(images) != len(labels):
        raise HarnessError(f"{path} holds images {images.shape} and {len(labels)} labels: it is no SVHN file")
    return images, labels
