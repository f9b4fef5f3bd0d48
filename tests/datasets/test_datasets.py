import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from harness.core.errors import HarnessError
from harness.core.streams import Streams
from harness.datasets.base import Batches, StoredImages, augment, evaluate_scores
from harness.datasets.cifar10 import CIFAR10, CIFAR100
from harness.datasets.digits import PART_SIZE, DigitPairs, Digits, load_digit_parts
from harness.datasets.imagenet16 import ImageNet16
from harness.datasets.npz import NpzImages
from harness.datasets.svhn import SVHN
from harness.spaces.base import Preset

CPU = torch.device("cpu")


def test_digit_parts_are_disjoint_and_complete() -> None:
    parts = load_digit_parts()
    assert {part: len(y) for part, (_, y) in parts.items()} == {"train": 599, "valid": 599, "test": 599}
    everything = torch.cat([x for x, _ in parts.values()]).flatten(1).sort(dim=0).values
    original = torch.from_numpy(load_digits().images).float().flatten(1).div(16).sort(dim=0).values
    assert torch.equal(everything, original)


def test_digits_are_normalized() -> None:
    images = Digits().load(CPU)
    x, y = images.evaluation("train")
    assert x.shape == (599, 1, 8, 8)
    assert sorted(set(y.tolist())) == list(range(10))
    assert abs(x.mean().item()) < 0.02
    assert abs(x.std().item() - 1) < 0.02


def test_digits_are_those_of_scikit_learn() -> None:
    source = load_digits()
    parts = [load_digit_parts()[part] for part in ("train", "valid", "test")]
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.cat([x for x, _ in parts]), torch.from_numpy(source.images).float()[order] / 16)
    assert torch.equal(torch.cat([y for _, y in parts]), torch.from_numpy(source.target).long()[order])


@pytest.mark.parametrize("count", [None, 7])
def test_what_is_evaluated_and_sampled_are_images_of_the_evaluation(count: int | None) -> None:
    """Though no more than those are normalized."""
    data = Digits().load(torch.device("cpu"))
    images, labels = data.evaluation("valid")
    weight = torch.randn(64, 10, generator=torch.Generator().manual_seed(0))

    def scores(x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) @ weight

    expected = evaluate_scores(scores, images[:count], labels[:count])
    assert data.evaluated(scores, "valid", Preset(), count) == expected
    assert data.evaluated_size("valid") == len(labels)
    draws = [torch.Generator().manual_seed(1) for _ in range(2)]
    found = data.sample("valid", count or 1000, draws[0])
    chosen = torch.randperm(len(labels), generator=draws[1])[: len(found[1])]
    assert len(chosen) == (count or len(labels))
    assert torch.equal(found[0], images[chosen]) and torch.equal(found[1], labels[chosen])


def test_pairs_show_both_digits_under_noise() -> None:
    images = DigitPairs(noise=0).load(CPU)
    index = torch.tensor([3 * PART_SIZE + 5, 0, PART_SIZE**2 - 1])
    x, y = images.batch("valid", index, torch.Generator())
    digits, labels = load_digit_parts()["valid"]
    assert torch.allclose(x[0, 0] * 0.37 + 0.3, torch.cat([digits[3], digits[5]], dim=1), atol=1e-6)
    assert y.tolist() == [10 * labels[3] + labels[5], 11 * labels[0], 11 * labels[598]]
    noisy, _ = DigitPairs(noise=0.2).load(CPU).batch("valid", index.repeat(200), Streams(0)["noise"])
    assert (noisy - x.repeat(200, 1, 1, 1)).mul(0.37).std().item() == pytest.approx(0.2, rel=0.02)


def test_evaluation_pairs_never_change() -> None:
    first, second = (DigitPairs(evaluation_pairs=50).load(CPU).evaluation("test") for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], DigitPairs(evaluation_pairs=50).load(CPU).evaluation("valid")[0])


def test_augmentation_is_a_crop_of_the_padded_image_and_a_flip() -> None:
    x = torch.rand(40, 3, 6, 5, generator=torch.Generator().manual_seed(0)) + 1
    out = augment(x, pad=2, flip=True, generator=torch.Generator().manual_seed(1))
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2))
    kinds = set()
    for original, image in zip(padded, out, strict=True):
        crops = [
            (dy, dx, flipped)
            for dy in range(5)
            for dx in range(5)
            for flipped in (False, True)
            if torch.equal(
                original[:, dy : dy + 6, dx : dx + 5].flip(-1) if flipped else original[:, dy : dy + 6, dx : dx + 5],
                image,
            )
        ]
        assert crops
        kinds.add(crops[0])
    assert len({k[:2] for k in kinds}) > 10
    assert {k[2] for k in kinds} == {False, True}
    assert torch.equal(augment(x, 0, False, torch.Generator()), x)


