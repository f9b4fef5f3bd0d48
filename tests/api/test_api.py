"""The public API, as a notebook uses it."""

import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import harness
from harness.api.runs import join_runs
from harness.core.errors import HarnessError
from tests.conftest import ROOT, SMALL_STUDY

PUBLISHED = ROOT / "results" / "published" / "ten-seeds"


def test_import_is_light_and_names_are_there() -> None:
    code = (
        "import sys, harness\n"
        "heavy = {'torch', 'pandas', 'numpy', 'matplotlib', 'pydantic', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert set(harness.__all__) <= set(dir(harness))\n"
        "assert all(getattr(harness, name) for name in harness.__all__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="module 'harness' has no attribute 'laod'"):
        harness.laod  # noqa: B018


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, harness.LoadedRuns]:
    """A study from a mapping, run."""
    out = tmp_path_factory.mktemp("out")
    study = tomllib.loads(SMALL_STUDY) | {"methods": ["darts", "random-search"]}
    return out, harness.run(study, seeds="0..1", out=out, jobs=1)


def test_runs_of_a_mapping(made: tuple[Path, harness.LoadedRuns]) -> None:
    out, runs = made
    assert len(runs) == 4
    planned = harness.plan(tomllib.loads(SMALL_STUDY) | {"methods": ["darts"]}, seeds="0..2", out=out)
    assert planned["state"].tolist() == ["finished", "finished", "not begun"]


def test_folders_are_read_without_their_study(made: tuple[Path, harness.LoadedRuns]) -> None:
    out, runs = made
    loaded = harness.load(out / runs.name)
    keys = ["method", "seed", "epoch"]
    for name in ("epochs", "lookups", "timing"):
        own, read = (getattr(r, name).sort_values(keys, kind="stable", ignore_index=True) for r in (runs, loaded))
        pd.testing.assert_frame_equal(own, read)
    assert loaded.space is not None and loaded.space.name == "nasbench201"
    one = harness.load(next((out / runs.name).glob("darts_seed1_*")))
    assert one.epochs["method"].unique().tolist() == ["darts"] and one.epochs["seed"].unique().tolist() == [1]
    assert repr(one) == f"<Runs {one.name}: 1 runs; methods darts>"
    final = loaded.final()
    assert isinstance(final, pd.DataFrame) and set(final["method"]) == {"darts", "random-search"}
    assert {"method", "seed", "epoch", "error_pct"} <= set(loaded.errors("digits100/x-valid@4"))


def test_several_folders_are_one(made: tuple[Path, harness.LoadedRuns]) -> None:
    out, runs = made
    folders = sorted((out / runs.name).glob("*_seed*"))
    assert len(harness.load(*folders)) == 4
    with pytest.raises(HarnessError, match="hold a run of 'darts' with seed 0: load them apart"):
        harness.load(folders[0], folders[0])


def test_folders_that_do_not_fit_together_are_explained() -> None:
    other = PUBLISHED.parent / "digits-1shot1"
    with pytest.raises(HarnessError, match=r"ten-seeds, .*digits-1shot1 were looked up in different tables"):
        harness.load(PUBLISHED, other)
    found = harness.load(PUBLISHED)
    elsewhere = replace(found, space=harness.load(other).space)
    with pytest.raises(HarnessError, match="searched different spaces: load them apart"):
        join_runs([found, elsewhere])


def test_verdicts_of_published_results() -> None:
    runs = harness.load(PUBLISHED)
    frame = runs.compare(baseline="darts")
    assert set(frame["against"]) == {"darts"} and len(frame) == len(runs.epochs["method"].unique()) - 1
    other = runs.compare(baseline="sdarts-rs", endpoint="oracle")
    assert set(other["against"]) == {"sdarts-rs"} and set(other["endpoint"]) == {"oracle"}
    assert other.attrs["standing"].startswith("exploratory")
    with pytest.raises(HarnessError, match="there is no endpoint 'last': choose from"):
        runs.compare(endpoint="last")


