"""Pack the splits that NATS-Bench searched with into harness/datasets/files/nats-bench-splits.npz.

    python tools/embed_nats_splits.py FOLDER

FOLDER is configs/nas-benchmark of D-X-Y/AutoDL-Projects (MIT), with cifar-split.txt, cifar100-test-split.txt and
imagenet-16-120-test-split.txt.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

FILES = {
    "cifar10": ("cifar-split.txt", "train", "valid", 50_000),
    "cifar100": ("cifar100-test-split.txt", "xvalid", "xtest", 10_000),
    "imagenet16-120": ("imagenet-16-120-test-split.txt", "xvalid", "xtest", 6_000),
}
"""By data set: the file, its key of the indices that are kept, that of all others, and how many images there are."""
TO = Path(__file__).parents[1] / "harness" / "datasets" / "files" / "nats-bench-splits.npz"


def main(folder: Path) -> None:
    packed = {}
    for name, (file, kept, others, count) in FILES.items():
        content = json.loads((folder / file).read_text())
        first, second = ([int(i) for i in content[key][1]] for key in (kept, others))
        if sorted(first + second) != list(range(count)) or first != sorted(first):
            raise SystemExit(f"{folder / file} does not split {count:,} images in two")
        chosen = np.zeros(count, dtype=bool)
        chosen[first] = True
        packed[name] = np.packbits(chosen)
    np.savez_compressed(TO, **packed)
    print(TO, TO.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
