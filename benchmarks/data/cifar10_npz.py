"""CIFAR-10 in small, for studies that two cores can carry: a file of the dataset `npz`.

    harness datasets fetch cifar10
    python benchmarks/data/cifar10_npz.py 16 data/cifar10-16.npz

Images are averaged over whole blocks of pixels. Those of the official archive keep their order. --jpegs takes them from
an archive of JPEGs, as the published results did, whose pixels are other ones: `header` and `payload` (uint8),
`offsets` (image i is header + payload[offsets[i]:offsets[i+1]]), `label` (0 to 9), `split` (0 train, 1 test) and
`number` (of an image within its class and split). That is sorted by class; here its images go by number, then by class,
so each half of the training images (`npz` splits them in the middle) holds as many of every class. The same source
gives the same arrays; the SHA-256 that is printed tells.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.core.errors import HarnessError
from harness.datasets.cifar10 import CIFAR10
from harness.datasets.official import OfficialDataset

SIDE = 32
FIELDS = ("header", "payload", "offsets", "label", "split", "number")
PARTS = ("train", "test")
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Images [n, 32, 32, 3] and labels [n]."""


def decode(jpeg: bytes) -> NDArray[np.uint8]:
    """The RGB image [32, 32, 3] of a JPEG."""
    image = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    if image.shape != (SIDE, SIDE, 3):
        raise HarnessError(f"an image of the archive has the shape {image.shape}: CIFAR-10 has ({SIDE}, {SIDE}, 3)")
    return image


def shrink(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Means of square blocks, rounded half to even. images: [n, 32, 32, 3]; returns [n, side, side, 3]."""
    if side < 1 or SIDE % side:
        raise HarnessError(f"a side of {side} pixels does not divide {SIDE}: choose 32, 16, 8 or 4")
    block = SIDE // side
    blocks = images.reshape(len(images), side, block, side, block, 3)
    return np.rint(blocks.mean(axis=(2, 4), dtype=np.float64)).astype(np.uint8)


def of_official(data: OfficialDataset) -> Iterator[Pair]:
    """The training and the test images of the official batches."""
    parts = data.read()
    for names in (("train", "valid"), ("test",)):
        images, labels = (np.concatenate([parts[name][i].numpy() for name in names]) for i in (0, 1))
        yield images.transpose(0, 2, 3, 1), labels.astype(np.uint8)


def of_jpegs(archive: Path) -> Iterator[Pair]:
    """The training and the test images of an archive of JPEGs."""
    try:
        with np.load(archive, allow_pickle=False) as content:
            header, payload, offsets, label, split, number = (content[name] for name in FIELDS)
    except (OSError, KeyError, ValueError) as error:
        raise HarnessError(f"{archive} is no archive of JPEGs with {', '.join(FIELDS)} ({error})") from None
    start, data = header.tobytes(), payload.tobytes()
    for code in (0, 1):
        chosen = np.flatnonzero(split == code)
        order = chosen[np.lexsort((label[chosen], number[chosen]))]
        yield np.stack([decode(start + data[offsets[i] : offsets[i + 1]]) for i in order]), label[order]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("side", type=int, help="pixels of a side: 32, 16, 8 or 4")
    parser.add_argument("output", type=Path, help="the .npz to write")
    parser.add_argument("--root", type=Path, help="folder of the official batches, if they were not fetched")
    parser.add_argument("--jpegs", type=Path, help="an .npz of JPEGs in their place")
    asked = parser.parse_args()
    arrays = {}
    try:
        source = of_jpegs(asked.jpegs) if asked.jpegs else of_official(CIFAR10(root=asked.root))
        for part, (images, labels) in zip(PARTS, source, strict=True):
            arrays |= {f"{part}_images": shrink(images, asked.side), f"{part}_labels": labels}
    except HarnessError as error:
        parser.error(str(error))
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez(asked.output, **arrays)
    digest = hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()
    sizes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    print(f"{asked.output}: {sizes}; SHA-256 of the arrays {digest}")


if __name__ == "__main__":
    main()
