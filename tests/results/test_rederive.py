"""Policies over stored logits: what they derive, what is written, and what is left as it was."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.results.load import load_folder
from harness.results.policies.base import POLICIES
from harness.results.rederive import rederive
from harness.spaces.darts.space import FullNone
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1
from harness.spaces.nasbench201.space import NASBench201
from tests.conftest import ROOT

DIGITS = ROOT / "results" / "published" / "digits"
ARGMAX, NO_NONE = (POLICIES.build(name, {}) for name in ("argmax", "no-none"))


def sums(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_argmax_is_what_the_searches_recorded(tmp_path: Path) -> None:
    """Every row, its lookups included, of runs that select by their largest logits; the runs are left as they were."""
    before = sums(DIGITS)
    found = load_folder(DIGITS)
    folder, notes = rederive(found, ARGMAX, tmp_path)
    assert folder == tmp_path / "digits.argmax"
    assert notes == ["random-search has no logits and is left out"]
    again, whole = load_folder(folder), found
    ours = again.epochs.assign(method=lambda f: f["method"].str.removesuffix(" [argmax]"))
    keys = ["method", "seed", "epoch"]
    both = ours.merge(whole.epochs, on=keys, suffixes=("", "_searched"))
    assert len(both) == len(ours) == (whole.epochs["method"] != "random-search").sum()
    for column in ("architecture", "key", "count_none", "supernet_accuracy_pct"):
        assert both[column].equals(both[f"{column}_searched"]), column
    names = [*keys, "dataset", "split", "table_epochs", "trial", "accuracy_pct"]
    searched = whole.lookups[whole.lookups["method"] != "random-search"][names].sort_values(names, ignore_index=True)
    looked = again.lookups.assign(method=lambda f: f["method"].str.removesuffix(" [argmax]"))
    assert looked[names].sort_values(names, ignore_index=True).equals(searched)
    assert sums(DIGITS) == before
    assert again.standing == "exploratory: the policy argmax was chosen after the runs"


def test_no_none_takes_the_best_other_operation(tmp_path: Path) -> None:
    space = NASBench201()
    for seed in range(20):
        logits = [np.random.default_rng(seed).normal(size=(6, 5))]
        logits[0][seed % 6, 0] = 9.0
        derived, best = NO_NONE.derive(space, logits), logits[0][:, 1:].argmax(axis=1) + 1
        assert derived.operations == tuple(space.operations[i] for i in best)
        assert logits[0][seed % 6, 0] == 9.0
    darts = FullNone()
    rows = [np.random.default_rng(1).normal(size=shape) for shape in darts.alpha_shapes]
    assert NO_NONE.derive(darts, rows) == darts.derive(rows)  # `none` is never kept there, and its share counts
    with pytest.raises(HarnessError, match=r"nasbench1shot1\.s1 has no operation that gives nothing"):
        NO_NONE.derive(NASBench1Shot1S1(), [np.zeros(shape) for shape in NASBench1Shot1S1.alpha_shapes])
    folder, _ = rederive(load_folder(DIGITS), NO_NONE, tmp_path)
    assert (load_folder(folder).epochs["count_none"] == 0).all()


def test_runs_and_what_is_derived_of_them_can_be_compared(tmp_path: Path) -> None:
    folder, _ = rederive(load_folder(DIGITS), NO_NONE, tmp_path)
    both = harness.load(DIGITS, folder).final()["method"]
    assert {"darts", "darts [no-none]", "sdarts-rs [no-none]", "sdarts-rs"} <= set(both)
    assert load_folder(folder).declared.baseline in (None, "darts [no-none]")
    assert rederive(load_folder(DIGITS), NO_NONE, tmp_path)[0] == folder  # again, over itself
    (tmp_path / "digits.argmax").mkdir()
    with pytest.raises(HarnessError, match=r"digits\.argmax is there, and holds something else: write to another"):
        rederive(load_folder(DIGITS), ARGMAX, tmp_path)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("pt", "error: unknown policy 'pt'"),
        ("argmx", "error: unknown policy 'argmx': did you mean 'argmax'"),
    ],
)
def test_what_cannot_be_derived_is_said(policy: str, message: str, tmp_path: Path) -> None:
    arguments = ["rederive", str(DIGITS), "--policy", policy, "--to", str(tmp_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(message) and result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
