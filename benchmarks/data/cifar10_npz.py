"""CIFAR-10 in small, for studies that two cores can carry: from an archive of JPEGs to a file of the dataset `npz`.

    python benchmarks/data/cifar10_npz.py cifar10_jpeg.npz 16 cifar10-16.npz

The archive holds `header` and `payload` (uint8), `offsets` (image i is header + payload[offsets[i]:offsets[i+1]]),
`label` (0 to 9), `split` (0 train, 1 test) and `number` (of an image within its class and split). It is sorted by
class; here images go by number, then by class, so each half of the training images (`npz` splits them in the middle)
holds as many of every class. The original order is lost, so published split indices do not apply. Images are averaged
over whole blocks of pixels. The same archive and JPEG decoder give the same arrays; the SHA-256 that is printed tells.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.core.errors import HarnessError

SIDE = 32
FIELDS = ("header", "payload", "offsets", "label", "split", "number")
PARTS = {"train": 0, "test": 1}


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


def convert(archive: Path, side: int) -> dict[str, NDArray[Any]]:
    """Arrays of the dataset `npz`: {train,test}_images uint8 [n, side, side, 3], {train,test}_labels uint8 [n]."""
    try:
        with np.load(archive, allow_pickle=False) as content:
            header, payload, offsets, label, split, number = (content[name] for name in FIELDS)
    except (OSError, KeyError, ValueError) as error:
        raise HarnessError(f"{archive} is no archive of JPEGs with {', '.join(FIELDS)} ({error})") from None
    start, data = header.tobytes(), payload.tobytes()
    arrays = {}
    for part, code in PARTS.items():
        chosen = np.flatnonzero(split == code)
        order = chosen[np.lexsort((label[chosen], number[chosen]))]
        images = np.stack([decode(start + data[offsets[i] : offsets[i + 1]]) for i in order])
        arrays |= {f"{part}_images": shrink(images, side), f"{part}_labels": label[order]}
    return arrays


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help="the .npz of JPEGs")
    parser.add_argument("side", type=int, help="pixels of a side: 32, 16, 8 or 4")
    parser.add_argument("output", type=Path, help="the .npz to write")
    asked = parser.parse_args()
    try:
        arrays = convert(asked.archive, asked.side)
    except HarnessError as error:
        parser.error(str(error))
    np.savez(asked.output, **arrays)
    digest = hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()
    sizes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    print(f"{asked.output}: {sizes}; SHA-256 of the arrays {digest}")


if __name__ == "__main__":
    main()
