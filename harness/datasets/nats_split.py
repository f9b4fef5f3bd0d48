"""How NATS-Bench splits the images that it searches with (Dong et al., TPAMI 2021; AutoDL-Projects, MIT)."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.datasets.base import Part
from harness.datasets.official import OfficialImages
from harness.datasets.pickled import read_parts

if TYPE_CHECKING:
    from torch import Tensor

SPLITS = "nats-bench-splits.npz"


class SplitImages(OfficialImages):
    """Images of which NATS-Bench published how it splits them for a search."""

    split: Literal["halves", "nats-bench"] = "halves"
    """`halves`, the training images in file order, or `nats-bench`, as its searches had it."""

    def describe(self) -> dict[str, Any]:
        """The split where it is not the usual one, so that older runs keep their ids."""
        told = super().describe()
        return {k: v for k, v in told.items() if k != "split"} if self.split == "halves" else told

    def split_parts(self, training: tuple[Any, Any], test: tuple[Any, Any]) -> dict[Part, tuple[Tensor, Tensor]]:
        if self.split == "halves":
            return super().split_parts(training, test)
        chosen = mark_chosen_images(self.name)
        if len(chosen) not in (len(training[0]), len(test[0])):
            raise HarnessError(
                f"split = 'nats-bench' of {self.name} is of {len(chosen):,} images, and there are "
                f"{len(training[0]):,} training and {len(test[0]):,} test images: use the data set as it was published"
            )
        if len(chosen) == len(training[0]):
            (x, y), held = training, ~chosen
            return read_parts(train=(x[chosen], y[chosen]), valid=(x[held], y[held]), test=test)
        x, y = test
        return read_parts(train=training, valid=(x[chosen], y[chosen]), test=(x[~chosen], y[~chosen]))


def mark_chosen_images(name: str) -> NDArray[np.bool_]:
    """Whether an image of a data set is among the chosen ones: of CIFAR-10's training images those that train the
    weights, else of the test images those that train alpha."""
    with (files("harness.datasets") / "files" / SPLITS).open("rb") as stream, np.load(stream) as packed:
        return np.unpackbits(packed[name]).astype(bool)
