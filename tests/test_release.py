"""What a user installs: wheel and source distribution hold every file of the package, and little else."""

import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from harness.core.version import __version__
from tests.conftest import ROOT

LIMIT_BYTES = 8_000_000
BUILD = "from setuptools import build_meta; build_meta.build_sdist('dist'); build_meta.build_wheel('dist')"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder of both, and the package's files; built from a copy of what git knows, so that nothing else counts."""
    source = tmp_path_factory.mktemp("source")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: which files are the package's is not known")
    names = ("harness/", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")
    known = [name for name in listed.stdout.splitlines() if name.startswith(names) and (ROOT / name).is_file()]
    for name in known:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).symlink_to(ROOT / name)
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return source / "dist", [name for name in known if name.startswith("harness/")]


def test_the_wheel_is_whole_and_small(built: tuple[Path, list[str]]) -> None:
    folder, known = built
    (path,) = folder.glob("*.whl")
    assert path.stat().st_size < LIMIT_BYTES
    with zipfile.ZipFile(path) as wheel:
        inside = wheel.namelist()
        (about,) = (name for name in inside if name.endswith(".dist-info/METADATA"))
        told = message_from_bytes(wheel.read(about))
        entries = wheel.read(about.replace("METADATA", "entry_points.txt")).decode()
    assert {name for name in inside if ".dist-info/" not in name} == set(known)
    assert told["Version"] == __version__ in (ROOT / "CITATION.cff").read_text()
    assert "harness = harness.__main__:start" in entries
    classifiers = told.get_all("Classifier", [])
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13, 14)} <= set(classifiers)


def test_the_source_distribution_gives_the_same_package(built: tuple[Path, list[str]]) -> None:
    folder, known = built
    (path,) = folder.glob("*.tar.gz")
    assert path.stat().st_size < LIMIT_BYTES
    with tarfile.open(path) as source:
        inside = {name.partition("/")[2] for name in source.getnames()}
    assert set(known) <= inside
