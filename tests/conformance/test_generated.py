"""Records of settings that no published run has: made of our own searches, replayed as if they were others'.

What they hold is not independent; that a setting of a record is read, and not taken for the usual one, they show.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.testing.conformance import QuantityCheck, conform
from harness.testing.conformance.records import Record
from harness.testing.conformance.searches import find_recorded, split_name
from tests.conftest import ROOT

RECORDS = ROOT / "tests" / "conformance" / "records"


def changed(name: str, to: Path, meta: dict[str, object], **arrays: object) -> Path:
    """A record with other settings, or other arrays; its results are left as they are."""
    with np.load(RECORDS / f"{name}.npz") as file:
        content = {key: file[key] for key in file.files}
    told = json.loads(str(content["meta"])) | meta
    np.savez(to / f"{name}.npz", **(content | {"meta": json.dumps(told)} | arrays))
    return to / f"{name}.npz"


def errors(path: Path) -> dict[str, float]:
    return {c.quantity: c.error for c in conform([path]) if isinstance(c, QuantityCheck)}


def test_lambda_darts_distance_is_read(tmp_path: Path) -> None:
    """Its term is a finite difference: another step gives other weights."""
    usual = errors(changed("nasbench201_lambda_darts", tmp_path, {}))
    other = errors(changed("nasbench201_lambda_darts", tmp_path, {"epsilon_0": 1e-3}))
    assert max(usual.values()) < 1e-9
    assert other["final weights"] > 1e-9


@pytest.mark.parametrize("beta", [0.8, 0.3])
def test_a_pass_has_the_factor_that_its_record_says(tmp_path: Path, beta: float) -> None:
    usual = errors(changed("nasbench201_dartsminus_a2m", tmp_path, {}))
    other = errors(changed("nasbench201_dartsminus_a2m", tmp_path, {}, **{"forward/beta": np.array(beta)}))
    assert usual["forward logits"] < 1e-9 < other["forward logits"]


def test_any_combination_of_known_methods_is_replayed_by_its_name() -> None:
    known = {"pcdarts": None, "sdarts_rs": None, "sdarts_adv": None, "sdarts": None, "darts2": None}
    assert split_name(["pcdarts", "sdarts", "rs"], known) == ["pcdarts", "sdarts_rs"]  # type: ignore[arg-type]
    assert split_name(["sdarts", "adv", "darts2"], known) == ["sdarts_adv", "darts2"]  # type: ignore[arg-type]
    assert split_name(["pcdarts", "other"], known) == []  # type: ignore[arg-type]
    content = {"meta": {"method": "pcdarts_sdarts_rs", "partial_channels": 4, "eps": 0.2}}
    own = find_recorded(Record("x", content["meta"], {}, content))
    assert own is not None
    assert own.method == "pc-darts + sdarts-rs"
    assert own.fields(content["meta"])["partial-channels"] == {"k": 4}
    assert own.fields(content["meta"])["random-smoothing"]["epsilon"] == 0.2


def test_decisions_of_a_cell_of_three_nodes(tmp_path: Path) -> None:
    """The first nine rows of recorded logits: every quantity is compared, none is refused. Before anything is decided
    the scores are those of nine rows, by their definition."""
    content = json.loads((RECORDS / "decision_sgas.json").read_text())
    run = content["runs"][0]
    run["alpha"] = {kind: [row[:9] for row in rows] for kind, rows in run["alpha"].items()}
    for row in run["rows"]:
        for kind in ("normal", "reduce"):
            alpha = np.array(run["alpha"][kind][row["epoch"]])
            mix = np.exp(alpha) / np.exp(alpha).sum(axis=1, keepdims=True)
            importance, others = mix[:, 1:].sum(axis=1), mix[:, 1:] / mix[:, 1:].sum(axis=1, keepdims=True)
            certainty = 1 + (others * np.log(others)).sum(axis=1) / np.log(7)
            scaled = [(v - v.min()) / (v.max() - v.min()) for v in (importance, certainty)]
            row[kind] = {"score": (scaled[0] * scaled[1]).tolist(), "selected": [-1] * 9, "candidates": [True] * 9}
    run["rows"] = [row for row in run["rows"] if row["epoch"] < run["warmup_dec_epoch"]]
    run["alpha"] = {kind: rows[: len(run["rows"])] for kind, rows in run["alpha"].items()}
    content["runs"] = [run]
    path = tmp_path / "decision_sgas.json"
    path.write_text(json.dumps(content))
    found = {c.quantity: c.error for c in conform([path]) if isinstance(c, QuantityCheck)}
    assert {"scores", "decisions", "open choices", "cells"} <= set(found)
    assert found["scores"] < 1e-9 and found["decisions"] == found["open choices"] == 0
