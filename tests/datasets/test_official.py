"""`harness datasets`: fetched from a real server, checked, unpacked; data known by their content."""

import hashlib
import http.server
import io
import os
import pickle
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks.data import cifar10_npz
from harness.cli.main import main
from harness.core import files as hashes
from harness.core.download import PublishedFile
from harness.core.errors import HarnessError
from harness.datasets.base import DATASETS
from harness.datasets.cifar10 import CIFAR10, CIFAR100
from harness.datasets.imagenet16 import ImageNet16
from harness.datasets.nats_split import SplitImages
from harness.datasets.npz import NpzImages
from harness.datasets.official import Archive, OfficialDataset, fetch, list_official_datasets
from harness.runs.study import load_study
from tests.conftest import SMALL_STUDY

PUBLISHED = {"cifar10": 6, "cifar100": 2, "svhn": 2, "imagenet16-120": 11, "ptb": 3, "wikitext-2": 3}
"""Data sets, and how many files each has."""


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def batches(count: int = 20) -> dict[str, bytes]:
    """Files in CIFAR-100's own format."""
    rng = np.random.default_rng(0)
    labels = [i % 100 for i in range(count)]
    pixels = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
    return {n: pickle.dumps({b"data": pixels, b"fine_labels": labels}, protocol=2) for n in ("train", "test")}