def test_border_of_a_crop_is_black() -> None:
    """Published order: pad, crop, flip, then normalize; so padding is (0 - mean) / std and not the mean."""
    white = torch.full((30, 1, 4, 4), 255, dtype=torch.uint8)
    parts = {part: (white, torch.zeros(30)) for part in ("train", "valid", "test")}
    images = StoredImages(parts, classes=1, mean=(0.5,), std=(0.25,), pad=2, flip=True, device=CPU)  # type: ignore[arg-type]
    x, _ = images.batch("train", torch.arange(30), Streams(0)["augment"])
    assert set(x.unique().tolist()) == {-2.0, 2.0}


@pytest.mark.parametrize("sampling", ["pass", "replacement"])
def test_batches_resume_in_the_middle(sampling: str) -> None:
    first = Batches(10, 4, sampling, Streams(0)["order"])
    drawn = [first.next().tolist() for _ in range(3)]
    streams = Streams(0)
    second = Batches(10, 4, sampling, streams["order"])
    for _ in range(3):
        second.next()
    state, generator = second.state_dict(), streams.state_dict()
    expected = [second.next().tolist() for _ in range(5)]
    other = Streams(0)
    other.load_state_dict(generator)
    third = Batches(10, 4, sampling, other["order"])
    third.load_state_dict(state)
    assert [third.next().tolist() for _ in range(5)] == expected
    if sampling == "pass":
        assert len(set(drawn[0] + drawn[1])) == 8  # no item twice within a pass


@pytest.fixture(scope="module")
def cifar_folder(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """Real images in the official python format: 5 training batches and a test batch of 40."""
    folder = tmp_path_factory.mktemp("cifar-10-batches-py")
    with np.load(shared_data / "cifar10" / "cifar10_jpeg.npz") as source:
        header, payload, offsets, labels = (source[k] for k in ("header", "payload", "offsets", "label"))
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    for b, name in enumerate(names):
        chosen = range(40 * b, 40 * (b + 1))
        pixels = []
        for i in chosen:
            jpeg = header.tobytes() + payload[offsets[i] : offsets[i + 1]].tobytes()
            pixels.append(np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).transpose(2, 0, 1).ravel())
        content = {b"data": np.array(pixels, dtype=np.uint8), b"labels": [int(labels[i]) for i in chosen]}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    return folder


def test_cifar10_in_its_official_format(cifar_folder: Path) -> None:
    images = CIFAR10(root=cifar_folder).load(CPU)
    assert images.shape == (3, 32, 32)
    assert [images.size(p) for p in ("train", "valid", "test")] == [100, 100, 40]
    first = pickle.loads((cifar_folder / "data_batch_1").read_bytes())
    last = pickle.loads((cifar_folder / "data_batch_5").read_bytes())
    x, y = images.evaluation("train")
    mean, std = np.array((0.4914, 0.4822, 0.4465)), np.array((0.2470, 0.2435, 0.2616))
    expected = (first[b"data"][7].reshape(3, 32, 32) / 255 - mean[:, None, None]) / std[:, None, None]
    assert np.allclose(x[7].numpy(), expected, atol=1e-5)
    assert y[:40].tolist() == first[b"labels"]
    assert images.evaluation("valid")[1][-40:].tolist() == last[b"labels"]
    batch, _ = images.batch("train", torch.arange(64), Streams(0)["augment"])
    assert batch.shape == (64, 3, 32, 32)


def test_cifar10_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(tmp_path / "ran"),))  # type: ignore[return-value]

    for name in [f"data_batch_{i}" for i in range(1, 6)]:
        (tmp_path / name).write_bytes(pickle.dumps({b"data": Evil(), b"labels": []}))
    with pytest.raises(HarnessError, match="is refused: it asks for pathlib"):
        CIFAR10(root=tmp_path).load(CPU)
    assert not (tmp_path / "ran").exists()


def test_cifar10_missing_or_cut(tmp_path: Path, cifar_folder: Path) -> None:
    with pytest.raises(
        HarnessError, match=r"name the folder that holds the files of cifar-10-python\.tar\.gz, or leave out root"
    ):
        CIFAR10(root=tmp_path).load(CPU)
    for path in cifar_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[:5000])
    with pytest.raises(HarnessError, match="is damaged, truncated"):
        CIFAR10(root=tmp_path).load(CPU)


