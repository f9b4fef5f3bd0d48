"""The published arithmetic: every recorded quantity to 1e-9 in float64."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.testing.conformance import METHODS, TOLERANCE, Check, Skipped, conform, relative_error
from tests.conftest import RECORDS

REPLAYED = sorted(p for p in RECORDS.glob("*.npz") if p.stem.split("_", 1)[1].removeprefix("s1_").removeprefix(
    "s2_").removeprefix("s3_") in METHODS and "hessian" not in p.stem)  # fmt: skip


def test_every_space_and_method_is_there() -> None:
    assert len(REPLAYED) == 4 * 4 - 1 + 4  # second order for 1Shot1 only; MS-DARTS and PC-DARTS on s1 and s3


@pytest.mark.parametrize("path", REPLAYED, ids=lambda p: p.stem)
def test_record(path: Path) -> None:
    checks = list(conform([path]))
    assert {c.quantity for c in checks} >= {"forward logits", "training losses", "final alpha", "final weights"}
    assert [c for c in checks if not c.conforms] == []


def test_derivation() -> None:
    checks = list(conform([RECORDS / "nasbench1shot1_derivation.json"]))
    assert [c.quantity for c in checks] == [
        "adjacency of 600 cases",
        "operations of 600 cases",
        "module hash of 600 cases",
    ]
    assert all(c.error == 0 for c in checks)


def test_other_methods_are_named_as_skipped(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", meta=json.dumps({"method": "zarts"}))
    (skipped,) = conform([tmp_path / "x.npz"])
    assert skipped == Skipped("x", "method 'zarts' is not replayed by this version")


def test_hessians() -> None:
    for path in sorted(RECORDS.glob("*_hessian.npz")):
        checks = list(conform([path]))
        assert {c.quantity for c in checks} >= {"Hessian", "largest eigenvalue"}
        assert [c for c in checks if not c.conforms] == []


def test_early_stopping_of_real_traces(tmp_path: Path) -> None:
    path = RECORDS / "robustdarts_eigenvalues.json"
    assert list(conform([path])) == [Check("robustdarts_eigenvalues", "early stop of 67 traces", 0.0)]
    traces = json.loads(path.read_text())
    traces[0]["returned_epoch"] += 2
    (tmp_path / "changed.json").write_text(json.dumps(traces))
    (check,) = conform([tmp_path / "changed.json"])
    assert isinstance(check, Check)
    assert not check.conforms


@pytest.mark.parametrize("key", ["step2/loss", "final/alpha/0", "step1/perturbed/0", "forward/logits"])
def test_a_relative_difference_of_1e_8_is_found(tmp_path: Path, key: str) -> None:
    with np.load(RECORDS / "nasbench201_sdarts_rs.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays[key] = arrays[key] * (1 + 1e-8)
    np.savez(tmp_path / "changed.npz", **arrays)
    bad = [c for c in conform([tmp_path / "changed.npz"]) if isinstance(c, Check) and not c.conforms]
    assert bad
    assert all(TOLERANCE < c.error < 2e-8 for c in bad)


def test_another_noise_is_found(tmp_path: Path) -> None:
    with np.load(RECORDS / "nasbench1shot1_s1_sdarts_rs.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["step0/noise/1"] = -arrays["step0/noise/1"]
    np.savez(tmp_path / "changed.npz", **arrays)
    bad = {c.quantity for c in conform([tmp_path / "changed.npz"]) if not c.conforms}
    assert "perturbed mixing weights" in bad


def test_damaged_files_are_named(tmp_path: Path) -> None:
    half = tmp_path / "half.npz"
    half.write_bytes((RECORDS / "nasbench201_darts1.npz").read_bytes()[:100_000])
    with pytest.raises(HarnessError, match=r"half\.npz is not a readable conformance record"):
        list(conform([half]))
    with pytest.raises(HarnessError, match="no conformance record at"):
        list(conform([tmp_path / "absent.npz"]))
    with pytest.raises(HarnessError, match="holds no conformance record"):
        list(conform([tmp_path / "empty"])) if (tmp_path / "empty").mkdir() is None else None
    shutil.copy(RECORDS / "nasbench1shot1_derivation.json", tmp_path / "cut.json")
    (tmp_path / "cut.json").write_text((tmp_path / "cut.json").read_text()[:-10])
    with pytest.raises(HarnessError, match=r"cut\.json is not a readable"):
        list(conform([tmp_path / "cut.json"]))


def test_a_record_without_a_weight_is_damaged(tmp_path: Path) -> None:
    with np.load(RECORDS / "nasbench201_darts1.npz") as archive:
        arrays = {name: archive[name] for name in archive.files if name != "init/weights/classifier.bias"}
    np.savez(tmp_path / "less.npz", **arrays)
    with pytest.raises(HarnessError, match=r"classifier\.bias.*the record is damaged"):
        list(conform([tmp_path / "less.npz"]))


def test_wrong_derivation_is_counted(tmp_path: Path) -> None:
    content = json.loads((RECORDS / "nasbench1shot1_derivation.json").read_text())
    content["cases"][17]["module_hash"] = "0" * 32
    (tmp_path / "changed.json").write_text(json.dumps(content))
    assert [c.quantity for c in conform([tmp_path / "changed.json"]) if not c.conforms] == ["module hash of 600 cases"]


def test_relative_error() -> None:
    assert relative_error([1.0, 2.0], [1.0, 2.0]) == 0
    assert relative_error([1.0, 2.2], [1.0, 2.0]) == pytest.approx(0.1)
    assert relative_error([1.0], [1.0, 2.0]) == float("inf")
    assert relative_error([float("nan")], [1.0]) == float("inf")
    assert relative_error([1e-3], [0.0]) == 1e-3
