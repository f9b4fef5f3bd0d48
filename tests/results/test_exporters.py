"""Runs runs in the formats of others, read again with the tools that own them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.results.exporters.base import EXPORTERS, tabulate_epochs
from harness.results.exporters.tensorboard import make_folder_name, read_events, read_method
from harness.results.importers.base import IMPORTERS, import_logs
from harness.results.load import load_folder
from harness.results.runs import Runs
from harness.tables.catalog import open_table
from tests.conftest import ROOT

PUBLISHED = ROOT / "results" / "published" / "digits"
RUNS = 12


@pytest.fixture(scope="module")
def results() -> Runs:
    return load_folder(PUBLISHED)


def export(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["export", str(PUBLISHED), *map(str, arguments)])
    return result.exit_code, result.stdout if result.exit_code == 0 else result.output


def test_one_tidy_frame(results: Runs) -> None:
    frame = tabulate_epochs(results)
    assert list(frame.columns[:6]) == ["method", "seed", "epoch", "arch", "seconds", "error_pct"]
    assert len(frame) == len(results.epochs)
    assert results.table is not None
    test = str(results.table.test)
    assert np.allclose(100 - frame["error_pct"], frame[test])
    assert not frame.duplicated(["method", "seed", "epoch"]).any()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_one_file_holds_every_row(results: Runs, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"runs.{kind}"
    code, text = export("--format", kind, "--to", path)
    assert (code, text.strip()) == (0, str(path))
    read = pd.read_csv(path) if kind == "csv" else pd.read_parquet(path)
    expected = tabulate_epochs(results)
    assert read["error_pct"].tolist() == expected["error_pct"].tolist()
    assert read["arch"].tolist() == expected["arch"].tolist()


@pytest.mark.parametrize("kind", ["csv", "tensorboard"])
def test_what_is_exported_can_be_imported_again(results: Runs, tmp_path: Path, kind: str) -> None:
    if kind == "tensorboard":
        pytest.importorskip("tensorboard")
    place = tmp_path / f"digits.{kind}"
    assert export("--format", kind, "--to", place)[0] == 0
    folder, _ = import_logs(IMPORTERS.find(kind)(), place, open_table("nasbench201.digits"), tmp_path / "again")
    keys = ["method", "seed", "epoch"]
    again = load_folder(folder).rows().sort_values(keys)
    before = results.rows().sort_values(keys)
    for column in (*keys, "architecture", "error_pct"):
        assert again[column].tolist() == before[column].tolist()
    assert np.allclose(again["seconds"], before["seconds"], rtol=1e-6)  # event files hold float32
    assert np.allclose(again["train_loss"], before["train_loss"], rtol=1e-6, equal_nan=True)


def test_event_files_are_resumed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    assert export("--format", "tensorboard", "--to", tmp_path)[0] == 0
    files = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("events.*")}
    assert len(files) == RUNS
    lost = sorted(files)[3]
    whole = lost.read_bytes()
    lost.write_bytes(whole[: len(whole) // 2 + 5])  # as if it had been killed within an epoch
    lost.with_name("harness-run.txt").rename(lost.with_name("harness-run.txt.tmp"))
    assert export("--format", "tensorboard", "--to", tmp_path)[0] == 0
    again = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("events.*")}
    (rest,) = set(again) - set(files)
    assert rest.parent == lost.parent
    assert len(files.items() & again.items()) == RUNS - 1
    steps = [step for step, _ in read_events(lost.parent)]
    assert steps == sorted(set(steps))
    assert len(steps) == sum(tabulate_epochs(load_folder(PUBLISHED)).groupby(["method", "seed"]).size().iloc[:1])
    (tmp_path / "darts" / "seed0" / "harness-run.txt").unlink()
    code, text = export("--format", "tensorboard", "--to", tmp_path)
    assert (code, "holds files of something else" in text) == (2, True)


def test_mlflow_reads_its_runs(results: Runs, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    for _ in range(2):  # the second export finds everything there
        assert export("--format", "mlflow", "--to", tmp_path / "runs")[0] == 0
    client = MlflowClient(tracking_uri=(tmp_path / "runs").as_uri())
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == RUNS
    (run,) = [r for r in runs if r.data.tags["method"] == "darts" and r.data.tags["seed"] == "1"]
    history = client.get_metric_history(run.info.run_id, "error_pct")
    rows = tabulate_epochs(results)
    expected = rows[(rows["method"] == "darts") & (rows["seed"] == 1)].sort_values("epoch")
    assert [m.value for m in sorted(history, key=lambda m: m.step)] == expected["error_pct"].tolist()
    assert run.data.tags["arch"] == expected["arch"].iloc[-1]
    client.set_tag(run.info.run_id, "harness.run", "another")
    assert export("--format", "mlflow", "--to", tmp_path / "runs")[0] == 0
    assert len(client.search_runs([experiment.experiment_id])) == RUNS + 1


def test_an_address_stays_as_it_was_typed(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    database = tmp_path / "runs.db"
    code, text = export("--format", "mlflow", "--to", f"sqlite:///{database}")
    assert (code, text.split()[-1]) == (0, f"sqlite:///{database}")
    assert database.stat().st_size > 0


def test_a_server_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    code, text = export("--format", "mlflow", "--to", "http://127.0.0.1:9")
    assert (code, "MLflow cannot write to http://127.0.0.1:9" in text) == (2, True)


def test_weights_and_biases_offline(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    study = tmp_path / "two"
    study.mkdir()
    results = load_folder(PUBLISHED).select_seeds([0])
    frames = {name: getattr(results, name) for name in ("epochs", "lookups", "timing")}
    for name, frame in frames.items():
        frame[frame["method"].isin(["darts", "sdarts-rs"])].to_parquet(study / f"{name}.parquet")
    manifest = json.loads((PUBLISHED / "manifest.json").read_text()) | {"runs": [], "files": {}}
    (study / "manifest.json").write_text(json.dumps(manifest))
    for _ in range(2):
        result = CliRunner().invoke(main, ["export", str(study), "--format", "wandb", "--to", str(tmp_path / "out")])
        assert result.exit_code == 0, result.output
    folders = [p for p in (tmp_path / "out" / "wandb").glob("offline-run-*") if p.is_dir()]
    assert len(folders) == 2
    assert all(next(iter(p.glob("run-*.wandb"))).stat().st_size > 1_000 for p in folders)


def test_unknown_formats_are_named(tmp_path: Path) -> None:
    code, text = export("--format", "tensorbord")
    assert (code, "did you mean 'tensorboard'" in text) == (2, True)
    assert set(EXPORTERS.classes) == {"csv", "parquet", "tensorboard", "mlflow", "wandb"}


@pytest.mark.parametrize("method", ["a/b", "a-b", "a%2Fb", "..", ".", ".5", "a\\b", "50%", "雪" * 120])
def test_every_method_has_a_folder_of_its_own(method: str, tmp_path: Path) -> None:
    folder = tmp_path / make_folder_name(method) / "seed0"
    assert folder.parent.parent == tmp_path
    assert folder.parent.name not in ("..", ".")
    folder.mkdir(parents=True)
    (folder / "harness-run.txt").touch()
    assert read_method(folder) == method or len(method.encode()) > 255
    (folder / "harness-run.txt").unlink()
    assert read_method(folder) == folder.parent.name  # as others call it


def test_names_of_folders_are_all_different() -> None:
    methods = ["a/b", "a-b", "a%2Fb", "..", ".", "%2E.", "a\\b", "a%5Cb", "雪" * 120, "雪" * 119 + "b"]
    assert len({make_folder_name(method) for method in methods}) == len(methods)
