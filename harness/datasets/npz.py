"""Any image data in an .npz file."""

from __future__ import annotations

import itertools
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.files import digest_once
from harness.core.lazy import torch
from harness.core.seeds import derive_seed
from harness.datasets.base import Images, Part, StoredImages
from harness.datasets.own import OwnImages, Sizes

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
VALIDATION = ("valid", "val")
"""Whose images and labels are a validation set of the file's own, by either name."""
COLOURS = (1, 3)
"""Channels that pictures mostly have."""

Pair = tuple["torch.Tensor", "torch.Tensor"]


class NpzImages(OwnImages):
    """Arrays train_images, test_images (uint8 [n, height, width] or [n, height, width, channels]) and train_labels,
    test_labels (integers from 0, [n] or [n, 1]). The training images train the weights, and those of a validation
    set, valid_images and valid_labels (or val_), alpha; without one the first half of the training images trains the
    weights, the second alpha. Pixels, scaled to [0, 1], are normalized by the mean and standard deviation of the
    training images, per channel.
    """

    name = "npz"
    path: Path
    """The .npz file."""
    split: Literal["halves", "shuffled", "stratified"] = "halves"
    """How the training images are halved without a validation set: `halves` as they stand, `shuffled` by a stream that
    is the same in every run, `stratified` so that each class is halved."""
    pad: int = Field(0, ge=0)
    """Padding of the random crop in pixels."""
    flip: bool = False
    """Whether training images are flipped horizontally at random."""

    def describe(self) -> dict[str, Any]:
        """The file by its content; the split where it is not the usual one, so that older runs keep their ids."""
        try:
            found = digest_once(self.path, "sha256")
            own = any(f"{kind}_images" in self._names() for kind in VALIDATION)
        except FileNotFoundError:
            raise HarnessError(f"no image file at {self.path}: check the path") from None
        except OSError as error:
            raise HarnessError(f"{self.path} cannot be read ({error.strerror})") from None
        told = super().describe() | {"sha256": found}
        split = "own" if own else told.pop("split")
        return (told if split == "halves" else told | {"split": split}) | {"sha256": found}

    def _names(self) -> list[str]:
        """The arrays of the file; [] where it is not readable, which `load` explains."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                return [name.removesuffix(".npy") for name in archive.namelist()]
        except (OSError, zipfile.BadZipFile):
            return []

    def load(self, device: torch.device) -> Images:
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                missing = [name for name in ARRAYS if name not in archive.files]
                if missing:
                    raise HarnessError(f"{self.path} lacks the array {missing[0]!r}: it needs {', '.join(ARRAYS)}")
                own = next((kind for kind in VALIDATION if f"{kind}_images" in archive.files), None)
                wanted = [*ARRAYS, *([f"{own}_images", f"{own}_labels"] if own else [])]
                if own and f"{own}_labels" not in archive.files:
                    raise HarnessError(f"{self.path} has {own}_images without {own}_labels: give both, or neither")
                content = {name: archive[name] for name in wanted}
        except HarnessError:
            raise
        except FileNotFoundError:
            raise HarnessError(f"no image file at {self.path}: check the path") from None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise HarnessError(f"{self.path} is no readable .npz file ({error})") from None
        return self._build(content, own, device)

    def noise(self, sizes: Sizes, device: torch.device) -> Images:
        """Random images of ten classes in place of those of the file: so many for training, height, width, channels; a
        fifth as many for the test."""
        rng, (count, *shape) = np.random.default_rng(0), sizes
        numbers = {"train": count, "test": max(LEAST, count // 5)}
        content = {f"{part}_images": rng.integers(0, 256, (n, *shape), np.uint8) for part, n in numbers.items()}
        content |= {f"{part}_labels": np.arange(n) % CLASSES for part, n in numbers.items()}
        return self.model_copy(update={"split": "halves"})._build(content, None, device)

    def _build(self, content: dict[str, np.ndarray], own: str | None, device: torch.device) -> Images:
        """The data set of the arrays of a file. own: how a validation set of its own is called."""
        if own and self.split != "halves":
            raise HarnessError(
                f"{self.path} has a validation set of its own, {own}_images, so its training images are not split: "
                f"leave "
                f"split = {self.split!r} out"
            )
        images, labels = self._pair(content, "train")
        parts: dict[Part, Pair] = {"test": self._pair(content, "test")}
        if own:
            parts |= {"train": (images, labels), "valid": self._pair(content, own)}
        else:
            first, second = split_halves(labels, self.split)
            parts |= {"train": (images[first], labels[first]), "valid": (images[second], labels[second])}
        self._check_classes(parts, own is not None)
        scaled = images.double() / 255
        mean = tuple(scaled.mean(dim=(0, 2, 3)).tolist())
        std = tuple(scaled.std(dim=(0, 2, 3)).clamp(min=1e-6).tolist())
        classes = int(max(y.max() for _, y in parts.values())) + 1
        return StoredImages(parts, classes=classes, mean=mean, std=std, pad=self.pad, flip=self.flip, device=device)

    def _check_classes(self, parts: dict[Part, Pair], own: bool) -> None:
        """Refuse labels that do not count from 0 without a gap, and parts that do not hold the same classes."""
        held = {part: {*y.tolist()} for part, (_, y) in parts.items()}
        every = set().union(*held.values())
        if len(every) <= max(every):
            gaps = itertools.islice(
                (c for c in itertools.count() if c not in every), min(SHOWN, max(every) + 1 - len(every))
            )
            raise HarnessError(
                f"the labels of {self.path} are {spell_classes(every)}, and {spell_classes({*gaps})} has no image: "
                "labels count from 0 without a gap, numpy.unique(labels, return_inverse=True)[1] makes them so"
            )
        if not own and (apart := find_one_sided_class(parts["train"][1].tolist(), parts["valid"][1].tolist())):
            raise HarnessError(
                f"of the training images of {self.path} the half that trains the weights holds the classes "
                f"{spell_classes(held['train'])}, the other one {spell_classes(held['valid'])}, and all {apart[1]} "
                f"images of class {apart[0]} are in one of them: the images are sorted, say split = 'shuffled' or "
                "'stratified', or give valid_images and valid_labels"
            )
        trained = held["train"] if own else held["train"] | held["valid"]
        for part in ("valid", "test"):
            counts = Counter(parts[part][1].tolist())
            if strange := {c for c, n in counts.items() if c not in trained and (own or n >= MANY)}:
                raise HarnessError(
                    f"class {spell_classes(strange)} is among the {part} images of {self.path}, and no training image "
                    "is of it"
                )

    def _pair(self, content: dict[str, np.ndarray], kind: str) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = content[f"{kind}_images"], content[f"{kind}_labels"]
        if images.dtype != np.uint8 or images.ndim not in (3, 4):
            raise HarnessError(
                f"{kind}_images of {self.path} are {images.dtype} {images.shape}: "
                "they must be uint8 [n, height, width] or [n, height, width, channels]"
            )
        _, first, *sides = images.shape if images.ndim == 4 else (0, 0)
        if first in COLOURS and sides[0] == sides[1] and sides[1] not in COLOURS:
            raise HarnessError(
                f"{kind}_images of {self.path} are {images.shape}, and look like [n, channels, height, width]: the "
                "channels stand last here, images.transpose(0, 2, 3, 1)"
            )
        if len(images) < LEAST:
            raise HarnessError(f"{self.path} holds {len(images)} {kind} images, of which {LEAST} are needed: give more")
        labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
        if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise HarnessError(
                f"{kind}_labels of {self.path} must be one whole number from 0 up for each image, not {labels.dtype} "
                f"{labels.shape} for {len(images)} images"
            )
        images = images[..., None] if images.ndim == 3 else images
        return torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), torch.from_numpy(labels.astype(np.int64))


def split_halves(labels: torch.Tensor, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The places of the images of both halves."""
    order = torch.arange(len(labels))
    if split != "halves":
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(derive_seed("npz", "split")))
    if split != "stratified":
        return order[: len(labels) // 2], order[len(labels) // 2 :]
    first = torch.zeros(len(labels), dtype=torch.bool)
    spare = False
    for label in sorted({*labels.tolist()}):
        own = order[labels[order] == label]
        take = (len(own) + spare) // 2  # of classes with an odd number the halves take the odd one in turn
        spare = spare != bool(len(own) % 2)
        first[own[:take]] = True
    return order[first[order]], order[~first[order]]


def find_one_sided_class(first: list[int], second: list[int]) -> tuple[int, int] | None:
    """A class whose images are all in one half, and how many they are, where that is no accident of few images."""
    for label in sorted({*first, *second}):
        counts = sorted((first.count(label), second.count(label)))
        if counts[0] == 0 and counts[1] >= MANY:
            return label, counts[1]
    return None


LEAST = 2
"""Images of a part."""
CLASSES = 10
"""Of random images."""
MANY = 10
"""Images of a class that fall into one half by chance once in 500 times."""


def spell_classes(classes: set[int]) -> str:
    """0 to 9; 0, 3 and 4."""
    known = sorted(classes)
    if len(known) > 2 and known == [*range(known[0], known[-1] + 1)]:
        return f"{known[0]} to {known[-1]}"
    words = [str(c) for c in known[:SHOWN]] + ([f"{len(known) - SHOWN} more"] if len(known) > SHOWN else [])
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


SHOWN = 10
"""Classes that an error names."""
