"""The index of a study's many runs: the rows are those of the runs, whatever happens to it or to them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.results import index
from harness.results.frames import select_measure, stack_tables
from harness.results.index import CONTENTS, FOLDER, Index
from harness.results.load import read_planned
from harness.runs.execute import Planned, plan, run_all
from harness.runs.manifest import MANIFEST, DamagedError, seal_manifest
from harness.runs.schema import TABLES
from harness.runs.store import RunFolder
from harness.runs.study import Study, load_study
from tests.support.results import read_finished

HERE = "small"
ORDER = "seeds=[0,1,2]"


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six runs of a study with a table, and of one without."""
    from tests.conftest import SMALL_STUDY

    folder = tmp_path_factory.mktemp("computed")
    (folder / "small.toml").write_text(SMALL_STUDY)
    for table in ("nasbench201.digits", "none"):
        assert {o.error for o in run_all(planned_of(folder, table), "cpu", 1)} == {None}
    return folder


def study_of(folder: Path, table: str) -> Study:
    settings = ['methods=["darts", "sdarts-rs"]', "epochs=1", ORDER, f'table="{table}"']
    return load_study(folder / "small.toml", settings)


def planned_of(folder: Path, table: str = "nasbench201.digits") -> list[Planned]:
    return plan(study_of(folder, table), folder / table)


@pytest.fixture
def study(computed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, of which so few are many, and so few rows."""
    monkeypatch.setattr(index, "FEWEST", 3)
    monkeypatch.setattr(index, "GROUP", 5)
    return Path(shutil.copytree(computed, tmp_path / "study"))


def rows_of(planned: list[Planned]) -> dict[str, pd.DataFrame]:
    found = read_finished(planned, None)
    return {name: getattr(found, name) for name in TABLES}


def same(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(one[name], other[name])


def read_runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs whose files are read from now on."""
    found: list[str] = []
    rows = RunFolder.rows

    def told(self: RunFolder, manifest: dict[str, object]) -> object:
        found.append(self.final.name)
        return rows(self, manifest)

    monkeypatch.setattr(RunFolder, "rows", told)
    return found


@pytest.mark.parametrize("table", ["nasbench201.digits", "none"])
def test_rows_of_the_index_are_those_of_the_runs(study: Path, monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    """In any order, of some of them, and with the types that they have."""
    planned = planned_of(study, table)
    monkeypatch.setattr(index, "FEWEST", 100)
    plain = {n: rows_of(chosen) for n, chosen in enumerate((planned, planned[::-1], planned[1:4]))}
    monkeypatch.setattr(index, "FEWEST", 3)
    same(rows_of(planned), plain[0])  # which writes it
    opened = read_runs(monkeypatch)
    for n, chosen in enumerate((planned, planned[::-1], planned[1:4])):
        same(rows_of(chosen), plain[n])
    assert opened == []


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("table", ["nasbench201.digits", "none"])
def test_the_part_for_endpoints_gives_the_same(
    study: Path, monkeypatch: pytest.MonkeyPatch, table: str, indexed: bool
) -> None:
    loaded, planned = study_of(study, table), planned_of(study, table)
    if not indexed:
        monkeypatch.setattr(index, "FEWEST", 100)
    for chosen in (planned, planned[::-1], planned[1:4]):
        whole, part = (read_planned(loaded, chosen, endpoints_only=only) for only in (False, True))
        plain, found = whole.endpoints(), part.endpoints()
        pd.testing.assert_frame_equal(found.runs, plain.runs)
        assert found.noise == plain.noise or (np.isnan(found.noise) and np.isnan(plain.noise))
        assert "alphas" in whole.epochs
        assert ("alphas" in part.epochs) == (loaded.table is None)
        if loaded.table is not None:
            assert len(part.lookups) == len(select_measure(whole.lookups, loaded.table.test)) < len(whole.lookups)


def test_few_runs_have_none(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = planned_of(study)
    rows_of(planned[:2])
    assert Index.of(planned[0].folder.final.parent) is None


def test_a_changed_run_is_read(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no longer what was written is told, of its old size and time, too; so is a manifest."""
    planned = planned_of(study)
    rows_of(planned)
    path = planned[2].folder.final / "epochs.parquet"
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DamagedError, match=r"epochs\.parquet is not what was written"):
        rows_of(planned)
    manifest = planned[1].folder.final / MANIFEST
    manifest.write_text(manifest.read_text().replace('"epochs": 1', '"epochs": 2'))
    with pytest.raises(DamagedError, match=r"manifest\.json is not what was written"):
        rows_of(planned)


def test_a_run_with_another_seal_and_a_new_one_are_read(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = planned_of(study)
    away = study / "away"
    planned[4].folder.final.rename(away)
    rows_of(planned)
    away.rename(planned[4].folder.final)
    manifest = planned[1].folder.final / MANIFEST
    manifest.write_text(json.dumps(seal_manifest(json.loads(manifest.read_text()) | {"note": "sealed again"})))
    opened = read_runs(monkeypatch)
    rows_of(planned)
    assert sorted(opened) == sorted(planned[n].folder.final.name for n in (1, 4))
    del opened[:]
    rows_of(planned)
    assert opened == []


@pytest.mark.parametrize("damage", ["a byte", "cut", "no table", "edited", "another version", "not json"])
def test_an_index_in_doubt_is_made_anew(study: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    planned = planned_of(study)
    plain = rows_of(planned)
    folder = planned[0].folder.final.parent / FOLDER
    table, contents = folder / "epochs.parquet", folder / CONTENTS
    told = json.loads(contents.read_text())
    if damage == "a byte":
        content = bytearray(table.read_bytes())
        content[len(content) // 2] ^= 1
        table.write_bytes(bytes(content))
    elif damage == "cut":
        table.write_bytes(table.read_bytes()[:-9])
    elif damage == "no table":
        table.unlink()
    elif damage == "edited":
        contents.write_text(json.dumps(told | {"runs": {}}))
    elif damage == "another version":
        contents.write_text(json.dumps(seal_manifest(told | {"harness": "0"})))
    else:
        contents.write_text("{")
    opened = read_runs(monkeypatch)
    same(rows_of(planned), plain)
    assert len(opened) == len(planned)
    del opened[:]
    same(rows_of(planned), plain)
    assert opened == []


def test_where_it_cannot_be_written_there_is_none(study: Path) -> None:
    planned = planned_of(study)
    folder = planned[0].folder.final.parent / FOLDER
    folder.write_text("in its place")
    assert len(rows_of(planned)["epochs"]) == 12
    assert folder.read_text() == "in its place"


def test_a_run_by_another_name_or_number_is_read(study: Path) -> None:
    """As of a study that labels its method otherwise, or counts its runs by a design."""
    reads = [index.Read(p.folder, p.folder.manifest(), p.run.method_name, p.run.seed) for p in planned_of(study)]
    stack_tables(reads)
    other = [run._replace(method=f"my {run.method}", seed=run.seed + 7) for run in reads]
    found = stack_tables(other)
    for name in TABLES:
        assert set(found[name]["method"]) == {run.method for run in other}
        assert set(found[name]["seed"]) == {run.seed for run in other}
