"""Folders that were edited by hand or come from elsewhere: every reader says what is wrong, in which column and row, or
reads what is right."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.core.files import hash_bytes, is_name
from harness.core.text import is_label
from harness.results.load import load_folder
from harness.runs.execute import plan, run_all
from harness.runs.manifest import seal_manifest
from harness.runs.merge import merge
from harness.runs.store import scan_folder
from harness.runs.study import load_study
from harness.runs.verify import verify
from tests.conftest import ROOT, SMALL_STUDY

PUBLISHED = ROOT / "results" / "published" / "digits"


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(w) for w in words])


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Published results that keep no sums, as older ones do: nothing but their content can be looked at."""
    folder = tmp_path / "digits"
    shutil.copytree(PUBLISHED, folder)
    edit(folder, lambda m: m.pop("files"))
    return folder


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("computed")
    (root / "small.toml").write_text(
        SMALL_STUDY.replace('["darts", "sdarts-rs", "sdarts-adv", "random-search"]', '["random-search"]')
    )
    study = load_study(root / "small.toml")
    assert [o.error for o in run_all(plan(study, root / "out"), "cpu", 1)] == [None, None]
    return root


@pytest.fixture
def study(computed: Path, tmp_path: Path) -> Path:
    """The folder of a study's runs, to edit."""
    shutil.copytree(computed / "out" / "small", tmp_path / "out" / "small")
    return tmp_path / "out" / "small"


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest, and seal it again where it was sealed."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(seal_manifest(content) if "sha256" in content else content))


