"""A pytest plugin: the fixture `assert_stable` fails a test when a method's runs moved from a baseline.

def test_my_regularizer_is_still_stable(assert_stable):
    assert_stable("study.toml", "baseline.parquet", error=2.0)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.files import DEFAULT_OUT


@pytest.fixture(name="assert_stable", scope="session")
def assert_stable_fixture() -> Callable[..., None]:
    """`assert_stable`, imported when a test asks for it."""
    return assert_stable


def assert_stable(
    study: str | Path,
    baseline: str | Path,
    *,
    out: str | Path = DEFAULT_OUT,
    seeds: str | None = None,
    exact: bool = False,
    run: bool = True,
    **margins: float,
) -> None:
    """Run what is missing of a study (unless run is False); fail unless its runs are shown to be those of a baseline.

    study: a study file, or a folder of results. baseline: written by `harness gate STUDY --write`. exact: every row to
    the last bit, for the same machine. margins: error, failure, onset, eigenvalue, level (see `harness gate --help`).
    Fails with the table of checks when one has moved, and when the runs are too few to show either.
    """
    from harness.results.load import open_runs
    from harness.results.provenance import check_code
    from harness.verdicts.baseline import compare_exactly as compare_rows
    from harness.verdicts.baseline import read_baseline
    from harness.verdicts.gate import build_margins, gate, judge_overall

    source, kept = Path(study), read_baseline(Path(baseline))
    if run and not source.is_dir():
        run_missing(source, seeds, Path(out))
    found = open_runs(source, [], seeds, Path(out))
    check_code(found.manifests, str(source))
    if exact:
        differences = compare_rows(found, kept)
        if differences:
            pytest.fail("\n".join([f"{source} is not bit for bit {baseline}:", *differences]), pytrace=False)
        return
    checks = gate(found, kept, build_margins(margins))
    state = judge_overall(checks)
    if state != "stable":
        rows = [", ".join(f"{k} {v}" for k, v in c.row().items()) for c in checks]
        pytest.fail("\n".join([f"{source} against {baseline}: {state}", *rows]), pytrace=False)


def run_missing(source: Path, seeds: str | None, out: Path) -> None:
    """Run a study's missing runs, one a core, as the command line does."""
    from harness.core.errors import HarnessError
    from harness.runs.prepare import run_study
    from harness.runs.study import load_study

    study = load_study(source, [], seeds)
    try:
        run_study(study, out)
    except HarnessError as error:
        pytest.fail(str(error), pytrace=False)