def test_cifar100_in_its_official_format(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, count in (("train", 20), ("test", 6)):
        content = {
            b"data": rng.integers(0, 256, (count, 3072), dtype=np.uint8),
            b"fine_labels": list(range(count)),
            b"coarse_labels": [0] * count,
        }
        (tmp_path / name).write_bytes(pickle.dumps(content, protocol=2))
    images = CIFAR100(root=tmp_path).load(CPU)
    assert (images.classes, images.shape) == (100, (3, 32, 32))
    assert images.evaluation("valid")[1].tolist() == list(range(10, 20))
    assert images.evaluation("test")[1].tolist() == list(range(6))
    with pytest.raises(
        HarnessError, match=r"the files of cifar-100-python\.tar\.gz, or leave .* by 'harness datasets fetch cifar100'"
    ):
        CIFAR100(root=tmp_path / "absent").load(CPU)


def test_imagenet16_keeps_the_first_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in (*(f"train_data_batch_{i}" for i in range(1, 11)), "val_data"):
        labels = [1, 120, 121, 1000]
        content = {"data": rng.integers(0, 256, (4, 768), dtype=np.uint8), "labels": labels}
        (tmp_path / name).write_bytes(pickle.dumps(content))
    images = ImageNet16(root=tmp_path).load(CPU)
    assert (images.classes, images.shape) == (120, (3, 16, 16))
    assert [images.size(p) for p in ("train", "valid", "test")] == [10, 10, 2]
    assert images.evaluation("test")[1].tolist() == [0, 119]
    (tmp_path / "val_data").write_bytes(pickle.dumps({"data": np.zeros((1, 768), dtype=np.uint8), "labels": [0]}))
    with pytest.raises(HarnessError, match="do not count from 1"):
        ImageNet16(root=tmp_path).load(CPU)


def test_svhn_in_its_official_format(tmp_path: Path) -> None:
    from scipy.io import savemat

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (32, 32, 3, 12), dtype=np.uint8)
    for name in ("train", "test"):
        savemat(tmp_path / f"{name}_32x32.mat", {"X": pixels, "y": np.arange(1, 13)[:, None] % 10 + 1})
    images = SVHN(root=tmp_path).load(CPU)
    assert [images.size(p) for p in ("train", "valid", "test")] == [6, 6, 12]
    x, y = images.evaluation("test")
    assert y.tolist() == [(d % 10 + 1) % 10 for d in range(1, 13)]
    expected = (pixels[4, 7, 1, 2] / 255 - 0.4438) / 0.2010
    assert x[2, 1, 4, 7].item() == pytest.approx(expected, abs=1e-4)
    (tmp_path / "test_32x32.mat").write_bytes(b"half")
    with pytest.raises(HarnessError, match=r"test_32x32\.mat is no readable SVHN file"):
        SVHN(root=tmp_path).load(CPU)


def npz(path: Path, **changes: np.ndarray) -> Path:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    arrays = {
        "train_images": rng.integers(0, 255, (20, 7, 9, 3), dtype=np.uint8),
        "train_labels": np.arange(20) % 4,
        "test_images": rng.integers(0, 255, (6, 7, 9, 3), dtype=np.uint8),
        "test_labels": np.arange(6) % 4,
    } | changes
    np.savez(path, **{k: v for k, v in arrays.items() if v.size})
    return path


def test_npz_images(tmp_path: Path) -> None:
    images = NpzImages(path=npz(tmp_path / "a.npz"), pad=1, flip=True).load(CPU)
    assert images.shape == (3, 7, 9)
    assert images.classes == 4
    assert [images.size(p) for p in ("train", "valid", "test")] == [10, 10, 6]
    both = torch.cat([images.evaluation("train")[0], images.evaluation("valid")[0]])
    assert torch.allclose(both.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5)
    gray = npz(
        tmp_path / "g.npz", train_images=np.zeros((20, 5, 5), np.uint8), test_images=np.zeros((6, 5, 5), np.uint8)
    )
    assert NpzImages(path=gray).load(CPU).shape == (1, 5, 5)
    signals = {kind: np.zeros((n, 1, 16, 9), np.uint8) for kind, n in (("train_images", 20), ("test_images", 6))}
    assert NpzImages(path=npz(tmp_path / "s.npz", **signals)).load(CPU).shape == (9, 1, 16)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_labels": np.array([])}, "lacks the array 'test_labels'"),
        ({"train_images": np.zeros((20, 7, 9, 3))}, "train_images of .* are float64"),
        (
            {"train_images": np.zeros((20, 3, 9, 9), np.uint8)},
            r"look like \[n, channels, height, width\]: the channels",
        ),
        ({"train_images": np.zeros((1, 7, 9, 3), np.uint8), "train_labels": np.arange(1)}, "holds 1 train images"),
        ({"train_labels": np.arange(19)}, "must be one whole number from 0 up for each image"),
        ({"train_labels": np.arange(20) - 1}, "must be one whole number from 0 up for each image"),
    ],
)
def test_npz_that_cannot_be_right(tmp_path: Path, changes: dict[str, np.ndarray], message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(HarnessError, match=message):
        NpzImages(path=npz(tmp_path / "a.npz", **changes)).load(CPU)


def test_an_empty_part_is_not_blamed_on_its_labels(tmp_path: Path) -> None:
    for part in ("train", "test"):
        content = {
            f"{kind}_{what}": np.zeros((0 if kind == part else 20, *shape), np.uint8)
            for kind in ("train", "test")
            for what, shape in (("images", (7, 9)), ("labels", ()))
        }
        np.savez(tmp_path / "a.npz", **content)
        with pytest.raises(HarnessError, match=f"holds 0 {part} images, of which 2 are needed: give more"):
            NpzImages(path=tmp_path / "a.npz").load(CPU)


def test_npz_absent_or_cut(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no image file at"):
        NpzImages(path=tmp_path / "absent.npz").load(CPU)
    whole = npz(tmp_path / "a.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:-200])
    with pytest.raises(HarnessError, match=r"is no readable \.npz file"):
        NpzImages(path=tmp_path / "cut.npz").load(CPU)
