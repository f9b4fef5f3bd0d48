"""ImageNet16-120 (Chrabaszcz et al. 2017; Dong & Yang 2020) from the official batches of downsampled ImageNet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.download import DRIVE
from harness.core.errors import HarnessError
from harness.datasets.base import Part
from harness.datasets.nats_split import SplitImages
from harness.datasets.official import Archive, Pictures
from harness.datasets.pickled import read_batches

if TYPE_CHECKING:
    from torch import Tensor

FILES = {
    "train_data_batch_1": ("1qd9Fkg7MdIe3MMbHtIJC8eZ8OsWcqPYA", "27846dcaa50de8e21a7d1a35f30f0e91"),
    "train_data_batch_2": ("1pQBJ9exwpSG2E7m6aVvcOlJBGRhVhtg9", "c7254a054e0e795c69120a5727050e3f"),
    "train_data_batch_3": ("175we9AOjnGam0j4sG5Vn0SHFyBvyv2Ia", "4333d3df2e5ffb114b05d2ffc19b1e87"),
    "train_data_batch_4": ("1FNBkOavsAP6Hvi7-41yLZwojdWfPub-R", "1620cdf193304f4a92677b695d70d10f"),
    "train_data_batch_5": ("1HujB1GyiBjrSdAA0he5kZtkO9WEDAwCn", "348b3c2fdbb3940c4e9e834affd3b18d"),
    "train_data_batch_6": ("1_vaYBQpbP6bx-G0_EiNysohqOJBJ_Ept", "6e765307c242a1b3d7d5ef9139b48945"),
    "train_data_batch_7": ("1JwQk4TE21KqvrfvnOfVcdqnEB32ULWTr", "564926d8cbf8fc4818ba23d2faac7564"),
    "train_data_batch_8": ("1T00JaN09RlNZPod8dQnF_Xdz0BWtjCWr", "f4755871f718ccb653440b9dd0ebac66"),
    "train_data_batch_9": ("1fB2JYSZRfd8uKfKLBO9P3mn9HWIWtMOH", "bb6dd660c38c58552125b1a92f86b5d4"),
    "train_data_batch_10": ("19Qvrqt-wi0UOCZBwI_Jw6-bLIXCYcPyl", "8f03f34ac4b42271a294f91bf480f29b"),
    "val_data": ("1LQNICeSrwwE2KdDxc9Z9FXmi7N4HKUsA", "3410e3017fdaefba8d5073aaa65e4bd6"),
}
"""The files as NAS-Bench-201's authors share them: Google Drive's name, and the MD5 that their code checks."""
*BATCHES, TEST = FILES


def locate_archive(file: str) -> Archive:
    drive, md5 = FILES[file]
    return Archive(
        file=file,
        title=f"downsampled ImageNet, 16x16, {file}",
        url=f"{DRIVE}{drive}",
        size="39 MB" if file == TEST else "99 MB",
        licence="ImageNet's terms of access: non-commercial research and education",
        citation="Chrabaszcz, Loshchilov & Hutter, A Downsampled Variant of ImageNet, 2017 (arXiv 1707.08819)",
        md5=md5,
        files={file: md5},
    )


class ImageNet16(SplitImages):
    """The first `classes` classes of ImageNet, 3x16x16; pad 2, random crop, flip. Halves: the training images in file
    order, as for CIFAR-10; `test` is the official validation set.

    split: `nats-bench` trains the weights on all 151,700 training images and alpha on 3,000 of the test images, as
    NATS-Bench's searches had it; `test` is the other 3,000. root: the folder of the official batches
    (train_data_batch_1 to 10, val_data), if they are not in the cache. Their labels count from 1.
    """

    name = "imagenet16-120"
    archives: ClassVar = tuple(map(locate_archive, FILES))
    classes: int = Field(120, ge=2, le=1000)
    """The first so many classes of ImageNet."""

    @property
    def pictures(self) -> Pictures:
        """As many of 120 classes as NAS-Bench-201 says, and of others in proportion."""
        training, test = (n * self.classes // 120 for n in (151_700, 6_000))
        mean, std = (0.4811, 0.4575, 0.4079), (0.2479, 0.2402, 0.2553)
        return Pictures(training, test, 16, self.classes, mean, std, pad=2)

    def read(self) -> dict[Part, tuple[Tensor, Tensor]]:
        return self.split_parts(self._read(*BATCHES), self._read(TEST))

    def _read(self, *names: str) -> tuple[Any, Any]:
        images, labels = read_batches([self.path(n) for n in names], "labels", 16)
        if len(labels) and labels.min() < 1:
            raise HarnessError(f"the labels in {self.folder} do not count from 1: these are not the official batches")
        kept = labels <= self.classes
        return images[kept], labels[kept] - 1
