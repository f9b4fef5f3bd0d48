"""The published files that a table can be made of: where they are, what they hash to, whom to cite."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError, did_you_mean
from harness.core.files import cache_folder
from harness.tables.write import sha256

NAMED_MD5 = re.compile(r"-v1_\d-([0-9a-f]{5,6})(?:-simple)?\.(?:pth|pickle\.pbz2|tar)$")
"""NAS-Bench-201's and NATS-Bench's file names end with the first digits of the MD5 (the authors' convention)."""
DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
NASBENCH101 = (
    "Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search, ICML 2019 (arXiv 1902.09635)"
)
NASBENCH201 = "Dong & Yang, NAS-Bench-201, ICLR 2020 (arXiv 2001.00326)"
NATS = "Dong, Liu, Musial & Gabrys, NATS-Bench, TPAMI 2021 (arXiv 2009.00437)"


@dataclass(frozen=True)
class Source:
    """A published file. sha256: None where its authors publish none. unpacked: what is added, if not the file itself.

    table: the name that its table gets; views: of the tables that are made beside it.
    """

    file: str
    table: str
    title: str
    url: str
    size: str
    licence: str
    citation: str
    sha256: str | None = None
    unpacked: str | None = None
    views: tuple[str, ...] = ()


NASBENCH1SHOT1 = tuple(f"nasbench1shot1.s{i}" for i in (1, 2, 3))
SOURCES = {
    "nasbench101-only108": Source(
        file="nasbench_only108.tfrecord",
        table="nasbench101",
        title="NAS-Bench-101, 108 epochs",
        url="https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord",
        size="499 MB",
        licence="Apache-2.0",
        citation=NASBENCH101,
        views=NASBENCH1SHOT1,
        sha256="4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
    ),
    "nasbench101-full": Source(
        file="nasbench_full.tfrecord",
        table="nasbench101",
        title="NAS-Bench-101, 4, 12, 36 and 108 epochs",
        url="https://storage.googleapis.com/nasbench/nasbench_full.tfrecord",
        size="1.95 GB",
        licence="Apache-2.0",
        citation=NASBENCH101,
        views=NASBENCH1SHOT1,
        sha256="3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
    ),
    "nats-tss": Source(
        file="NATS-tss-v1_0-3ffb9-simple.tar",
        table="nasbench201.nats-v1_0",
        title="NATS-Bench v1.0, topology space (NAS-Bench-201's cells)",
        url=f"{DRIVE}17_saCsj_krKjlCBLOJEpNtzPXArMCqxU",
        size="1.3 GB",
        licence="MIT",
        citation=NATS,
        unpacked="NATS-tss-v1_0-3ffb9-simple",
    ),
    "nats-tss-pickle": Source(
        file="NATS-tss-v1_0-3ffb9.pickle.pbz2",
        table="nasbench201.nats-v1_0",
        title="NATS-Bench v1.0, topology space (NAS-Bench-201's cells), as one pickle",
        url=f"{DRIVE}1vzyK0UVH2D3fTpa1_dSWnp1gvGpAxRul",
        size="1.2 GB",
        licence="MIT",
        citation=NATS,
    ),
    "nasbench201-v1.0": Source(
        file="NAS-Bench-201-v1_0-e61699.pth",
        table="nasbench201.v1_0",
        title="NAS-Bench-201 v1.0",
        url=f"{DRIVE}1SKW0Cu0u8-gb18zDpaAGi0f74UdXeGKs",
        size="2.2 GB",
        licence="MIT",
        citation=NASBENCH201,
    ),
    "nasbench201-v1.1": Source(
        file="NAS-Bench-201-v1_1-096897.pth",
        table="nasbench201.v1_1",
        title="NAS-Bench-201 v1.1",
        url=f"{DRIVE}16Y0UwGisiouVRxW-W5hEtbxmcHw_0hF_",
        size="4.7 GB",
        licence="MIT",
        citation=NASBENCH201,
    ),
    "analog-nasbench": Source(
        file="analog_nasbench-0.1.3-py3-none-any.whl",
        table="nasbench201.analog",
        title="an independent CIFAR-10 training of NAS-Bench-201's cells; not NAS-Bench-201 itself",
        url="https://pypi.org/project/analog-nasbench/0.1.3/",
        size="2.9 MB",
        licence="not stated by the package",
        citation="AnalogNAS-Bench, PyPI package analog-nasbench 0.1.3",
        sha256="f7d4e56e416d249d25555b867a6d7c72886fa9d85a49bd1870708acbf5ee6fe2",
    ),
}


def sources_of(table: str) -> list[str]:
    """The sources that a table of this name, or of a name that begins so, is made from."""
    return [n for n, s in SOURCES.items() if any(f"{t}.".startswith(f"{table}.") for t in (s.table, *s.views))]


def find_source(name: str) -> Source:
    if name not in SOURCES:
        raise HarnessError(f"unknown source {name!r}: {did_you_mean(name, SOURCES)}")
    return SOURCES[name]


def source_of(path: Path) -> Source | None:
    """The source that a file or folder is by its name."""
    return next((s for s in SOURCES.values() if path.name in (s.file, s.unpacked)), None)


def downloads() -> Path:
    """Where fetched files are kept."""
    return cache_folder() / "downloads"


def search_folders() -> list[Path]:
    """Where official files are looked for: among what was fetched, and in $TORCH_HOME, else ~/.torch."""
    return [downloads(), Path(os.environ.get("TORCH_HOME") or Path.home() / ".torch").expanduser()]


def locate(what: str) -> Path:
    """The file or folder of a path, or of a source's name in the folders that are searched."""
    path = Path(what).expanduser()
    if path.exists():
        return path
    if what not in SOURCES:
        raise HarnessError(f"there is no file {what}, and no source of that name: {did_you_mean(what, SOURCES)}")
    source = SOURCES[what]
    names = [n for n in (source.unpacked, source.file) if n]
    for folder in search_folders():
        for name in names:
            if (folder / name).exists():
                return folder / name
    looked = " or ".join(map(str, search_folders()))
    raise HarnessError(
        f"no {' or '.join(names)} in {looked}: get it by 'harness tables fetch {what}', or give its path"
    )


def identify(path: Path) -> dict[str, str]:
    """What table.json says of where the numbers come from; refuses a file that is not what its name says."""
    about = {"title": f"added from {path.name}", "source": path.name, "source_sha256": content_sha256(path)}
    if path.is_file() and (named := NAMED_MD5.search(path.name)):
        agrees = md5(path).startswith(named.group(1))
        about["md5_in_its_name"] = (
            "agrees" if agrees else "does not agree: the file may be damaged or not the official one"
        )
    source = source_of(path)
    if source is None:
        return about
    if source.sha256 and path.name == source.file and source.sha256 != about["source_sha256"]:
        raise HarnessError(
            f"{path} is not the published file of that name: its SHA-256 is {about['source_sha256'][:12]}..., "
            f"published is {source.sha256[:12]}...: download it again, or rename it if it is data of your own"
        )
    checked = "equal to the published one" if source.sha256 else "none is published to compare with"
    told = {"title": source.title, "url": source.url, "licence": source.licence, "citation": source.citation}
    return about | told | {"sha256_is": checked}


def md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def content_sha256(path: Path) -> str:
    """SHA-256 of a file; of a folder, over its files' names and hashes in order."""
    if not path.is_dir():
        return sha256(path)
    listed = "".join(f"{p.name} {sha256(p)}\n" for p in sorted(path.iterdir()) if p.is_file())
    return hashlib.sha256(listed.encode()).hexdigest()