def test_figures_leave_the_style_alone(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    drawn: Any = harness.load(PUBLISHED).plot("trajectory", width=3.25, methods=["darts", "sdarts-rs"])
    assert drawn.get_size_inches()[0] == 3.25
    assert dict(mpl.rcParams) == before
    drawn.savefig(tmp_path / "f.png")
    with pytest.raises(HarnessError, match="unknown figure 'trajectorie': did you mean 'trajectory'"):
        harness.plot(PUBLISHED, "trajectorie")


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        (ROOT / "nowhere", "there is no folder of runs at"),
        (ROOT / "docs", "holds no finished run: run a study first"),
        (PUBLISHED.parent, "holds no finished run: name one of the folders inside: .*ten-seeds"),
    ],
)
def test_a_folder_that_holds_none(folder: Path, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        harness.load(folder)
    with pytest.raises(HarnessError, match=r"harness\.load needs a folder of runs"):
        harness.load()


def test_tables_and_spaces() -> None:
    table = harness.open_table("nasbench201")
    assert table.lookup(1835, table.test) == pytest.approx(54.2967, abs=1e-4)
    space = harness.search_space("nasbench201")
    assert table.lookup(space.parse(table.encoding(0)), "cifar10/ori-test@200") > 0
    with pytest.raises(HarnessError, match="unknown space 'nasbench20': did you mean 'nasbench201'"):
        harness.search_space("nasbench20")


ODD: list[Any] = [None, 3, 1.5, [], {}, b"x", (n for n in ()), object(), "", Path("~nobodyatall/x"), "\0", True]
STUDY = {
    "name": "s", "space": "nasbench201", "dataset": "digits100", "table": "nasbench201.digits", "epochs": 1,
    "methods": ["random-search"], "seeds": [0],
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=[type(odd).__name__ + str(place) for place, odd in enumerate(ODD)])
def test_an_argument_that_is_none_is_named(odd: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is given, it is taken, or the sentence says which argument, and what it is to be."""
    monkeypatch.chdir(tmp_path)
    runs, table, out = harness.load(PUBLISHED), harness.open_table("nasbench201.digits"), tmp_path / "out"
    calls: dict[str, Callable[[], Any]] = {
        "folder": lambda: harness.load(odd),
        "study": lambda: harness.plan(odd),
        "study ": lambda: harness.run(odd),
        "out": lambda: harness.plan(STUDY, out=odd),
        "settings": lambda: harness.plan(STUDY, settings=odd),
        "seeds": lambda: harness.plan(STUDY, seeds=odd),
        "jobs": lambda: harness.run(STUDY, out=out, jobs=odd),
        "device": lambda: harness.run(STUDY, out=out, device=odd),
        **{f"study {k}": lambda k=k: harness.plan(STUDY | {k: odd}) for k in STUDY},
        "source": lambda: harness.compare(odd),
        "source ": lambda: harness.plot(odd),
        "source  ": lambda: harness.gate(odd, "base.parquet"),
        "source   ": lambda: harness.report(odd, "page.html"),
        "against": lambda: harness.gate(PUBLISHED, odd),
        "to": lambda: harness.report(runs, odd),
        "to ": lambda: runs.plot(to=odd),
        "name": lambda: runs.plot(odd),
        "methods": lambda: runs.plot(methods=odd),
        "measure": lambda: runs.plot(measure=odd),
        "measure ": lambda: runs.errors(odd),
        "width": lambda: runs.plot(width=odd),
        "baseline": lambda: runs.compare(odd),
        "endpoint": lambda: runs.compare(endpoint=odd),
        "name ": lambda: harness.open_table(odd),
        "name  ": lambda: harness.search_space(odd),
        "what": lambda: table.lookup(odd, table.test),
        "measure  ": lambda: table.lookup(0, odd),
    }  # fmt: skip
    for argument, call in calls.items():
        try:
            call()
        except HarnessError as error:
            assert str(error), argument
        except Exception as error:
            pytest.fail(f"{argument}: {error!r}")


def test_arguments_that_are_named() -> None:
    nothing: Any = None
    number: Any = 5
    for call, told in (
        (lambda: harness.run(STUDY, jobs=0), "jobs = 0 is no count: write a whole number from 1"),
        (lambda: harness.run(STUDY, device="cuda:\u00b2"), "unknown device 'cuda:\u00b2': choose auto, cpu, cuda:N"),
        (lambda: harness.run(STUDY, device="cuda:" + "9" * 5000), "unknown device 'cuda:999"),
        (lambda: harness.load(nothing), "folder = None is no path: write a text or a pathlib.Path"),
        (lambda: harness.plan(STUDY, settings=number), "settings = 5 is no list of texts"),
        (lambda: harness.plan(STUDY | {"methods": (m for m in ())}), "study methods = <generator"),
        (lambda: harness.open_table(nothing), "name = None is no path"),
    ):
        with pytest.raises(HarnessError, match=told):
            call()


def test_home_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "runs").symlink_to(PUBLISHED)
    assert len(harness.load("~/runs")) == len(harness.load(Path("~/runs"))) == len(harness.load(PUBLISHED))
    table = harness.open_table("nasbench201.digits")
    (tmp_path / "table").symlink_to(table.folder)
    for name in ("~/table", Path("~/table"), tmp_path / "table"):
        assert harness.open_table(name).fingerprint == table.fingerprint


def test_a_public_name_is_no_folder() -> None:
    import harness.report.build

    assert callable(harness.report) and harness.report.__name__ == "report"
    assert sys.modules["harness.report.build"].build is not None


@pytest.mark.parametrize(
    ("seeds", "names"),
    [
        (3, [3]),
        (range(2), [0, 1]),
        ([0, 5], [0, 5]),
        (np.array([4, 7]), [4, 7]),
        (np.int64(2), [2]),
        ("0,2..3", [0, 2, 3]),
    ],
)
def test_seeds_are_said_in_any_form(seeds: Any, names: list[int], tmp_path: Path) -> None:
    study = tomllib.loads(SMALL_STUDY) | {"methods": ["darts"]}
    assert harness.plan(study, seeds=seeds, out=tmp_path)["seed"].tolist() == names


@pytest.mark.parametrize("seeds", [True, [], None.__class__, [0.5], b"0", {"a": 1}])
def test_what_names_no_seeds_is_refused(seeds: Any, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"seeds = .* names no seeds: write '0..9', 3, range"):
        harness.plan(tomllib.loads(SMALL_STUDY), seeds=seeds, out=tmp_path)


def test_settings_are_a_dictionary_or_texts(tmp_path: Path) -> None:
    study = tomllib.loads(SMALL_STUDY) | {"methods": ["darts"]}
    texts = ["training.batch_size=6", 'dataset.name="digits100"', "methods.darts.darts.order=2", "epochs=3"]
    nested = {
        "training": {"batch_size": np.int64(6)},
        "dataset.name": "digits100",
        "methods": {"darts": {"darts": {"order": 2}}},
    }
    plans = [harness.plan(study, settings=s, out=tmp_path) for s in (texts, nested | {"epochs": 3}, "epochs=3")]
    assert plans[0]["folder"].tolist() == plans[1]["folder"].tolist() != plans[2]["folder"].tolist()
    with pytest.raises(
        HarnessError, match=r"settings\['epochs'\] is no setting: write a text, number, truth value or list"
    ):
        harness.plan(study, settings={"epochs": None}, out=tmp_path)


def test_errors_are_value_errors_of_their_own_kinds(tmp_path: Path) -> None:
    study = tomllib.loads(SMALL_STUDY)
    with pytest.raises(harness.InvalidStudyError, match="has no key 'epoch': did you mean 'epochs'"):
        harness.plan(study | {"epoch": 3})
    with pytest.raises(harness.InvalidStudyError, match="'dartz'"):
        harness.plan(study | {"methods": ["dartz"]})
    with pytest.raises(harness.MissingDataError, match="is not here yet"):
        harness.open_table("nasbench1shot1.s1")
    assert issubclass(harness.HarnessError, ValueError)
    for kind in (harness.DamagedError, harness.InvalidStudyError, harness.MissingDataError):
        assert issubclass(kind, harness.HarnessError)


def test_a_measure_is_a_text_wherever_one_is_taken() -> None:
    table = harness.open_table("nasbench201.digits")
    text, parts = str(table.test), tuple(table.test)
    best = table.optimum(text)
    assert best == table.optimum(table.test) == table.optimum(parts)
    assert table.random_median(text) == table.random_median(table.test)
    assert table.percentile(np.int64(7), text) == table.percentile(7, table.test)
    assert table.lookup(best.encoding, text) == pytest.approx(best.accuracy_pct)
    assert table.trials(text) == table.trials(table.test) and table.seeds(text) == table.seeds(table.test)
    assert table.references(text) == table.references(table.test) and table.knows_all(text)
    assert (table.row_values(text) == table.row_values(table.test)).all()
    assert table.role(text) == table.role(table.test) and table.timed(text) == table.timed(table.test)
    with pytest.raises(HarnessError, match="is no measure: write dataset/split@epochs"):
        table.optimum("x-test")


def test_comparisons_take_a_measure_and_gates_a_part(tmp_path: Path) -> None:
    runs = harness.load(PUBLISHED)
    assert runs.table is not None
    usual = runs.compare()
    other = runs.compare(measure=str(runs.table.validation))
    assert not usual["shift"].equals(other["shift"]) and other.attrs["standing"].startswith("exploratory")
    assert runs.compare(measure=str(runs.table.test)).equals(usual)