def edit_rows(folder: Path, table: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change a table, with a manifest that has its sum."""
    path = folder / f"{table}.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)
    told = json.loads((folder / "manifest.json").read_text())
    if "files" in told:
        edit(folder, lambda m: m["files"].update({path.name: hash_bytes(path.read_bytes())}))


def at(column: str, value: object, place: int = 3) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        values = rows[column].tolist()
        values[place] = value
        return rows.assign(**{column: values})

    return change


ROWS: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "a seed as text": ("epochs", lambda r: r.assign(seed=r["seed"].astype(str)), "column 'seed'"),
    "half an epoch": ("epochs", at("epoch", 0.5), "double in the column 'epoch'"),
    "an epoch that is none": ("timing", at("epoch", float("nan")), "double in the column 'epoch'"),
    "an epoch below zero": ("epochs", at("epoch", -1), "-1 in the column 'epoch', row 4"),
    "a seed below zero": ("epochs", at("seed", -1), "-1 in the column 'seed', row 4"),
    "500 %": ("lookups", at("accuracy_pct", 500.0), "500.0 in the column 'accuracy_pct', row 4"),
    "minus 3 %": ("epochs", at("supernet_accuracy_pct", -3.0), "-3.0 in the column 'supernet_accuracy_pct', row 4"),
    "no finite accuracy": ("lookups", at("accuracy_pct", float("inf")), "inf in the column 'accuracy_pct', row 4"),
    "time before the run": ("timing", at("wall_s", -1.0), "-1.0 in the column 'wall_s', row 4"),
    "no architecture": ("epochs", at("architecture", None), "None in the column 'architecture', row 4"),
    "a method of two lines": ("epochs", at("method", "a\nb"), "in the column 'method', row 4"),
    "a loss as text": ("epochs", lambda r: r.assign(train_loss="x"), "in the column 'train_loss'"),
    "counts as text": ("epochs", lambda r: r.assign(count_none="x"), "in the column 'count_none'"),
    "a probe of dates": ("epochs", lambda r: r.assign(hessian_largest=pd.Timestamp(0)), "column 'hessian_largest'"),
    "logits as text": ("epochs", lambda r: r.assign(alphas="1 2"), "in the column 'alphas'"),
    "trials as numbers": ("lookups", lambda r: r.assign(trial=1), "in the column 'trial'"),
    "no column of epochs": ("epochs", lambda r: r.drop(columns="epoch"), "no column 'epoch'"),
    "no column of trials": ("lookups", lambda r: r.drop(columns="trial"), "no column 'trial'"),
    "a row twice": ("epochs", lambda r: pd.concat([r, r.iloc[[5]]]), "holds a row twice"),
    "a lookup twice": ("lookups", lambda r: pd.concat([r, r.iloc[[5]]]), "holds a row twice"),
    "a row less": ("epochs", lambda r: r.drop(index=4), r"epochs\.parquet holds no row of"),
    "a time less": ("timing", lambda r: r.drop(index=4), r"timing\.parquet holds no row of"),
    "no row": ("timing", lambda r: r.iloc[:0], r"timing\.parquet holds no row"),
}  # fmt: skip


@pytest.mark.parametrize("harm", ROWS)
def test_edited_tables_of_results(published: Path, harm: str) -> None:
    table, change, told = ROWS[harm]
    edit_rows(published, table, change)
    with pytest.raises(HarnessError, match=told) as error:
        load_folder(published)
    assert str(published) in str(error.value) and f"{table}.parquet" in str(error.value)
    assert [d.path.name for d in verify([published]).damaged] in ([f"{table}.parquet"], ["epochs.parquet"])


@pytest.mark.parametrize("harm", [h for h in ROWS if not h.startswith(("a seed", "a method", "no row"))])
def test_edited_tables_of_a_run(study: Path, harm: str) -> None:
    """Also where the sums were made to fit."""
    table, change, told = ROWS[harm]
    run = min(study.glob("*_seed*"))
    rows = pd.read_parquet(run / f"{table}.parquet")
    place = {"epochs": 1, "timing": 1}.get(table, 3)
    before = rows.copy()
    try:
        changed = change(pd.concat([rows] * 3, ignore_index=True))  # as many rows as the change asks for
    except KeyError:
        pytest.skip("no such column")
    if harm in ("a row twice", "a lookup twice"):
        changed = pd.concat([before, before.iloc[[place]]])
    elif harm in ("a row less", "a time less"):
        changed = before.drop(index=place)
    else:
        changed = changed.iloc[len(before) : 2 * len(before)] if table != "lookups" else changed.iloc[: len(before)]
    edit_rows(run, table, lambda _: changed)
    with pytest.raises(HarnessError) as error:
        load_folder(study)
    assert run.name in str(error.value)
    assert told.split(", row")[0].replace("\\", "") in str(error.value)
    assert len(verify([study]).damaged) == 1


def test_types_that_say_the_same_are_read(published: Path) -> None:
    before = load_folder(published).final()
    edit_rows(published, "epochs", lambda r: r.assign(epoch=r["epoch"].astype("int32"), seed=r["seed"].astype("uint8")))
    pd.testing.assert_frame_equal(load_folder(published).final(), before)


MANIFESTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "runs a text": (lambda m: m.update(runs="x"), "'runs' = 'x'"),
    "runs of numbers": (lambda m: m.update(runs=[1]), "'runs.0'"),
    "a run without seed": (lambda m: m["runs"][0]["configuration"].pop("seed"), r"no 'runs\.0\.configuration\.seed'"),
    "a run without device": (lambda m: m["runs"][0].update(environment={}), "environment"),
    "study a list": (lambda m: m.update(study=[]), "'study'"),
    "study without name": (lambda m: m["study"].pop("name"), r"no 'study\.name'"),
    "table a number": (lambda m: m.update(table=1), "'table' = 1"),
    "table elsewhere": (lambda m: m["table"].update(name="../other"), "'table.name'"),
    "no table said": (lambda m: m.pop("table"), "no 'table'"),
    "declaration a number": (lambda m: m.update(declaration=1), "'declaration' = 1"),
    "comparison of strangers": (lambda m: m["study"].update(comparison={"a": 1}), "'study.comparison.a'"),
    "figures a list": (lambda m: m["study"].update(figures=[1]), "'study.figures'"),
    "files a list": (lambda m: m.update(files=[1]), "'files'"),
    "a file elsewhere": (lambda m: m.update(files={"../../x": "0"}), r"'files\.\.\./\.\./x'"),
    "a device": (lambda m: m.update(files={"/dev/zero": "0"}), "dev/zero"),
    "a name above": (lambda m: m["study"].update(name=".."), "'study.name' = '..'"),
    "a name elsewhere": (lambda m: m["study"].update(name="/tmp/x"), "'study.name'"),
    "a name of two lines": (lambda m: m["study"].update(name="a\nb"), "'study.name'"),
    "trained by nobody": (lambda m: m["table"].update(trained={"a": 1}), "description is damaged"),
}


@pytest.mark.parametrize("harm", MANIFESTS)
def test_edited_manifests_of_results(published: Path, harm: str) -> None:
    change, told = MANIFESTS[harm]
    edit(published, change)
    with pytest.raises(HarnessError, match=told) as error:
        load_folder(published)
    assert str(published) in str(error.value)


RUN_MANIFESTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "files above": lambda m: m["files"].update({"../../../small.toml": "0"}),
    "files elsewhere": lambda m: m["files"].update({"/etc/hostname": "0"}),
    "a device": lambda m: m["files"].update({"/dev/zero": "0"}),
    "files a text": lambda m: m.update(files="x"),
    "no files": lambda m: m.pop("files"),
    "a seed as text": lambda m: m["configuration"].update(seed="0"),
    "a method of numbers": lambda m: m["configuration"].update(method=[1]),
    "a name that is none": lambda m: m.update(method_name="a\x1b[31m"),
    "an id elsewhere": lambda m: m.update(id="../x"),
    "no environment": lambda m: m.pop("environment"),
    "a space that is none": lambda m: m["configuration"].update(space=["nasbench201"]),
}


@pytest.mark.parametrize("harm", RUN_MANIFESTS)
def test_edited_manifests_of_runs(study: Path, tmp_path: Path, harm: str) -> None:
    """No reader follows them, and merging writes nothing."""
    outside = tmp_path / "small.toml"
    outside.write_text("mine")
    edit(min(study.glob("*_seed*")), RUN_MANIFESTS[harm])
    for read in (load_folder, lambda f: merge([f], tmp_path / "joined")):
        with pytest.raises(HarnessError, match=r"manifest\.json"):
            read(study)
    assert len(verify([study]).damaged) == 1
    assert outside.read_text() == "mine"
    assert not list((tmp_path / "joined").glob("*_seed*"))


@pytest.mark.parametrize("verb", ["compare", "paper", "plot", "report", "export", "rederive", "audit", "verify"])
def test_no_verb_writes_or_reads_outside(
    published: Path, tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a foreign folder calls itself."""
    (tmp_path / "here" / "to").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    edit(published, lambda m: m["study"].update(name="../../escaped"))
    options = {
        "plot": ["--to", "to"], "report": ["--to", "to/page.html"], "export": ["--format", "csv"],
        "rederive": ["--policy", "argmax", "--to", "to"],
    }  # fmt: skip
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    result = call(verb, published, *options.get(verb, []))
    assert result.exit_code == (1 if verb == "verify" else 2), result.output
    assert "study.name" in result.output.replace("\n", "")
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == before


def test_what_is_no_file_is_not_read(study: Path) -> None:
    """A pipe would be waited for, a device read for ever."""
    run = min(study.glob("*_seed*"))
    (run / "epochs.parquet").unlink()
    os.mkfifo(run / "epochs.parquet")
    (damage,) = verify([study]).damaged
    assert str(damage).startswith(f"{run / 'epochs.parquet'} cannot be read (it is no file)")


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    column=st.sampled_from(["method", "seed", "epoch", "train_loss", "supernet_accuracy_pct", "alphas"]),
    values=st.one_of(
        st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=252, max_size=252),
        st.sampled_from([None, True, "x", 0.5, float("nan"), float("inf"), -1, 2**62, b"b", [1.0], [None], {"a": 1}]),
    ),
)
def test_whatever_stands_in_a_column(tmp_path_factory: pytest.TempPathFactory, column: str, values: Any) -> None:
    folder = tmp_path_factory.mktemp("edited") / "digits"
    shutil.copytree(PUBLISHED, folder)
    edit(folder, lambda m: m.pop("files"))
    path = folder / "epochs.parquet"
    rows = pd.read_parquet(path)
    assert len(rows) == 252
    whole = isinstance(values, list) and len(values) == 252
    rows.assign(**{column: values if whole else [values] * 252}).to_parquet(path)
    try:
        found = load_folder(folder).final()
    except HarnessError as error:
        assert str(folder) in str(error)
    else:
        assert np.isfinite(found.select_dtypes("number").to_numpy()).all()


