"""Parts of finished runs: what is known of them goes with them, and what is compared of a part is exploratory."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import harness
from harness.core.errors import HarnessError
from harness.results.load import load_folder
from harness.runs.manifest import read_owner, seal_manifest
from harness.runs.preregistration import DECLARED
from harness.runs.schema import TABLES
from harness.runs.study import load_study
from harness.stats.sequential import estimate_sequential_shift
from tests.conftest import ROOT, SMALL_STUDY

PUBLISHED = ROOT / "results" / "published" / "ten-seeds"


def test_a_part_is_exploratory_and_knows_of_its_own_runs_alone() -> None:
    runs = harness.load(PUBLISHED)
    assert runs.standing == DECLARED
    part = runs.select_methods(["sdarts-adv", "darts"]).select_seeds("0..6")
    assert part.methods == ["sdarts-adv", "darts"] and len(part) == 14
    keys = {(method, seed) for method in part.methods for seed in range(7)}
    assert set(part.ids) == {read_owner(manifest) for manifest in part.manifests} == keys
    assert set(part.settings) == set(part.methods)
    assert part.compare().attrs["standing"].startswith("exploratory: ")  # it would show what all runs do not
    every = runs.select_seeds(range(10)).select_methods(runs.methods[::-1])
    assert every.standing == DECLARED and len(every.manifests) == 40
    assert runs.table is not None
    other = runs.judge_by(str(runs.table.validation))
    assert other.standing.startswith("exploratory: judged by ") and runs.judge_by(runs.table.test) is runs
    assert other.endpoints().runs.equals(runs.endpoints(str(runs.table.validation)).runs)


def test_what_is_not_there_is_a_sentence() -> None:
    runs = harness.load(PUBLISHED)
    assert runs.select_methods("darts").methods == ["darts"]
    with pytest.raises(HarnessError, match="these runs have no method 'dart': did you mean"):
        runs.select_methods(["dart"])
    with pytest.raises(HarnessError, match="seeds 'nine' cannot be read"):
        runs.select_seeds("nine")
    with pytest.raises(HarnessError, match=r"table nasbench201\.digits has no mnist/test@3"):
        runs.judge_by("mnist/test@3")
    assert runs.narrow("comparison.endpoint=oracle", None).declared.endpoint == "oracle"
    with pytest.raises(HarnessError, match="settings 'nope' cannot be read: write settings training"):
        runs.narrow(["nope"], None)


def test_endpoints_do_not_depend_on_the_order_of_rows() -> None:
    """Runs of several methods and seeds, whose rows somebody sorted otherwise."""
    runs = load_folder(ROOT / "results" / "published" / "digits")
    draw = np.random.default_rng(0)
    shuffled = {name: frame.iloc[draw.permutation(len(frame))] for name in TABLES for frame in [getattr(runs, name)]}
    found = replace(runs, **shuffled).endpoints()
    plain = runs.endpoints()
    for name in runs.methods:
        for endpoint in ("final", "selected", "oracle", "area"):
            assert found.by_seed(name, endpoint) == plain.by_seed(name, endpoint)
    assert found.noise == pytest.approx(plain.noise, rel=1e-12)


def test_the_training_of_one_cell_is_no_study(tmp_path: Path) -> None:
    told = {"id": "0" * 12, "retraining": {"space": {"name": "darts.full"}}, "files": {}, "environment": {}}
    (tmp_path / "manifest.json").write_text(json.dumps(seal_manifest(told)))
    with pytest.raises(HarnessError, match="holds no runs of a study: it is the training of one derived cell"):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    ("said", "setting", "found"),
    [
        ("primary", "comparison.endpoint=oracle", "oracle"),
        ("endpoint", "comparison.primary=oracle", "oracle"),
        ("primary", "comparison.level=0.1", "selected"),
    ],
)
def test_the_endpoint_by_its_older_key(tmp_path: Path, said: str, setting: str, found: str) -> None:
    (tmp_path / "s.toml").write_text(f'{SMALL_STUDY}\n[comparison]\n{said} = "selected"\n')
    assert load_study(tmp_path / "s.toml", [setting]).file.comparison.endpoint == found
    runs = load_folder(PUBLISHED).narrow(["comparison.primary=oracle"], None)
    assert runs.declared.endpoint == "oracle"


def test_ties_that_leave_a_point_that_is_rejected_itself() -> None:
    """Every shift is rejected by some look, though the bounds meet in one."""
    for differences in ([3.0] * 20 + [-3.0] * 20, [3.0] * 12 + [0.0] * 14):
        shift = estimate_sequential_shift(np.array(differences), np.zeros(len(differences)))
        assert max(shift.test_at(at).p for at in np.linspace(-4, 4, 161)) <= 0.05
        assert shift.contradicts_itself(0.05) and shift.interval(0.05)[1:] == (-np.inf, np.inf)
    same = estimate_sequential_shift(np.full(20, 3.0), np.zeros(20))
    assert not same.contradicts_itself(0.05) and same.interval(0.05)[1:] == (3, 3)
