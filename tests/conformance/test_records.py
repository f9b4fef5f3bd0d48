"""The published arithmetic: every recorded quantity to 1e-9 in float64."""

import json
import shutil
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.testing.conformance import TOLERANCE, QuantityCheck, Skipped, compute_relative_error, conform
from tests.conftest import RECORDS

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "conformance"
"""More records than the repository keeps, where they lie beside it."""
PATHS = {p.name: p for folder in (SHARED, RECORDS) if folder.is_dir() for p in folder.iterdir()}
ELSEWHERE = "darts_s[1-5]_*.npz"
"""Replayed by both networks in tests/spaces/darts, but for DARTS-."""
REPLAYED = sorted(
    name
    for name, path in PATHS.items()
    if path.suffix in {".npz", ".json"} and (not fnmatch(name, ELSEWHERE) or "dartsminus" in name)
)
LAST = {"forward/logits": "forward logits", "final/weights": "final weights", "hessian/max_eig": "largest eigenvalue"}
"""What is compared at the least, by the beginning of a key that the record has."""


@pytest.mark.parametrize("name", REPLAYED)
def test_record(name: str) -> None:
    checks = list(conform([PATHS[name]]))
    assert checks
    assert [c for c in checks if isinstance(c, Skipped) or not c.conforms] == []
    if name.endswith(".npz"):
        with np.load(PATHS[name]) as archive:
            keys = archive.files
        expected = {told for start, told in LAST.items() if any(key.startswith(start) for key in keys)}
        assert {c.quantity for c in checks if isinstance(c, QuantityCheck)} >= expected


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


def test_early_stopping_of_real_traces(tmp_path: Path) -> None:
    path = RECORDS / "robustdarts_eigenvalues.json"
    assert list(conform([path])) == [QuantityCheck("robustdarts_eigenvalues", "early stop of 67 traces", 0.0)]
    traces = json.loads(path.read_text())
    traces[0]["returned_epoch"] += 2
    (tmp_path / "changed.json").write_text(json.dumps(traces))
    (check,) = conform([tmp_path / "changed.json"])
    assert isinstance(check, QuantityCheck)
    assert not check.conforms


@pytest.mark.parametrize("key", ["step2/loss", "final/alpha/0", "step1/perturbed/0", "forward/logits"])
def test_a_relative_difference_of_1e_8_is_found(tmp_path: Path, key: str) -> None:
    with np.load(RECORDS / "nasbench201_sdarts_rs.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays[key] = arrays[key] * (1 + 1e-8)
    np.savez(tmp_path / "changed.npz", **arrays)
    bad = [c for c in conform([tmp_path / "changed.npz"]) if isinstance(c, QuantityCheck) and not c.conforms]
    assert bad
    assert all(TOLERANCE < c.error < 2e-8 for c in bad)


def test_another_noise_is_found(tmp_path: Path) -> None:
    with np.load(RECORDS / "nasbench1shot1_s1_sdarts_rs.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["step0/noise/1"] = -arrays["step0/noise/1"]
    np.savez(tmp_path / "changed.npz", **arrays)
    bad = {c.quantity for c in conform([tmp_path / "changed.npz"]) if isinstance(c, QuantityCheck) and not c.conforms}
    assert "perturbed mixing weights" in bad


def test_damaged_files_are_named_and_end_nothing(tmp_path: Path) -> None:
    """Between two that are good: half a file, a file without a weight, text that ends early."""
    shutil.copy(RECORDS / "nasbench201_darts1.npz", tmp_path / "a.npz")
    (tmp_path / "half.npz").write_bytes((RECORDS / "nasbench201_darts1.npz").read_bytes()[:100_000])
    with np.load(RECORDS / "nasbench201_darts1.npz") as archive:
        arrays = {name: archive[name] for name in archive.files if name != "init/weights/classifier.bias"}
    np.savez(tmp_path / "less.npz", **arrays)
    (tmp_path / "text.json").write_text((RECORDS / "nasbench1shot1_derivation.json").read_text()[:-10])
    shutil.copy(RECORDS / "robustdarts_eigenvalues.json", tmp_path / "z.json")
    found = list(conform([tmp_path]))
    reasons = {c.record: c.reason for c in found if isinstance(c, Skipped) and c.damaged}
    assert set(reasons) == {"half", "less", "text"}
    assert "half.npz is not a readable conformance record" in reasons["half"]
    assert "classifier.bias" in reasons["less"]
    assert "the record is damaged" in reasons["less"]
    assert "text.json is not a readable" in reasons["text"]
    assert {c.record for c in found if isinstance(c, QuantityCheck)} == {"a", "z"}


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "[1]", '"x"', '{"runs": [{}]}', '{"runs": {"a": 1}}', '{"cases": [{"op_threshold": 1}]}'],
)
def test_content_of_no_kind_is_named_and_ends_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    shutil.copy(RECORDS / "robustdarts_eigenvalues.json", tmp_path / "z.json")
    first, *rest = conform([tmp_path])
    assert isinstance(first, Skipped)
    assert first.record == "a"
    assert [c.record for c in rest if isinstance(c, QuantityCheck)] == ["z"]


def test_places_without_records_are_errors(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no conformance record at"):
        list(conform([tmp_path / "absent.npz"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(HarnessError, match="holds no conformance record"):
        list(conform([tmp_path / "empty"]))


def test_wrong_derivation_is_counted(tmp_path: Path) -> None:
    content = json.loads((RECORDS / "nasbench1shot1_derivation.json").read_text())
    content["cases"][17]["module_hash"] = "0" * 32
    (tmp_path / "changed.json").write_text(json.dumps(content))
    wrong = [
        c.quantity for c in conform([tmp_path / "changed.json"]) if isinstance(c, QuantityCheck) and not c.conforms
    ]
    assert wrong == ["module hash of 600 cases"]


def test_relative_error() -> None:
    assert compute_relative_error([1.0, 2.0], [1.0, 2.0]) == 0
    assert compute_relative_error([1.0, 2.2], [1.0, 2.0]) == pytest.approx(0.1)
    assert compute_relative_error([1.0], [1.0, 2.0]) == float("inf")
    assert compute_relative_error([float("nan")], [1.0]) == float("inf")
    assert compute_relative_error([1e-3], [0.0]) == 1e-3
