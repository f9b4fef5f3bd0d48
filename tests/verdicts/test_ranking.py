"""Methods ranked over several tasks."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.results.runs import Runs
from harness.verdicts.ranking import rank
from tests.conftest import ROOT
from tests.support.results import finished, of_errors

PUBLISHED = [ROOT / "results" / "published" / name for name in ("cifar10-8", "digits", "digits-1shot1", "ten-seeds")]


def task(place: int, shifts: dict[str, float]) -> Runs:
    rng = np.random.default_rng(place)
    runs = {name: {s: [30 + shift + rng.normal()] for s in range(5)} for name, shift in shifts.items()}
    return replace(finished(of_errors(runs)), name=f"task{place}", folder=Path(f"task{place}"))


def test_what_differs_on_every_task_is_told_apart() -> None:
    found = rank([task(i, {"bad": 20.0, "good": 0.0, "alike": 0.0, "worst": 40.0}) for i in range(9)])
    assert [each.method for each in found.methods[2:]] == ["bad", "worst"]
    by_name = {each.method: each for each in found.methods}
    assert by_name["worst"].alike == ()
    assert by_name["good"].alike == ("alike",)
    assert by_name["worst"].rank == (4, 4, 4)
    assert found.verdict.startswith("4 methods over 9 tasks: differ in rank (Friedman, p = ")


def test_few_tasks_say_what_they_cannot_show() -> None:
    found = rank([task(i, {"a": 0.0, "b": 9.0, "c": 20.0, "d": 30.0}) for i in range(3)])
    assert "3 tasks cannot tell any two of them apart by signed ranks" in found.verdict
    assert found.verdict.endswith("8 can; mean ranks have no intervals below 8 tasks")
    assert all(len(each.alike) == 3 for each in found.methods)


def test_methods_that_a_task_lacks_are_left_out() -> None:
    tasks = [task(0, {"a": 0.0, "b": 9.0, "c": 20.0, "d": 1.0}), task(1, {"a": 0.0, "b": 9.0, "c": 20.0})]
    assert rank(tasks).left_out == ("d",)
    with pytest.raises(HarnessError, match="have in common: a, b: harness compare is for two"):
        rank([task(0, {"a": 0.0, "b": 9.0}), task(1, {"a": 0.0, "b": 9.0})])
    with pytest.raises(HarnessError, match="two studies or folders at least"):
        rank(tasks[:1])


def test_one_task_named_twice_and_other_units_are_refused() -> None:
    one = task(0, {"a": 0.0, "b": 9.0, "c": 20.0})
    with pytest.raises(HarnessError, match="task0 is named twice, and the same runs are one task"):
        rank([one, task(1, {"a": 0.0, "b": 9.0, "c": 20.0}), one])


def test_hundreds_of_methods_are_not_ranked_for_an_hour() -> None:
    many = task(0, {f"m{place}": 0.0 for place in range(301)})
    with pytest.raises(HarnessError, match=r"301 methods are 45,150 pairs, .*: rank 300 at most"):
        rank([many, task(1, {f"m{place}": 0.0 for place in range(301)})])


def test_the_verb_and_the_worst_of_ten() -> None:
    ended = CliRunner().invoke(main, ["rank", *map(str, PUBLISHED), "--format", "json"])
    assert ended.exit_code == 0, ended.output
    rows = json.loads(ended.stdout)
    assert {row["method"] for row in rows} == {"darts", "sdarts-rs", "sdarts-adv"}
    assert sum(row["rank"] for row in rows) == pytest.approx(6)
    told = CliRunner().invoke(main, ["compare", str(PUBLISHED[0]), "--quantile", "0.9"]).stdout
    assert "90 % below" in " ".join(told.split())


def test_from_python() -> None:
    frame = harness.rank(*map(str, PUBLISHED))
    assert frame["rank"].sum() == pytest.approx(6)
    assert frame.attrs["verdict"].startswith("3 methods over 4 tasks: ")
