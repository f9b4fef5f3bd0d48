"""Folders of runs without their study: what is damaged is named, what was computed apart is joined or refused."""

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import harness
from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.core.files import hash_bytes
from harness.results.load import load_folder, open_runs
from harness.runs import merge as merging
from harness.runs.execute import plan, run_all
from harness.runs.manifest import seal_manifest
from harness.runs.merge import merge
from harness.runs.preregistration import Declared, declare, describe_standing, read_kept
from harness.runs.study import load_study
from harness.runs.verify import verify
from tests.conftest import ROOT, SMALL_STUDY


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study's file, and runs of it on three machines: a has seeds 0 and 1, b has 1 and 2, c has 3 and begun 4."""
    root = tmp_path_factory.mktemp("machines")
    (root / "small.toml").write_text(
        SMALL_STUDY.replace('["darts", "sdarts-rs", "sdarts-adv", "random-search"]', '["random-search"]')
    )
    for machine, seeds in (("a", "0..1"), ("b", "1..2"), ("c", "3")):
        study = load_study(root / "small.toml", seeds=seeds)
        declare(root / machine / "small", study.file.comparison, study.ids, begun=False)
        assert [o.error for o in run_all(plan(study, root / machine), "cpu", 1)] == [None] * len(study.runs)
    (begun,) = plan(load_study(root / "small.toml", seeds="4"), root / "c")
    begun.folder.open()
    return root


@pytest.fixture
def machines(computed: Path, tmp_path: Path) -> list[Path]:
    """A copy to damage."""
    shutil.copytree(computed, tmp_path, dirs_exist_ok=True)
    return [tmp_path / name / "small" for name in "abc"]


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(w) for w in words])


def runs_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*_seed?_????????????"))


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_folders_are_joined(machines: list[Path], tmp_path: Path) -> None:
    to = tmp_path / "d" / "small"
    done = call("merge", *machines, "--to", to, "--format", "json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert [(r["runs"], r["new"], r["doubled"], r["unfinished, left out"]) for r in told] == [
        (2, 2, 0, 0),
        (2, 1, 1, 0),
        (1, 1, 0, 1),
    ]
    assert f"{runs_of(machines[1])[0]} is in {machines[0]}, too, with the same rows" in done.stderr
    assert [p.name[:19] for p in runs_of(to)] == [f"random-search_seed{i}" for i in range(4)]
    for source in reversed(machines):  # the first folder's comes last and wins
        for run in runs_of(source):
            if run.parent == machines[0] or run.name not in {p.name for p in runs_of(machines[0])}:
                assert content(to / run.name) == content(run)
    assert harness.load(to).standing == "declared before the first run"
    planned = plan(load_study(tmp_path / "small.toml", seeds="0..4"), tmp_path / "d")
    assert [p.state for p in planned] == ["finished"] * 4 + ["not begun"]
    again = merge(machines, to)
    assert [len(s.new) for s in again] == [0, 0, 0] and [len(s.doubled) for s in again] == [2, 2, 1]
    assert sorted(p.name for p in to.iterdir() if p.name.startswith(".")) == [".leases"]


def test_one_run_with_other_rows_is_refused(machines: list[Path], tmp_path: Path) -> None:
    twin = runs_of(machines[1])[0]
    (twin / "epochs.parquet").write_bytes((runs_of(machines[0])[0] / "epochs.parquet").read_bytes())
    manifest = json.loads((twin / "manifest.json").read_text())
    manifest["files"]["epochs.parquet"] = hash_bytes((twin / "epochs.parquet").read_bytes())
    (twin / "manifest.json").write_text(json.dumps(seal_manifest(manifest)))
    done = call("merge", *machines, "--to", tmp_path / "d")
    assert done.exit_code == 2 and "are the same run with other rows: nothing was merged" in done.stderr
    assert str(twin) in done.stderr and "cpu (" in done.stderr
    assert not (tmp_path / "d").exists()


def test_contradictions_are_refused_before_anything_is_written(machines: list[Path], tmp_path: Path) -> None:
    a, b, c = machines
    to = tmp_path / "d"
    (b / "declared.json").write_text(Declared(endpoint="oracle").model_dump_json())
    with pytest.raises(HarnessError, match=f"{a} and {b} were declared to be compared differently"):
        merge([a, b], to)
    manifest = json.loads((runs_of(c)[0] / "manifest.json").read_text()) | {"record_format": 3}
    (runs_of(c)[0] / "manifest.json").write_text(json.dumps(seal_manifest(manifest)))
    with pytest.raises(HarnessError, match=r"runs of other record formats.*of format 2, .*of format 3"):
        merge([a, c], to)
    (runs_of(a)[1] / "lookups.parquet").write_bytes(b"x")
    with pytest.raises(HarnessError, match=r"seed1_.*lookups\.parquet is not what was written"):
        merge([a], to)
    assert not runs_of(to) and not (to / ".merging").exists()
    for folders, message in (
        ([a, a], "a folder is named twice"),
        ([tmp_path / "nowhere"], "nowhere holds no finished run: name the folder of a study's runs"),
        ([a.parent], "holds no finished run"),
    ):
        with pytest.raises(HarnessError, match=message):
            merge(folders, to)


