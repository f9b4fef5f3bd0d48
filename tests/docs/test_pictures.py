"""What the pictures of the reference show is what a search did."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.conftest import ROOT


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(module.STUDY, "epochs", 2)
    return module


def test_lines_are_mixing_weights_and_dots_where_weights_were_trained(pictures: ModuleType, tmp_path: Path) -> None:
    plain, perturbed, drawn = (pictures.seen(name) for name in ("darts", "sdarts-rs", "gdas"))
    steps = 2 * pictures.STUDY["training"]["steps_per_epoch"]
    assert plain.lines.shape == (steps + 1, 5)
    assert plain.dots.shape == (steps, 5)
    assert np.allclose(plain.lines.sum(axis=1), 1)
    assert np.array_equal(plain.dots, plain.lines[1:])  # the architecture step comes first
    assert not np.isclose(perturbed.dots, perturbed.lines[1:]).any(axis=1).all()
    assert set(np.unique(drawn.dots.round(5))) == {0.0, 1.0}
    assert plain.derived == plain.lines[-1].argmax()
    pictures.save(pictures.draw(perturbed, plain), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 25_000


def test_a_search_of_a_table_shows_what_it_asked(pictures: ModuleType, tmp_path: Path) -> None:
    found = pictures.seen("hyperband")
    assert len(found.errors) == len(found.epochs) == 3
    assert all(0 <= e <= 100 for e in found.errors)
    plain = pictures.seen("darts")
    pictures.save(pictures.draw(found, plain), tmp_path / "b.png")
    assert (tmp_path / "b.png").stat().st_size < 25_000
