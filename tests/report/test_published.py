"""What is committed under results/ and notebooks/ is what the code gives."""

import json
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

from harness.core.errors import HarnessError
from harness.plots.trajectory import Trajectory
from harness.results.load import load_folder
from harness.results.runs import Runs
from harness.runs.study import RECORD_FORMAT, StudyFile, load_study
from harness.tables.catalog import open_table
from harness.tables.training.on_demand import TrainedTable
from tests.conftest import ROOT, often

PUBLISHED = ROOT / "results" / "published" / "digits"


FOLDERS = sorted(p.parent for p in PUBLISHED.parent.glob("*/manifest.json"))


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda p: p.name)
def results(request: pytest.FixtureRequest) -> Runs:
    return load_folder(request.param)


def test_lookups_are_the_tables(results: Runs) -> None:
    """Every published lookup comes out of the embedded table again. What a study trained is in no table: there,
    the cell of each run's last epoch has its values, and runs that derived one cell share them."""
    assert results.table is not None
    if isinstance(results.table, TrainedTable):
        last = results.epochs.loc[results.epochs.groupby(["method", "seed"])["epoch"].idxmax()]
        judged = results.lookups.merge(last[["method", "seed", "epoch", "key"]])
        assert len(judged) == len(results.lookups) == len(last) * len(results.table.columns)
        keys = ["key", "dataset", "split", "table_epochs", "trial"]
        assert (judged.groupby(keys)[results.table.scale.column].nunique() == 1).all()
        return
    space = results.table.space
    expected = {a: dict(results.table.all_values(space.parse(a))) for a in results.epochs["architecture"].unique()}
    merged = results.lookups.merge(results.epochs[["method", "seed", "epoch", "architecture"]])
    judged = results.epochs
    if judged_last(results):
        judged = judged.loc[judged.groupby(["method", "seed"])["epoch"].idxmax()]
    assert len(merged) == len(results.lookups) == len(judged) * len(results.table.columns)
    for row in merged.itertuples():
        found = {(c.dataset, c.split, c.epochs, str(c.trial)): v for c, v in expected[row.architecture].items()}
        value = found[row.dataset, row.split, row.table_epochs, row.trial]
        assert np.array_equal(value, row.accuracy_pct, equal_nan=True)  # what is missing is missing


def judged_last(results: Runs) -> bool:
    """Whether the table was asked after the last epoch alone."""
    asked = results.lookups.groupby(["method", "seed"])["epoch"].nunique()
    return bool((asked == 1).all())


def test_derived_architectures_follow_from_the_logits(results: Runs) -> None:
    assert results.table is not None
    rows = results.epochs[results.epochs["method"] != "random-search"]
    shapes = results.table.space.alpha_shapes
    ends = np.cumsum([a * b for a, b in shapes])[:-1]
    for alphas, text in zip(rows["alphas"], rows["architecture"], strict=True):
        parts = [p.reshape(s) for p, s in zip(np.split(alphas, ends), shapes, strict=True)]
        assert results.table.space.derive(parts).encoding == text


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_study_is_the_one_in_benchmarks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (path,) = (ROOT / "benchmarks").rglob(f"{folder.name}.toml")
    study = load_study(path)
    assert StudyFile.model_validate(manifest["study"]) == study.file
    (form,) = {run["configuration"]["format"] for run in manifest["runs"]}
    if form == RECORD_FORMAT:
        table = manifest["table"]
        if (
            "trained" not in table and table["fingerprint"] != open_table(table["name"]).fingerprint
        ):  # an earlier version
            study = load_study(path, [f"table={table['name']}@{table['fingerprint']}"])
        # a checkout holds no image files: the sum of one is what the manifest says
        (images,) = {run["configuration"]["dataset"].get("sha256", "") for run in manifest["runs"]}
        monkeypatch.setattr("harness.datasets.npz.digest_once", lambda *_: images)
        assert [run["id"] for run in manifest["runs"]] == [run.id for run in study.runs]
    else:
        assert f"record format {form}" in (folder / "README.md").read_text()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_figure_rows_are_the_published_ones(folder: Path) -> None:
    content = Trajectory().data(load_folder(folder))
    pd.testing.assert_frame_equal(content.rows, pd.read_csv(folder / "trajectory.csv"), check_dtype=False)
    seeds = pd.read_csv(folder / "trajectory-seeds.csv")
    keys = ["method", "seed", "epoch"]
    drawn = content.more["seeds"].sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(drawn, seeds.sort_values(keys, ignore_index=True), check_dtype=False)


def test_results_of_another_table_are_refused(tmp_path: Path) -> None:
    for path in PUBLISHED.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["table"]["fingerprint"] = "0"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(HarnessError, match="were looked up in another version of table"):
        load_folder(tmp_path)
    (tmp_path / "epochs.parquet").write_bytes(b"half")
    with pytest.raises(HarnessError, match=r"epochs\.parquet is not what was written, its SHA-256 differs"):
        load_folder(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"files": {}}))
    with pytest.raises(HarnessError, match=r"epochs\.parquet cannot be read .*: publish or import it again"):
        load_folder(tmp_path)


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", often(NOTEBOOKS, NOTEBOOKS[:2].__contains__), ids=lambda p: p.stem)
def test_notebook_runs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    assert any("image/png" in o.get("data", {}) for o in outputs)
