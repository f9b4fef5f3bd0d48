"""Studies that add seeds until their comparison is decided."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import harness
from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.results.load import load_folder, load_study_runs
from harness.runs.execute import Outcome, plan
from harness.runs.prepare import prepare
from harness.runs.preregistration import DECLARED, Declared
from harness.runs.study import Study, load_study
from harness.verdicts.deciding import Look, find_first_look, run_until_decided, select_looked_at
from tests.support.studies import write_until_decided


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_until_decided(tmp_path)


def looks(study: Study, out: Path, places: int = 1) -> tuple[list[Look], list[Outcome]]:
    prepared = prepare(study, out)
    devices = ["cpu"] * places
    every = list(run_until_decided(prepared.begin(devices), devices))
    return [e for e in every if isinstance(e, Look)], [e for e in every if isinstance(e, Outcome)]


def test_seeds_are_added_until_it_is_decided(file: Path, tmp_path: Path) -> None:
    study = load_study(file)
    seen, outcomes = looks(study, tmp_path / "out")
    assert seen[0].seeds == find_first_look(study) == 8
    assert [look.seeds for look in seen] == list(range(8, 8 + len(seen)))
    assert [look.over for look in seen] == [False] * (len(seen) - 1) + [True]
    assert not any(outcome.error for outcome in outcomes)
    assert len(outcomes) == 2 * seen[-1].seeds < 50
    assert seen[-1].pairs[0].state == "higher"
    assert seen[-1].lines[0] == f"decided after {seen[-1].seeds} of at most 25 seeds"
    assert seen[-1].lines[-1].startswith("fixed tests of so many seeds, good for a single look, would have said: one")
    finished = load_study_runs(study, tmp_path / "out")
    assert (finished.standing, finished.missing) == (DECLARED, 0)
    assert looks(study, tmp_path / "out")[1] == []  # decided: nothing is left to run
    assert len(select_looked_at(plan(study, tmp_path / "out"))) == len(outcomes)


def test_what_is_equivalent_is_decided_and_what_is_not_ends_at_the_most(file: Path, tmp_path: Path) -> None:
    same = ['methods=["random-search", "regularized-evolution"]']
    wide = looks(load_study(file, [*same, "comparison.rope=20"]), tmp_path / "wide")[0][-1]
    assert (wide.pairs[0].state, wide.seeds < 25) == ("equivalent", True)
    narrow = looks(load_study(file, [*same, "comparison.rope=0.001"], "0..9"), tmp_path / "narrow")[0][-1]
    assert (narrow.seeds, narrow.over, narrow.undecided) == (10, True, list(narrow.pairs))
    assert narrow.lines[0] == "not decided after all 10 seeds: regularized-evolution against random-search"


def test_several_places_take_several_seeds(file: Path, tmp_path: Path) -> None:
    seen, _ = looks(load_study(file, ["comparison.rope=0.001"], "0..9"), tmp_path / "out", places=4)
    assert [look.seeds for look in seen] == [8, 10]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (['methods=["random-search"]'], "one method alone is compared with nothing"),
        (['randomness.draws="0..1"'], "runs that share draws"),
    ],
)
def test_what_decides_nothing_is_refused(file: Path, tmp_path: Path, settings: list[str], told: str) -> None:
    with pytest.raises(HarnessError, match=told):
        looks(load_study(file, settings), tmp_path)


def test_what_contradicts_it_is_told(file: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="adds runs in pairs of one seed"):
        load_study(file, ["comparison.paired=false"])
    for arguments, told in (
        (["run", str(file), "--no-wait"], "leave --no-wait out"),
        (["submit", str(file)], "adds them until it is decided"),
    ):
        ended = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path)])
        assert ended.exit_code == 2
        assert told in ended.stderr


def test_declared_afterwards_is_exploratory(file: Path, tmp_path: Path) -> None:
    usual = load_study(file, ["comparison.until_decided=false"], "0..8")
    prepare(usual, tmp_path).begin(["cpu"])
    harness.run(file, out=tmp_path, jobs=1)
    assert load_study_runs(load_study(file), tmp_path).standing.startswith("exploratory: until_decided changed")
    assert Declared() == Declared.model_validate({"until_decided": False})


def test_from_the_command_line_and_published(file: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "out")]
    ended = CliRunner().invoke(main, ["run", str(file), "--jobs", "1", *out])
    assert ended.exit_code == 0, ended.output
    assert "decided after " in ended.stdout
    assert "seeds: one higher (p = " in ended.stderr
    rows = json.loads(CliRunner().invoke(main, ["compare", str(file), *out, "--format", "json"]).stdout)
    published = CliRunner().invoke(main, ["publish", str(file), *out, "--to", str(tmp_path / "to")])
    assert published.exit_code == 0, published.output
    found = load_folder(tmp_path / "to" / "asks")
    assert (found.is_declared, len(found)) == (True, 2 * rows[0]["n"])
    # a look that is incomplete is told in the verdict, not dropped
    last = rows[0]["n"] - 1
    (lost,) = (tmp_path / "out" / "asks").glob(f"one_seed{last}_*")
    shutil.rmtree(lost)
    assert CliRunner().invoke(main, ["publish", str(file), *out, "--to", str(tmp_path / "to")]).exit_code == 0
    assert len(load_folder(tmp_path / "to" / "asks")) == 2 * rows[0]["n"] - 1
    page = (tmp_path / "to" / "asks" / "README.md").read_text()
    assert f"left out: random-search seed {last} (its pair of one is not there)" in page
    planned = CliRunner().invoke(main, ["plan", str(file), *out])
    assert "at most so many: seeds are added until the comparison is decided, after 8 at the earliest" in planned.stderr


def test_the_plan_says_that_so_few_seeds_show_nothing(small_study: Path, tmp_path: Path) -> None:
    """By the test that the comparison will be made by."""

    def told(*settings: str, seeds: str) -> bool:
        words = ["plan", str(small_study), "--out", str(tmp_path), "--seeds", seeds]
        done = CliRunner().invoke(main, [*words, *(word for setting in settings for word in ("--set", setting))])
        assert done.exit_code == 0, done.output
        return "cannot show a difference between methods, however large" in done.stderr

    assert told(seeds="0..5")  # three comparisons: 3 x 2 / 2^6 is above .05
    assert not told(seeds="0..6")
    assert not told("comparison.paired=false", seeds="0..4")  # 3 x 2 / C(10, 5) is below it
    assert told("comparison.paired=false", seeds="0..3")
    assert not told('methods=["darts"]', seeds="0..1")
    assert not told("comparison.until_decided=true", seeds="0..5")
