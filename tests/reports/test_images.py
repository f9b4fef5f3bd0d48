"""Images that strangers bring: read right, or one sentence at `plan`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.datasets.npz import NpzImages
from tests.reports.common import FILES, INPUTS, run

CPU = torch.device("cpu")


def planned(path: Path, *words: object) -> tuple[int, str]:
    """What `plan` says of a study on a file of images."""
    return run("plan", INPUTS / "npz.toml", "--set", f"dataset.path={path}", *words)


def labels(images: NpzImages, part: str) -> list[int]:
    return images.load(CPU).evaluation(part)[1].tolist()  # type: ignore[arg-type]


def test_sorted_images_are_refused_until_it_is_said_how_to_halve_them(tmp_path: Path) -> None:
    code, text = planned(INPUTS / "sorted.npz", "--out", tmp_path)
    assert code == 2
    assert "the half that trains the weights holds the classes 0 and 1, the other one 2 and 3" in text
    assert "all 40 images of class 0 are in one of them" in text
    assert "split = 'shuffled' or 'stratified'" in text
    for split in ("shuffled", "stratified"):
        assert planned(INPUTS / "sorted.npz", "--set", f"dataset.split={split}", "--out", tmp_path)[0] == 0


def test_halves_are_shuffled_by_one_stream_and_stratified_class_by_class() -> None:
    shuffled = NpzImages(path=INPUTS / "sorted.npz", split="shuffled")
    first, second = labels(shuffled, "train"), labels(shuffled, "valid")
    assert sorted(first + second) == [c for c in range(4) for _ in range(40)]
    assert first == labels(shuffled, "train")  # in every run
    assert first != sorted(first)
    stratified = NpzImages(path=INPUTS / "sorted.npz", split="stratified")
    assert [labels(stratified, "train").count(c) for c in range(4)] == [20] * 4
    assert [labels(stratified, "valid").count(c) for c in range(4)] == [20] * 4


def test_stratified_halves_of_odd_classes_are_equally_large(tmp_path: Path) -> None:
    counts = (5, 3, 7, 4)
    y = np.repeat(np.arange(4), counts)
    np.savez(
        tmp_path / "odd.npz", train_images=np.zeros((19, 4, 4), np.uint8), train_labels=y,
        test_images=np.zeros((4, 4, 4), np.uint8), test_labels=np.arange(4),
    )  # fmt: skip
    found = NpzImages(path=tmp_path / "odd.npz", split="stratified")
    first, second = labels(found, "train"), labels(found, "valid")
    assert abs(len(first) - len(second)) == 1
    assert all(abs(first.count(c) - second.count(c)) <= 1 for c in range(4))


def test_labels_that_do_not_count_from_0_are_refused(tmp_path: Path) -> None:
    code, text = planned(INPUTS / "onebased.npz", "--out", tmp_path)
    assert (code, "are 1 to 4, and 0 has no image: labels count from 0 without a gap" in text) == (2, True)
    with np.load(INPUTS / "sorted.npz") as content:
        gaps = {k: np.where(v == 2, 7, v) if "labels" in k else v for k, v in content.items()}
    np.savez(tmp_path / "gaps.npz", **gaps)
    code, text = planned(tmp_path / "gaps.npz", "--set", "dataset.split=shuffled", "--out", tmp_path)
    assert (code, "are 0, 1, 3 and 7, and 2, 4, 5 and 6 has no image" in text) == (2, True)


def test_a_class_that_is_tested_alone_is_refused(tmp_path: Path) -> None:
    with np.load(INPUTS / "sorted.npz") as content:
        own = {k: np.where(v == 3, 0, v) if k == "train_labels" else v for k, v in content.items()}
    np.savez(tmp_path / "a.npz", **own)
    with pytest.raises(HarnessError, match=r"class 3 is among the test images of .*, and no training image is of it"):
        NpzImages(path=tmp_path / "a.npz", split="shuffled").load(CPU)


def test_labels_of_medmnist_are_read_and_its_validation_set_trains_alpha() -> None:
    images = NpzImages(path=FILES / "medmnist.npz")
    with np.load(FILES / "medmnist.npz") as content:
        for part, kind in (("train", "train"), ("valid", "val"), ("test", "test")):
            assert labels(images, part) == content[f"{kind}_labels"][:, 0].tolist()
    assert images.describe()["split"] == "own"
    with pytest.raises(HarnessError, match=r"has a validation set of its own, val_images"):
        NpzImages(path=FILES / "medmnist.npz", split="shuffled").load(CPU)


def test_other_shapes_of_labels_are_said(tmp_path: Path) -> None:
    with np.load(FILES / "medmnist.npz") as content:
        hot = {k: np.eye(3, dtype=np.uint8)[v[:, 0]] if k == "train_labels" else v for k, v in content.items()}
        alone = {k: v for k, v in content.items() if k != "val_labels"}
    np.savez(tmp_path / "hot.npz", **hot)
    np.savez(tmp_path / "alone.npz", **alone)
    with pytest.raises(HarnessError, match=r"for each image, not uint8 \(40, 3\) for 40 images"):
        NpzImages(path=tmp_path / "hot.npz").load(CPU)
    with pytest.raises(HarnessError, match="has val_images without val_labels"):
        NpzImages(path=tmp_path / "alone.npz").load(CPU)


def test_what_was_described_before_is_described_as_before() -> None:
    """Ids of runs on a file whose halves are taken as they stand."""
    assert set(NpzImages(path=INPUTS / "sorted.npz").describe()) == {"pad", "flip", "sha256"}
    assert NpzImages(path=INPUTS / "sorted.npz", split="shuffled").describe()["split"] == "shuffled"