# -- labels: what was run is found ------------------------------------------------------------------------------------

LABELS = st.text(
    st.one_of(st.sampled_from(".-_ /\\~$%#&{}[]()'\"<>|*+=@:;,!?^`"), st.characters(exclude_categories=("C", "Z"))),
    min_size=1,
    max_size=30,
).filter(is_label)


@settings(max_examples=200, deadline=None)
@given(LABELS, st.integers(0, 2**63 - 1))
def test_the_folder_of_a_run_is_seen_by_every_reader(label: str, seed: int) -> None:
    study = {
        "name": "s", "space": "nasbench201", "dataset": "digits100", "table": "nasbench201.digits", "epochs": 1,
        "methods": {label: {"method": "random-search"}}, "seeds": [seed],
    }  # fmt: skip
    (run,) = load_study(study).runs
    assert is_name(run.folder_name)
    assert not run.folder_name.startswith(".")


@pytest.mark.parametrize("label", [".5-noise", "..", "...", "a/b", "-x", "ä ö", "$x$", "=1+1", "{a}", "<b>"])
def test_what_was_run_is_found(label: str, tmp_path: Path) -> None:
    text = (
        SMALL_STUDY.replace('methods = ["darts", "sdarts-rs", "sdarts-adv", "random-search"]\n', "")
        + f'[methods]\n"{label}" = {{method = "random-search"}}\n'
    )
    path = tmp_path / "small.toml"
    path.write_text(text)
    planned = plan(load_study(path), tmp_path / "out")
    assert [o.error for o in run_all(planned, "cpu", 1)] == [None, None]
    assert all(p.state == "finished" for p in plan(load_study(path), tmp_path / "out"))
    folder = tmp_path / "out" / "small"
    assert len(scan_folder(folder).finished) == len(verify([folder]).whole) == 2
    assert load_folder(folder).epochs["method"].unique().tolist() == [label]
    assert [len(s.new) for s in merge([folder], tmp_path / "joined")] == [2]
    result = call("status", path, "--out", tmp_path / "out", "--format", "json")
    assert [row["state"] for row in json.loads(result.stdout)] == ["finished"] * 2


def test_two_labels_of_one_folder_are_refused() -> None:
    study = {
        "name": "s", "space": "nasbench201", "dataset": "digits100", "table": "nasbench201.digits", "epochs": 1,
        "methods": {"a b": {"method": "darts"}, "a-b": {"method": "darts"}}, "seeds": [0],
    }  # fmt: skip
    with pytest.raises(HarnessError, match="'a b' and 'a-b' are the same method with the same settings"):
        load_study(study)
    study["name"] = "s.running"
    with pytest.raises(HarnessError, match="that of an unfinished run's folder"):
        load_study(study)
