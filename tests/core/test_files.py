"""Names from elsewhere stay inside of their folder; folders are written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core import files
from harness.core.errors import HarnessError
from harness.core.files import DiskFullError, explain_disk_errors, is_name, join_inside, read_file, write_whole_folder


@given(st.text(st.one_of(st.sampled_from("./\\~\0\n"), st.characters()), max_size=300))
def test_nothing_leaves_its_folder(name: str) -> None:
    folder = Path("/a/b")
    if is_name(name):
        assert join_inside(folder, name).parent == folder
        assert os.path.normpath(join_inside(folder, name)) == str(folder / name)
    else:
        with pytest.raises(HarnessError, match="cannot name anything in /a/b"):
            join_inside(folder, name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "..\\a", "a\0", "a\nb", "ä" * 128, None, 3])
def test_what_is_no_name(name: Any) -> None:
    assert not is_name(name)


@pytest.mark.parametrize("name", ["...", ".5", "a b", "ä" * 127, "[red]", "$x", "~"])
def test_what_is_a_name(name: str) -> None:
    assert is_name(name)


def test_a_device_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe", tmp_path):
        with pytest.raises(OSError):
            read_file(path)


def content(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("before", [True, False])
def test_a_folder_is_written_whole_or_is_what_it_was(tmp_path: Path, before: bool) -> None:
    folder = tmp_path / "above" / "folder"
    if before:
        folder.mkdir(parents=True)
        (folder / "old").write_text("old")
        (folder / "mine").write_text("mine")
    was = content(tmp_path)
    for error in (RuntimeError("no"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")):
        with pytest.raises((RuntimeError, KeyboardInterrupt, HarnessError)), write_whole_folder(folder) as draft:
            (draft / "old").write_text("new")
            raise error
        assert content(tmp_path) == was
        assert folder.exists() == before
        assert not list(tmp_path.rglob(".*"))
    with write_whole_folder(folder) as draft:
        (draft / "old").write_text("new")
        assert content(tmp_path / "above" / "folder") == ({"mine": "mine", "old": "old"} if before else {})
    assert content(folder) == ({"mine": "mine"} if before else {}) | {"old": "new"}
    assert not list(tmp_path.rglob(".*"))


def test_a_link_to_a_folder_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with write_whole_folder(tmp_path / "link") as draft:
        (draft / "a").write_text("a")
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "real") == {"a": "a"}


def test_where_names_cannot_be_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "exchange_folders", lambda one, other: False)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").write_text("old")
    with write_whole_folder(tmp_path / "a") as draft:
        (draft / "new").write_text("new")
    assert content(tmp_path) == {"a/new": "new", "a/old": "old"}


def test_a_full_disk_promises_nothing_that_is_not_so(tmp_path: Path) -> None:
    told = r"no space left to write .*: free some and run the same command again$"
    with pytest.raises(DiskFullError, match=told), explain_disk_errors(tmp_path):
        raise OSError(errno.ENOSPC, "full")


def test_links_that_go_round_in_a_circle_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(HarnessError, match=r"cannot write to .*loop"), write_whole_folder(tmp_path / "loop" / "a"):
        pass
