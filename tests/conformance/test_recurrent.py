"""The recurrent space's published arithmetic: every record to 1e-9, decisions exactly, and no setting unread."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.testing.conformance import QuantityCheck, Skipped, conform
from tests.conftest import RECORDS

FOLDER = RECORDS / "recurrent"
FILES = sorted(p for p in FOLDER.iterdir() if p.suffix in {".npz", ".json"})


def test_all_are_here() -> None:
    assert len(FILES) == 24


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_record(path: Path) -> None:
    checks = list(conform([path]))
    assert [c for c in checks if isinstance(c, Skipped) or not c.conforms] == []
    quantities = {c.quantity for c in checks if isinstance(c, QuantityCheck)}
    if "retrain" in path.stem:
        assert quantities >= {"averages", "kept weights", "epochs that are kept", "test loss", "validation losses"}
    elif path.stem.startswith(("rnn_darts", "rnn_sdarts")):
        assert quantities >= {"weights after each step", "alpha gradients", "validation losses", "final architecture"}
    if "adv" in path.stem:
        assert quantities >= {"ascents: paths", "ascents: losses", "ascents: what is taken back"}


def changed(tmp_path: Path, name: str, change: Any = None, **meta: Any) -> Path:
    """A record with other settings or arrays."""
    with np.load(FOLDER / f"{name}.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    told = json.loads(str(arrays.pop("meta"))) | meta
    if change:
        change(arrays)
    np.savez(tmp_path / "changed.npz", meta=json.dumps(told), **arrays)
    return tmp_path / "changed.npz"


@pytest.mark.parametrize("name", ["rnn_darts1", "rnn_forward", "rnn_retrain"])
def test_a_setting_that_is_not_known_is_an_error(name: str, tmp_path: Path) -> None:
    (skipped,) = conform([changed(tmp_path, name, zoneout=0.5)])
    assert isinstance(skipped, Skipped)
    assert skipped.damaged
    assert "its meta data have 'zoneout' (0.5), which this version does not replay" in skipped.reason


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("lr", 19.0),
        ("clip", 0.26),
        ("act_beta", 2e-3),
        ("wdecay", 1e-3),
        ("arch_betas", [0.5, 0.999]),
        ("bn_momentum", 0.2),
        ("token_without_input_gradient", 3),
        ("unrolled", False),
        ("optimizer", "ASGD"),
    ],
)
def test_every_setting_counts(setting: str, value: Any, tmp_path: Path) -> None:
    """Another value of it no longer conforms, or is refused."""
    found = list(conform([changed(tmp_path, "rnn_darts2", **{setting: value})]))
    assert any(isinstance(c, Skipped) or not c.conforms for c in found)


@pytest.mark.parametrize("key", ["step3/hidden_after", "step2/unrolled/implicit/0", "eval/epoch2/valid_loss"])
def test_a_relative_difference_of_1e_8_is_found(key: str, tmp_path: Path) -> None:
    def change(arrays: dict[str, Any]) -> None:
        arrays[key] = arrays[key] * (1 + 1e-8)

    found = list(conform([changed(tmp_path, "rnn_darts2", change)]))
    assert any(isinstance(c, QuantityCheck) and not c.conforms for c in found)