def tar(content: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        for name, data in content.items():
            entry = tarfile.TarInfo(f"folder/{name}")
            entry.size = len(data)
            packed.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def zipped(content: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, data in content.items():
            packed.writestr(name, data)
    return stream.getvalue()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves one content with ranges; breaks off after `limit` bytes."""

    content, limit = b"", 1 << 30
    ranges: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        body = self.content[int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0 :]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.limit])

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[tuple[type[Server], str]]:
    kind = type("One", (Server,), {"ranges": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield kind, f"http://127.0.0.1:{running.server_port}/made-up"
        running.shutdown()


def publish(monkeypatch: pytest.MonkeyPatch, url: str, packed: bytes, content: dict[str, bytes], file: str) -> None:
    """Let CIFAR-100 be published at this address with this content."""
    md5s = {name: hashlib.md5(data).hexdigest() for name, data in content.items()}
    told = {"title": "t", "size": "1 MB", "licence": "l", "citation": "c"}
    archive = Archive(file=file, url=url, md5=hashlib.md5(packed).hexdigest(), files=md5s, **told)
    monkeypatch.setattr(CIFAR100, "archives", (archive,))


def command(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, words)
    return done.exit_code, done.output


# -- what is published -------------------------------------------------------------------------------------------------


def test_every_published_data_set_says_what_it_is() -> None:
    assert {name: len(data.published()) for name, data in list_official_datasets().items()} == PUBLISHED
    for data in list_official_datasets().values():
        for archive in data.archives:
            assert archive.url.startswith("http")
            assert archive.licence
            assert archive.citation
            assert all(md5 is None or len(md5) == 32 for md5 in archive.files.values())
            assert archive.checksum is not None
    assert CIFAR10.archives[0].checksum == "md5:c58f30108f718f92721af3b95e74349a"


def test_checksums_of_sources() -> None:
    told = {"file": "f", "title": "t", "url": "u", "size": "s", "licence": "l", "citation": "c"}
    assert PublishedFile(**told).told()["checksum"] == "none published"
    assert PublishedFile(**told, md5="1").checksum == "md5:1"
    assert PublishedFile(**told, md5="1", sha256="2").checksum == "sha256:2"


# -- fetch -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pack", "file"), [(tar, "a.tar.gz"), (zipped, "a.zip")])
def test_fetch_unpacks_what_is_wanted_and_load_finds_it(
    server: tuple[type[Server], str], cache: Path, monkeypatch: pytest.MonkeyPatch, pack: object, file: str
) -> None:
    content = batches()
    packed = pack(content | {"../../escaped": b"no", "meta": b"not wanted"})  # type: ignore[operator]
    kind, url = server
    kind.content = packed
    publish(monkeypatch, url, packed, content, file)
    folder = fetch(CIFAR100(), lambda _: None)
    assert folder == cache / "datasets" / "cifar100"
    assert {p.name for p in folder.iterdir()} == {".lock", "train", "test"}
    assert not list(cache.rglob("escaped"))
    images = CIFAR100().load(torch.device("cpu"))
    assert [images.size(part) for part in ("train", "valid", "test")] == [10, 10, 20]
    fetch(CIFAR100(), lambda _: None)
    assert len(kind.ranges) == 1  # the second time it was there
    (folder / "test").write_bytes(b"damaged")
    assert command("datasets", "verify") == (
        1,
        f"cifar100: {folder / 'test'} is not the published file (another MD5)\n",
    )
    assert fetch(CIFAR100(), lambda _: None) == folder
    assert command("datasets", "verify", "cifar100") == (0, "cifar100: as published\n")


def test_fetch_goes_on_where_it_broke_off(
    server: tuple[type[Server], str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = batches(2000)
    kind, url = server
    kind.content = tar(content)
    publish(monkeypatch, url, kind.content, content, "a.tar.gz")
    kind.limit = 3_000_000
    code, said = command("datasets", "fetch", "cifar100")
    assert code == 2
    assert "broke off (ChunkedEncodingError); 3 MB are kept, the same command goes on" in said
    have = (cache / "datasets" / "cifar100" / "a.tar.gz.part").stat().st_size
    kind.limit = 1 << 30
    code, said = command("datasets", "fetch", "cifar100")
    assert (code, "going on at 3 MB" in said) == (0, True)
    assert kind.ranges == [None, f"bytes={have}-"]
    assert CIFAR100().wrong() == []


def test_offline_says_what_to_put_where(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = batches()
    packed = tar(content)
    publish(monkeypatch, "http://127.0.0.1:9/file", packed, content, "a.tar.gz")
    folder = cache / "datasets" / "cifar100"
    code, said = command("datasets", "fetch", "cifar100")
    assert code == 2
    assert "cannot be reached, are you offline? (ConnectionError)" in said
    assert f"put a.tar.gz, downloaded elsewhere, into {folder}, and give the same command again" in said
    (folder / "a.tar.gz").write_bytes(packed)
    assert command("datasets", "fetch", "cifar100")[0] == 0
    assert CIFAR100().wrong() == []


def test_fetch_refuses_other_content(
    server: tuple[type[Server], str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = batches()
    kind, url = server
    kind.content = tar(content)
    publish(monkeypatch, url, b"other", content, "a.tar.gz")
    with pytest.raises(HarnessError, match="did not give the published file, it was deleted"):
        fetch(CIFAR100(), lambda _: None)
    publish(monkeypatch, url, kind.content, content | {"train": b"other"}, "a.tar.gz")
    with pytest.raises(HarnessError, match=r"train in .*a\.tar\.gz is not the published file \(another MD5\)"):
        fetch(CIFAR100(), lambda _: None)
    publish(monkeypatch, url, kind.content, content | {"more": b""}, "a.tar.gz")
    with pytest.raises(HarnessError, match=r"a\.tar\.gz does not hold more: delete it and fetch again"):
        fetch(CIFAR100(), lambda _: None)
    kind.content = kind.content[:100]
    (cache / "datasets" / "cifar100" / "a.tar.gz").unlink()
    publish(monkeypatch, url, kind.content, content, "a.tar.gz")
    (cache / "datasets" / "cifar100" / "test").unlink()
    with pytest.raises(HarnessError, match=r"a\.tar\.gz cannot be unpacked"):
        fetch(CIFAR100(), lambda _: None)


def test_listing_and_refusals(cache: Path) -> None:
    code, said = command("datasets", "list", "--format", "csv")
    rows = [line.split(",")[:3] for line in said.splitlines()[1:]]
    assert code == 0
    assert ["imagenet16-120", "not there", "10 x 99 MB + 39 MB"] in rows
    code, said = command("datasets", "fetch", "cifar")
    assert (code, "there is no published data set 'cifar': did you mean 'cifar10'" in said) == (2, True)
    code, said = command("datasets", "fetch", "digits")
    assert (code, "no published data set 'digits'" in said) == (2, True)
    code, said = command("datasets", "fetch", "svhn", "--dry-run")
    for part in ("e26dedcc434d2e4c54c9b2d4a06d8373", "ufldl.stanford.edu", "non-commercial", "Netzer", "182 MB"):
        assert part in said
    code, said = command("datasets", "verify", "svhn")
    assert (code, "train_32x32.mat is missing" in said) == (1, True)
    assert not cache.exists()


# -- identity ----------------------------------------------------------------------------------------------------------


def test_data_are_known_by_their_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = batches()
    publish(monkeypatch, "http://127.0.0.1:9/", b"", content, "a.tar.gz")
    absent = CIFAR100().describe()
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    assert CIFAR100(root=tmp_path).describe() == absent  # the published files, wherever they are
    assert set(absent) == {"md5"}
    (tmp_path / "test").write_bytes(content["test"][:-1] + b"x")
    assert CIFAR100(root=tmp_path).describe() != absent


def test_other_data_are_other_runs(tmp_path: Path) -> None:
    study = tmp_path / "s.toml"
    study.write_text(SMALL_STUDY.replace('{name = "digits100", evaluation_pairs = 64}', '"cifar100"'))
    published = load_study(study).runs[0].id
    for name, data in batches().items():
        (tmp_path / name).write_bytes(data)
    own = f'dataset={{name = "cifar100", root = "{tmp_path}"}}'
    assert load_study(study, [own]).runs[0].id != published


def test_large_files_are_hashed_once(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(hashes.LARGE))
    first = hashes.digest_once(path, "md5")
    assert first == hashlib.md5(bytes(hashes.LARGE)).hexdigest()
    assert len(list((cache / "hashes").iterdir())) == 1
    with monkeypatch.context() as patched:
        patched.setattr(hashes, "digest", lambda *_: pytest.fail("hashed again"))
        assert hashes.digest_once(path, "md5") == first
    before = path.stat().st_mtime_ns
    path.write_bytes(b"x" + bytes(hashes.LARGE - 1))
    os.utime(path, ns=(before + 1, before + 1))
    assert hashes.digest_once(path, "md5") != first


def test_published_data_sets_need_no_root() -> None:
    for kind in DATASETS.classes.values():
        if issubclass(kind, OfficialDataset):
            with pytest.raises(HarnessError, match=f"get the data by 'harness datasets fetch {kind.name}', or put the"):
                kind().load(torch.device("cpu"))
    assert ImageNet16(classes=10).describe() != ImageNet16().describe()


def test_noise_stands_for_images_that_are_not_here() -> None:
    """As many as published, of the same size, in as many classes, through the same augmentation."""
    noise = ImageNet16(classes=3).noise(torch.device("cpu"))
    assert (noise.shape, noise.classes) == ((3, 16, 16), 3)
    assert [noise.size(part) for part in ("train", "valid", "test")] == [1896, 1896, 150]
    x, labels = noise.batch("train", torch.arange(64), torch.Generator().manual_seed(0))
    assert x.shape == (64, 3, 16, 16)
    assert set(labels.tolist()) == {0, 1, 2}
    assert {kind().pictures.training for kind in (CIFAR10, CIFAR100)} == {50_000}


def test_cifar10_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What studies for two cores take: the official images in their order, averaged over blocks."""
    rng = np.random.default_rng(0)
    pixels = {name: rng.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8) for name in CIFAR10.published()}
    for number, (name, each) in enumerate(pixels.items()):
        labels = [(number + i) % 10 for i in range(4)]
        (tmp_path / name).write_bytes(pickle.dumps({b"data": each.reshape(4, -1), b"labels": labels}, protocol=2))
    words = ["cifar10_npz.py", "8", str(tmp_path / "data" / "small.npz"), "--root", str(tmp_path)]
    monkeypatch.setattr("sys.argv", words)
    cifar10_npz.main()
    assert "train_images (20, 8, 8, 3)" in capsys.readouterr().out
    small = NpzImages(path=tmp_path / "data" / "small.npz").load(torch.device("cpu"))
    x, labels = small.batch("valid", torch.tensor([0]), torch.Generator())
    assert labels.tolist() == [4]  # the third image of data_batch_3
    mean = pixels["data_batch_3"][2].reshape(3, 8, 4, 8, 4).mean(axis=(2, 4)).round()
    assert np.abs(((x[0] * small.std + small.mean) * 255).numpy() - mean).max() < 1e-3
    monkeypatch.setattr("sys.argv", [*words[:-1], str(tmp_path / "none")])
    with pytest.raises(SystemExit):
        cifar10_npz.main()
    assert "no data_batch_1 in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "training", "test", "sizes"),
    [
        (CIFAR10, 50_000, 100, {"train": 25_000, "valid": 25_000, "test": 100}),
        (CIFAR100, 100, 10_000, {"train": 100, "valid": 5_000, "test": 5_000}),
        (ImageNet16, 120, 6_000, {"train": 120, "valid": 3_000, "test": 3_000}),
    ],
)
def test_the_split_of_nats_bench(data: type[SplitImages], training: int, test: int, sizes: dict[str, int]) -> None:
    """The published indices, by a label that says each image's place; older runs, of halves, keep their ids."""
    images = {n: np.zeros((n, 3, 1, 1), np.uint8) for n in (training, test)}
    parts = data(split="nats-bench").split_parts(
        (images[training], np.arange(training)), (images[test], np.arange(test))
    )
    assert {part: len(x) for part, (x, _) in parts.items()} == sizes
    first, other = (parts["train"], parts["valid"]) if data is CIFAR10 else (parts["valid"], parts["test"])
    begin = {CIFAR10: [0, 5, 7, 11, 13], CIFAR100: [1, 3, 4, 5, 8], ImageNet16: [1, 2, 3, 6, 7]}[data]
    assert first[1][:5].tolist() == begin
    assert not set(first[1].tolist()) & set(other[1].tolist())
    assert "split" not in data().describe()
    assert data(split="nats-bench").describe()["split"] == "nats-bench"
    with pytest.raises(HarnessError, match=r"and there are 7 training and 9 test images: use the data set as it was"):
        data(split="nats-bench").split_parts((images[test][:7], np.arange(7)), (images[test][:9], np.arange(9)))