def test_a_merge_that_is_stopped_leaves_no_half_run(
    machines: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to, real, calls = tmp_path / "d", shutil.copyfile, []

    def stop(source: Path, target: Path) -> object:
        calls.append(source)
        if len(calls) == 6:
            raise OSError(28, os.strerror(28))
        return real(source, target)

    monkeypatch.setattr(merging.shutil, "copyfile", stop)
    with pytest.raises(HarnessError, match="no space left to write"):
        merge(machines, to)
    assert not runs_of(to)
    (to / ".merging" / "rest").mkdir(parents=True)  # of a kill, after which nothing tidied up
    assert [len(s.new) for s in merge(machines, to)] == [2, 1, 1]
    assert len(runs_of(to)) == 4 and not (to / ".merging").exists()
    assert not verify([to]).damaged


def test_damage_is_found_in_every_file(machines: list[Path]) -> None:
    a, b, c = machines
    done = call("verify", a.parent, b, runs_of(c)[0], ROOT / "results" / "published" / "ten-seeds")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "5 as they were written, 1 of record format 1, which kept no sums\n"
    first, second = runs_of(a)
    raw = bytearray((first / "epochs.parquet").read_bytes())
    raw[len(raw) // 2] ^= 1
    (first / "epochs.parquet").write_bytes(raw)
    (first / "timing.parquet").unlink()
    (second / "manifest.json").write_text("{")
    shutil.copy(runs_of(b)[0] / "manifest.json", runs_of(b)[1] / "manifest.json")
    for name in ("epochs", "lookups", "timing"):
        shutil.copy(runs_of(b)[0] / f"{name}.parquet", runs_of(b)[1])
    done = call("verify", a, b, c, "--format", "json")
    assert done.exit_code == 1
    found = {
        (Path(r["run"]).parent.parent.name, Path(r["run"]).name[:19], r["file"]): r["damage"]
        for r in json.loads(done.stdout)
    }
    search = "random-search_seed"
    assert found["a", f"{search}0", "epochs.parquet"] == "is not what was written, its SHA-256 differs"
    assert found["a", f"{search}0", "timing.parquet"] == "cannot be read (No such file or directory)"
    assert found["a", f"{search}1", "manifest.json"].startswith("cannot be read (Expecting property name")
    assert found["b", f"{search}2", "manifest.json"].startswith("is that of another run, ")
    assert len(found) == 4
    assert done.stderr == "2 as they were written, 1 not finished, 3 damaged\n"
    done = call("verify", a.parent.parent / "nowhere")
    assert done.exit_code == 2 and "there is no folder of runs at" in done.stderr


def test_a_run_without_its_manifest_is_not_left_out_quietly(machines: list[Path]) -> None:
    (runs_of(machines[0])[0] / "manifest.json").unlink()
    with pytest.raises(HarnessError, match=r"manifest\.json cannot be read \(No such file or directory\): harness run"):
        load_folder(machines[0])


def test_verbs_read_a_plain_folder_of_runs(machines: list[Path], tmp_path: Path) -> None:
    found = open_runs(machines[2], ["figures.width=3.25"], None, tmp_path)
    assert (len(found), found.missing, found.figures.width) == (1, 1, 3.25)
    assert found.standing == "declared before the first run"
    found = open_runs(machines[0], ['comparison.endpoint="oracle"'], "1", tmp_path)
    assert found.epochs["seed"].unique().tolist() == [1]
    assert found.standing == "exploratory: settings were changed when this was read"
    done = call("export", machines[0], "--format", "csv", "--to", tmp_path / "rows.csv")
    assert done.exit_code == 0, done.stderr
    shutil.copytree(runs_of(machines[0])[0], machines[0] / "random-search_seed0_0123456789ab")
    with pytest.raises(HarnessError, match="holds 2 runs of 'random-search' with seed 0, of different configurations"):
        load_folder(machines[0])


def test_a_study_of_many_runs_is_not_opened_for_its_status(
    machines: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.cli.study.MANY", 1)
    (runs_of(machines[0])[0] / "manifest.json").unlink()
    done = call("status", tmp_path / "small.toml", "--seeds", "0..2", "--out", tmp_path / "a")
    assert done.exit_code == 0, done.stderr
    assert "random-search" in done.stdout and "not begun" in done.stdout
    assert done.stderr == "note: 2 finished runs were not opened: harness verify, harness compare\n"


@pytest.mark.parametrize("content", ["[" * 100_000, "[1]", "{", '{"runs": 5, "comparison": {}}'])
def test_what_was_declared_and_cannot_be_read_is_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / "declared.json").write_text(content)
    assert read_kept(tmp_path) is None
    assert describe_standing(tmp_path, Declared(), {}) == "exploratory: nothing was declared before the first run"
