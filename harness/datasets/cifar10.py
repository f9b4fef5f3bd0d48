"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) from their official Python batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from harness.datasets.base import Part
from harness.datasets.nats_split import SplitImages
from harness.datasets.official import Archive, Pictures
from harness.datasets.pickled import read_batches

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 32
LICENCE = "none published; its authors ask to be cited"
CITATION = "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, technical report, 2009"


class CIFAR10(SplitImages):
    """CIFAR-10, 3x32x32, 10 classes. Search halves as published: training images 0..24,999 in file order train the
    weights, 25,000..49,999 train alpha; both are augmented (pad 4, random crop, flip). `test` is the test batch.

    split: `nats-bench` draws other halves of the training images (0, 5, 7, 11 ... train the weights), as NATS-Bench's
    searches had it. root: the folder `cifar-10-batches-py` of the official archive, if it is not in the cache.
    """

    name = "cifar10"
    archives: ClassVar = (
        Archive(
            file="cifar-10-python.tar.gz",
            title="CIFAR-10, Python version",
            url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            size="170 MB",
            licence=LICENCE,
            citation=CITATION,
            md5="c58f30108f718f92721af3b95e74349a",
            files={
                "data_batch_1": "c99cafc152244af753f735de768cd75f",
                "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "634d18415352ddfa80567beed471001a",
                "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
                "test_batch": "40351d587109b95175f43aff81a1287e",
            },
        ),
    )

    @property
    def pictures(self) -> Pictures:
        return Pictures(
            50_000, 10_000, SIDE, classes=10, mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616), pad=4
        )

    def read(self) -> dict[Part, tuple[Tensor, Tensor]]:
        def read(*names: str) -> tuple[Any, Any]:
            return read_batches([self.path(n) for n in names], "labels", SIDE)

        return self.split_parts(read(*(f"data_batch_{i}" for i in range(1, 6))), read("test_batch"))


class CIFAR100(SplitImages):
    """CIFAR-100, 3x32x32, 100 classes (fine labels); halves and augmentation as for CIFAR-10.

    split: `nats-bench` trains the weights on all 50,000 training images and alpha on 5,000 of the test images, as
    NATS-Bench's searches had it; `test` is the other 5,000. root: the folder `cifar-100-python` of the official
    archive, if it is not in the cache.
    """

    name = "cifar100"
    archives: ClassVar = (
        Archive(
            file="cifar-100-python.tar.gz",
            title="CIFAR-100, Python version",
            url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
            size="169 MB",
            licence=LICENCE,
            citation=CITATION,
            md5="eb9058c3a382ffc7106e4002c42a8d85",
            files={"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        ),
    )

    @property
    def pictures(self) -> Pictures:
        return Pictures(
            50_000, 10_000, SIDE, classes=100, mean=(0.5071, 0.4867, 0.4408), std=(0.2675, 0.2565, 0.2761), pad=4
        )

    def read(self) -> dict[Part, tuple[Tensor, Tensor]]:
        def read(name: str) -> tuple[Any, Any]:
            return read_batches([self.path(name)], "fine_labels", SIDE)

        return self.split_parts(read("train"), read("test"))
