"""Lookups: exact, deterministic, and missing where the source has nothing."""

import gzip
import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.core import files
from harness.core.errors import HarnessError
from harness.spaces.nasbench201.cell import list_official_cells, to_string
from harness.spaces.nasbench201.space import NASBench201
from harness.tables.catalog import list_table_folders, open_table
from harness.tables.formats.tidy import import_tidy
from harness.tables.measure import Column, Measure
from harness.tables.table import Table
from harness.tables.write import write_table

WIDE = {
    # column of the shared file: measure and trial, as the file's README defines them
    "cifar10_test_200": ("cifar10", "ori-test", 200, "mean"),
    "cifar100_test_200": ("cifar100", "x-test", 200, "mean"),
    "imagenet16_test_200": ("ImageNet16-120", "x-test", 200, "mean"),
    "cifar10valid_val_200": ("cifar10-valid", "x-valid", 200, "mean"),
    "cifar10valid_test_200": ("cifar10-valid", "ori-test", 200, "mean"),
    "cifar10valid_test_200_seed777": ("cifar10-valid", "ori-test", 200, "777"),
    "cifar100_val_200_v10": ("cifar100", "x-valid", 200, "mean"),
    "cifar10_val_12": ("cifar10-valid", "x-valid", 12, "111"),
}
TEST, VALIDATION = Measure("cifar10", "ori-test", 200), Measure("cifar10-valid", "x-valid", 200)
SPACE = NASBench201()
COLLAPSE = SPACE.parse(
    "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, nasbench201_rows: list[dict[str, str]]) -> Table:
    """The real NAS-Bench-201 accuracies through the tidy import."""
    folder = tmp_path_factory.mktemp("real")
    path = folder / "tidy.csv.gz"
    with gzip.open(path, "wt") as stream:
        stream.write("arch,dataset,split,epochs,trial,accuracy\n")
        for row in nasbench201_rows:
            for source, (dataset, split, epochs, trial) in WIDE.items():
                if row[source]:
                    stream.write(f"{row['arch_str']},{dataset},{split},{epochs},{trial},{row[source]}\n")
    return import_tidy(path, folder / "nasbench201.real", SPACE, about={"title": "t"}, test=TEST, validation=VALIDATION)


@pytest.mark.parametrize(
    ("measure", "index", "accuracy"),
    [
        (TEST, 6111, 94.3733),
        (Measure("cifar100", "x-test", 200), 9930, 73.5133),
        (Measure("ImageNet16-120", "x-test", 200), 857, 47.3111),
        (VALIDATION, 6111, 91.6067),
    ],
)
def test_published_optima(real: Table, measure: Measure, index: int, accuracy: float) -> None:
    best = real.optimum(measure)
    assert best.encoding == to_string(list_official_cells()[index])
    assert best.accuracy_pct == pytest.approx(accuracy, abs=5e-5)


def test_collapse_cell(real: Table) -> None:
    assert COLLAPSE.encoding == to_string(list_official_cells()[1835])
    found = [real.lookup(COLLAPSE, m) for m in (TEST, ("cifar100", "x-test", 200), ("ImageNet16-120", "x-test", 200))]
    assert found == pytest.approx([54.2967, 15.6067, 16.3222], abs=5e-5)
    assert real.lookup(COLLAPSE, VALIDATION) == pytest.approx(39.7693, abs=5e-5)
    assert real.percentile(COLLAPSE, TEST) < 5
    assert real.percentile(SPACE.parse(real.optimum(TEST).encoding), TEST) > 99.99


def test_every_value_comes_back(real: Table, nasbench201_rows: list[dict[str, str]]) -> None:
    architectures = list(SPACE.enumerate())
    rows = real.rows(architectures)
    for source, (dataset, split, epochs, trial) in WIDE.items():
        given = np.array([float(row[source]) if row[source] else np.nan for row in nasbench201_rows])
        stored = real.row_values(Measure(dataset, split, epochs), "mean" if trial == "mean" else int(trial))[rows]
        np.testing.assert_array_equal(stored, given)


def test_recorded_searches_look_up_exactly(real: Table, shared_data: Path) -> None:
    """24 real searches by another tool, 50 epochs each: the validation accuracy recorded with every architecture."""
    runs = sorted((shared_data / "naslib_runs").glob("*/errors_*.json.gz"))
    assert len(runs) == 24
    checked = 0
    for path in runs:
        with gzip.open(path, "rt") as stream:
            recorded = json.load(stream)["arch_eval"]
        assert len(recorded) == 50
        for entry in recorded:
            ours = real.lookup(SPACE.parse(entry["arch"]), VALIDATION)
            assert ours == round(entry["cifar10-valid"]["valid_accuracy"], 6)  # the table file has six decimals
            checked += 1
    assert checked == 1200


def test_missing_stays_missing(real: Table) -> None:
    known = Column("cifar100", "x-valid", 200, "mean")
    assert real.missing() == {known: 15_625 - 2_516}
    vector = real.row_values(known.measure)
    lacking = SPACE.parse(real.encoding(int(np.flatnonzero(np.isnan(vector))[0])))
    assert np.isnan(real.lookup(lacking, known.measure))
    assert np.isnan(real.percentile(lacking, known.measure))
    assert not np.isnan(real.random_median(known.measure))


def test_schedules_and_splits_are_never_mixed(real: Table) -> None:
    assert real.lookup(COLLAPSE, "cifar10-valid/x-valid@12") != real.lookup(COLLAPSE, VALIDATION)
    with pytest.raises(HarnessError, match=r"has no cifar10/x-valid@200: did you mean"):
        real.lookup(COLLAPSE, "cifar10/x-valid@200")
    with pytest.raises(HarnessError, match=r"has no cifar10/ori-test@12"):
        real.lookup(COLLAPSE, "cifar10/ori-test@12")
    with pytest.raises(
        HarnessError, match=r"has no trial 888 of cifar10-valid/ori-test@200: it has \['mean', 777\]|777"
    ):
        real.lookup(COLLAPSE, "cifar10-valid/ori-test@200", 888)
    with pytest.raises(HarnessError, match="has no training curve"):
        real.lookup(COLLAPSE, TEST, at=3)


def test_lookups_touch_no_random_state(real: Table) -> None:
    random.seed(0)
    np.random.seed(0)
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    for trial in ("mean", 777, "all"):
        real.lookup(COLLAPSE, "cifar10-valid/ori-test@200", trial)  # type: ignore[arg-type]
    real.all_values(COLLAPSE)
    assert before == (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[index, union-attr]


def tiny(folder: Path) -> Table:
    """Three architectures, two trials, one value missing, curves of four epochs."""
    keys = [to_string(c) for c in list_official_cells()[:3]]
    values = {1: np.array([10.0, 20.0, np.nan]), 2: np.array([30.0, 20.0, 50.0])}
    return write_table(
        folder,
        space="nasbench201",
        keys=keys,
        accuracy={Column("d", "test", 4, t): v for t, v in values.items()},
        curves={Column("d", "test", 4, t): v[:, None] * np.array([0.1, 0.4, 0.7, 1]) for t, v in values.items()},
        validation=None,
        test=Measure("d", "test", 4),
        about={},
    )


def test_trials_means_and_curves(tmp_path: Path) -> None:
    table = tiny(tmp_path / "tiny")
    a, b, c = (SPACE.parse(to_string(cell)) for cell in list_official_cells()[:3])
    measure = ("d", "test", 4)
    assert [table.lookup(x, measure) for x in (a, b, c)] == [20, 20, 50]
    assert table.lookup(a, measure, "all").tolist() == [10, 30]
    assert table.lookup(a, measure, 2) == 30
    assert np.isnan(table.lookup(c, measure, 1))
    assert table.lookup(a, measure, 2, at=2) == pytest.approx(12)
    assert table.lookup(a, measure, at=4) == pytest.approx(20)
    assert table.percentile(c, Measure(*measure)) == pytest.approx(100 * 2.5 / 3)
    assert table.percentile(a, Measure(*measure)) == pytest.approx(100 * 1 / 3)
    with pytest.raises(HarnessError, match=r"epoch 5 is not on the curve of d/test@4: choose 1\.\.4"):
        table.lookup(a, measure, at=5)
    with pytest.raises(HarnessError, match="table tiny does not hold"):
        table.row(COLLAPSE)


def test_a_table_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies as soon as it has removed anything leaves a table of that name."""
    before = tiny(tmp_path / "tiny").fingerprint
    real = shutil.rmtree

    def removed_and_killed(path: Path, **how: bool) -> None:
        real(path, **how)
        os._exit(9)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(shutil, "rmtree", removed_and_killed)
        tiny(tmp_path / "tiny")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert Table(tmp_path / "tiny").fingerprint == before
    assert [p.name for p in tmp_path.iterdir()] == ["tiny"]


def test_where_names_cannot_be_exchanged_the_older_table_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tiny(tmp_path / "tiny")
    monkeypatch.setattr(files, "exchange_folders", lambda one, other: False)
    tiny(tmp_path / "tiny")
    assert [p.name for p in tmp_path.iterdir()] == ["tiny"]
    with pytest.raises(FileNotFoundError):
        files.replace_folder(tmp_path / "absent", table.folder)
    assert Table(table.folder).fingerprint == table.fingerprint
    assert [p.name for p in tmp_path.iterdir()] == ["tiny"]


def test_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    first, second = tiny(tmp_path / "a"), tiny(tmp_path / "b")
    assert first.fingerprint == second.fingerprint
    other = write_table(
        tmp_path / "c",
        space="nasbench201",
        keys=[to_string(c) for c in list_official_cells()[:3]],
        accuracy={Column("d", "test", 4, 1): np.array([10.0, 20.0, 30.5])},
        validation=None,
        test=Measure("d", "test", 4),
        about={},
    )
    assert other.fingerprint != first.fingerprint


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "accuracy.npy").unlink(), r"accuracy\.npy is missing: add the table again"),
        (lambda f: (f / "accuracy.npy").write_bytes((f / "accuracy.npy").read_bytes()[:-8]), "damaged or truncated"),
        (lambda f: (f / "accuracy.npy").write_bytes(b""), "damaged or truncated"),
        (lambda f: (f / "keys.npy").write_bytes((f / "keys.npy").read_bytes()[:100]), "damaged or truncated"),
        (lambda f: (f / "table.json").write_text("{"), r"table\.json is damaged"),
        (lambda f: (f / "table.json").write_text("{}"), r"table\.json is damaged"),
        (lambda f: (f / "table.json").unlink(), "it is no table, or was not fully written"),
        (lambda f: shutil.copy(f / "curves-4.npy", f / "accuracy.npy"), "does not fit table"),
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, damage: object, message: str) -> None:
    tiny(tmp_path / "tiny")
    damage(tmp_path / "tiny")  # type: ignore[operator]
    with pytest.raises(HarnessError, match=message):
        Table(tmp_path / "tiny")


def test_unknown_table_and_named_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path))
    with pytest.raises(HarnessError, match=r"unknown table 'nasbench201\.digit': did you mean 'nasbench201\.digits'"):
        open_table("nasbench201.digit")
    tiny(tmp_path / "tables" / "tiny")
    assert "tiny" in list_table_folders()
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", "~nobodyatall/x")
    with pytest.raises(HarnessError, match="=~nobodyatall/x names the home of nobody here: write the folder out"):
        open_table("tiny")
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path))
    assert open_table("tiny").name == open_table(str(tmp_path / "tables" / "tiny")).name == "tiny"
