"""Data sets that their authors publish: from which archives their files come, what they hash to, and where they are."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import shutil
import tarfile
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from harness.core.download import PublishedFile, Say, download
from harness.core.errors import HarnessError, MissingDataError, suggest_names
from harness.core.files import cache_folder, digest, digest_once, explain_disk_errors
from harness.datasets.base import DATASETS, Data, Dataset, Images, Part, StoredImages
from harness.datasets.pickled import split_halves

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Archive(PublishedFile):
    """A published archive, or a file that is used as it is. files: the published MD5 of each file that is wanted of it,
    by its name without folders; None where that of the archive alone is published."""

    files: Mapping[str, str | None]


@dataclass(frozen=True)
class Pictures:
    """What the images of a data set are like: how many, of how many pixels a side, in how many classes; mean and
    standard deviation of each channel, of pixels in [0, 1]; pixels of padding before a random crop. All are flipped."""

    training: int
    test: int
    side: int
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    pad: int


class OfficialDataset(Dataset):
    """A published data set."""

    archives: ClassVar[tuple[Archive, ...]]
    """Where its files come from."""
    root: Path | None = None
    """The folder of its files; if not said, where `harness datasets fetch` puts them."""

    @abstractmethod
    def noise(self, device: torch.device) -> Data:
        """About as many random items of the same kind and size: a step on them costs what it does on the real ones,
        which need not be there."""

    @classmethod
    def published(cls) -> dict[str, str | None]:
        """The published MD5 of every file; None where there is none."""
        return {name: md5 for archive in cls.archives for name, md5 in archive.files.items()}

    @property
    def folder(self) -> Path:
        return self.root.expanduser() if self.root else cache_folder() / "datasets" / self.name

    def path(self, name: str) -> Path:
        """A file of the data set, or an error that says how to get it."""
        path = self.folder / name
        if path.is_file():
            return path
        packed = next(a.file for a in self.archives if name in a.files)
        fetched = f"'harness datasets fetch {self.name}'"
        if self.root:
            raise MissingDataError(
                f"no {name} in {self.root}: name the folder that holds the files of {packed}, or leave out root "
                f"and get the data by {fetched}"
            )
        raise MissingDataError(
            f"no {name} in {self.folder}: get the data by {fetched}, or put the files of {packed} there"
        )

    def describe(self) -> dict[str, Any]:
        """The files by their content: `md5` is over their names and MD5s. Those that are not here, where runs are only
        read, are taken to be the published ones."""
        told = {k: v for k, v in super().describe().items() if k != "root"}
        lines = [f"{name} {self._md5(name) or known}\n" for name, known in self.published().items()]
        return told | {"md5": hashlib.md5("".join(lines).encode()).hexdigest()}

    def _md5(self, name: str) -> str | None:
        path = self.folder / name
        try:
            return digest_once(path, "md5")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise HarnessError(f"{path} cannot be read ({error.strerror})") from None

    def wrong(self) -> list[str]:
        """What is not as published, hashed anew; [] if all is well."""
        found = []
        for name, md5 in self.published().items():
            path = self.folder / name
            if not path.is_file():
                found.append(f"{path} is missing")
            elif md5 is not None and digest(path, "md5") != md5:
                found.append(f"{path} is not the published file (another MD5)")
        return found

    @property
    def state(self) -> str:
        """How much is there, in words."""
        names = self.published()
        count = sum((self.folder / name).is_file() for name in names)
        return {0: "not there", len(names): "there"}.get(count, f"{count} of {len(names)} files")


class OfficialImages(OfficialDataset):
    """A published data set of images."""

    @property
    @abstractmethod
    def pictures(self) -> Pictures:
        """What its images are like."""

    @abstractmethod
    def read(self) -> dict[Part, tuple[Tensor, Tensor]]:
        """The images [n, 3, side, side] (uint8) and labels [n] of each part."""

    def split_parts(self, training: tuple[Any, Any], test: tuple[Any, Any]) -> dict[Part, tuple[Tensor, Tensor]]:
        """The parts of a search, of arrays of images [n, 3, side, side] and labels [n]: the training images in halves,
        in file order."""
        return split_halves(*training, test)

    def load(self, device: torch.device) -> Images:
        return self._stored(self.read(), device)

    def noise(self, device: torch.device) -> Images:
        """Random pixels and labels."""
        rng = np.random.default_rng(0)
        of = self.pictures
        train, test = (
            (rng.integers(0, 256, (n, 3, of.side, of.side), np.uint8), rng.integers(0, of.classes, n))
            for n in (of.training, of.test)
        )
        return self._stored(self.split_parts(train, test), device)

    def _stored(self, parts: dict[Part, tuple[Tensor, Tensor]], device: torch.device) -> Images:
        of = self.pictures
        return StoredImages(parts, classes=of.classes, mean=of.mean, std=of.std, pad=of.pad, flip=True, device=device)


def list_official_datasets() -> dict[str, OfficialDataset]:
    """Every published data set by name, in the cache."""
    kinds = {name: kind for name, kind in DATASETS.classes.items() if issubclass(kind, OfficialDataset)}
    return {name: kind() for name, kind in kinds.items()}


def find_official(name: str) -> OfficialDataset:
    if name not in (known := list_official_datasets()):
        raise HarnessError(f"there is no published data set {name!r}: {suggest_names(name, known)}")
    return known[name]


def fetch(data: OfficialDataset, say: Say) -> Path:
    """The folder of the data set's files, after what is missing or damaged has been downloaded and unpacked."""
    from filelock import FileLock

    folder = data.folder
    with explain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            for archive in data.archives:
                if any(not _is_as_published(folder / name, md5) for name, md5 in archive.files.items()):
                    _get(archive, folder, say)
    return folder


def _is_as_published(path: Path, md5: str | None) -> bool:
    return path.is_file() and md5 in (None, digest(path, "md5"))


def _get(archive: Archive, folder: Path, say: Say) -> None:
    path = download(archive, folder, say)
    if archive.file in archive.files:
        return
    say(f"unpacking {path}")
    missing = dict(archive.files)
    for name, stream in iterate_members(path):
        if name not in missing:
            continue
        partial = folder / f".{name}.part"
        try:
            with partial.open("wb") as target, explain_damage(path):
                shutil.copyfileobj(stream, target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        if not _is_as_published(partial, missing.pop(name)):
            partial.unlink()
            raise HarnessError(
                f"{name} in {path} is not the published file (another MD5): delete {path} and fetch again"
            )
        partial.replace(folder / name)
    if missing:
        raise HarnessError(f"{path} does not hold {', '.join(missing)}: delete it and fetch again")
    path.unlink()


def iterate_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The files of a tar or zip archive, by their names without folders: nothing is written where an archive says."""
    with explain_damage(path, OSError):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                for entry in packed.infolist():
                    if not entry.is_dir():
                        with packed.open(entry) as stream:
                            yield Path(entry.filename).name, stream
            return
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile():
                    yield Path(member.name).name, cast("IO[bytes]", archive.extractfile(member))


@contextmanager
def explain_damage(path: Path, *more: type[Exception]) -> Iterator[None]:
    """Say of an archive that it is damaged, where reading it finds that; its members are read after they are found."""
    wrong: tuple[type[Exception], ...] = (*more, *DAMAGED)
    try:
        yield
    except wrong as error:
        raise HarnessError(f"{path} cannot be unpacked ({error}): delete it and fetch again") from None


DAMAGED = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError)
"""What the modules of archives raise of those that were cut or changed."""
