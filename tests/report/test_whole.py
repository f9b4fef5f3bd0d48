"""A publication is whole or what it was: nothing of it is written where any of it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.report import croissant
from harness.report import publish as publishing
from harness.report.publish import OWN, publish
from harness.results.importers.base import find_importer, import_logs
from harness.results.load import load_folder
from harness.results.policies.base import POLICIES
from harness.results.rederive import rederive
from harness.runs import archive
from harness.runs.execute import plan, run_all
from harness.runs.study import load_study
from harness.tables.catalog import open_table
from tests.conftest import ROOT


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def fail(*arguments: object, **options: object) -> None:
    raise HarnessError("there is no space left")


def test_publishing(small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = load_study(small_study, ['methods=["random-search"]', "epochs=1"])
    planned = plan(study, tmp_path / "out")
    assert [o.error for o in run_all(planned, "cpu", 1)] == [None, None]
    to = tmp_path / "published"
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "describe_folder", fail)
        with pytest.raises(HarnessError, match="no space left"):
            publish(study, planned, to)
        assert list(to.iterdir()) == []
    folder = publish(study, planned, to)
    page = folder / "README.md"
    page.write_text(f"{page.read_text()}{OWN}\nmine\n")
    (folder / "notes.txt").write_text("mine, too")
    before = content(folder)
    with monkeypatch.context() as patch:
        patch.setattr(croissant, "write", fail)
        with pytest.raises(HarnessError, match="no space left"):
            publish(study, planned, to)
    assert content(folder) == before
    assert publish(study, planned, to) == folder
    assert content(folder) == before
    assert [p.name for p in to.iterdir()] == ["small"]


def test_importing_and_deriving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("method,seed,epoch,arch\nm,0,1,5\nm,0,2,6\n")
    table, importer = open_table("nasbench201.digits"), find_importer(tmp_path / "a.csv")
    digits = load_folder(ROOT / "results" / "published" / "digits")
    policy = POLICIES.build("argmax", {})
    folder, _ = import_logs(importer, tmp_path / "a.csv", table, tmp_path / "to")
    derived, _ = rederive(digits, policy, tmp_path / "to")
    before = content(tmp_path / "to")
    (tmp_path / "a.csv").write_text("method,seed,epoch,arch\nm,0,1,7\n")
    with monkeypatch.context() as patch:
        patch.setattr(archive, "write_atomically", fail)
        with pytest.raises(HarnessError, match="no space left"):
            import_logs(importer, tmp_path / "a.csv", table, tmp_path / "to", replace_older=True)
        with pytest.raises(HarnessError, match="no space left"):
            rederive(digits, policy, tmp_path / "to")
    assert content(tmp_path / "to") == before
    import_logs(importer, tmp_path / "a.csv", table, tmp_path / "to", replace_older=True)
    assert len(load_folder(folder).epochs) == 1
    assert sorted(p.name for p in (tmp_path / "to").iterdir()) == ["a", derived.name]


@pytest.mark.parametrize("name", ["..csv", "...csv", ".csv"])
def test_a_file_whose_name_is_no_folder_s(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / name
    source.write_text("method,seed,epoch,arch\nm,0,1,5\n")
    before = content(tmp_path)
    table = open_table("nasbench201.digits")
    with pytest.raises(HarnessError, match="cannot name anything in"):
        import_logs(find_importer(source), source, table, tmp_path / "a" / "b", replace_older=True)
    assert content(tmp_path) == before
