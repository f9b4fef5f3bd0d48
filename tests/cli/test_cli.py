"""The command line as a person meets it: help, formats, and one sentence for every mistake."""

import csv
import io
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.cli.main import main
from harness.core.version import __version__
from harness.results.load import load_folder
from harness.runs.execute import plan
from harness.runs.study import load_study
from harness.tables.catalog import open_table
from tests.conftest import RECORDS, ROOT
from tests.support.results import read_finished

PUBLISHED = ROOT / "results" / "published" / "ten-seeds"


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


def sentence(result: Result) -> str:
    """The one line of an error, exit code 2."""
    assert result.exit_code == 2, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in result.output
    return lines[0]


def test_help_shows_examples_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from harness.cli.main import main\n"
        "for args in ([], ['--help'], ['run', '--help'], ['tables', 'add', '--help']):\n"
        "    result = CliRunner().invoke(main, args); print(result.output)\n"
        "heavy = {'torch', 'pandas', 'numpy', 'matplotlib', 'pydantic', 'scipy', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Examples:" in done.stdout
    assert "harness run benchmarks/trajectories/digits.toml" in done.stdout


def test_version() -> None:
    assert call("--version").output == f"harness, version {__version__}\n"


@pytest.mark.parametrize("verb", ["plan", "run", "status", "plot", "publish", "list", "conform", "tables"])
def test_every_verb_explains_itself(verb: str) -> None:
    result = call(verb, "--help")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 5


def test_misspelt_command() -> None:
    assert sentence(call("runn")) == "error: unknown command 'runn': did you mean 'run' or 'rank'?"
    assert "did you mean 'train'" in sentence(call("tables", "trian"))


def test_plan_and_dry_run_show_the_runs_and_run_nothing(small_study: Path, tmp_path: Path) -> None:
    for extra in (["plan"], ["run", "--dry-run"]):
        result = call(*extra, small_study, "--out", tmp_path / "o", "--format", "json", "--seeds", "4..5")
        rows = json.loads(result.stdout)
        assert [(r["method"], r["seed"], r["state"]) for r in rows][:2] == [
            ("darts", 4, "not begun"),
            ("sdarts-rs", 4, "not begun"),
        ]
        assert len(rows) == 8
    assert not (tmp_path / "o").exists()


def test_run_status_plot_publish(small_study: Path, tmp_path: Path) -> None:
    settings, digits = ['methods=["darts", "random-search"]'], open_table("nasbench201.digits")
    arguments = (small_study, "--out", tmp_path / "o", "--seeds", "0", "--set", *settings)
    assert sentence(call("plot", *arguments)).startswith("error: no run of small is finished under")
    result = call("run", *arguments, "--jobs", "1", "--format", "csv")
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [r["method"] for r in rows] == ["darts", "random-search"]
    assert 0 < float(rows[0]["final_error_pct"]) < 100
    assert "[2/2] random-search seed 0: finished" in result.stderr
    status = json.loads(call("status", *arguments, "--format", "json").stdout)
    assert [(r["state"], r["epochs"]) for r in status] == [("finished", "3/3")] * 2
    table = call("status", *arguments).output
    assert "random architecture" in table
    assert "optimum" in table
    again = call("run", *arguments, "--jobs", "1")
    assert "2 of 2 runs finished before" in again.stderr
    drawn = call("plot", *arguments, "--metric", "regret", "--to", tmp_path / "fig")
    assert drawn.exit_code == 0, drawn.output
    assert {p.name for p in (tmp_path / "fig").iterdir()} == {
        "trajectory.svg",
        "trajectory.png",
        "trajectory.pdf",
        "trajectory.csv",
        "trajectory-seeds.csv",
    }
    assert call("publish", *arguments, "--to", tmp_path / "pub").exit_code == 0
    published = load_folder(tmp_path / "pub" / "small")
    assert published.final().to_dict("records") == read_finished(
        plan(load_study(small_study, settings, "0"), tmp_path / "o"), digits
    ).final().to_dict("records")
    assert "| darts | 1 |" in (tmp_path / "pub" / "small" / "README.md").read_text()
    first = f"of small are not finished: run the study first, harness run {small_study} --out {tmp_path}"
    assert first in sentence(call("publish", small_study, "--out", tmp_path))
    more = call("plot", *arguments, "--to", tmp_path / "fig", "--set", 'methods=["darts", "sdarts-rs"]')
    assert "note: 1 of 2 runs are not finished and are left out" in more.stderr
    assert "has no d/test@1: " in sentence(call("plot", *arguments, "--measure", "d/test@1"))


def test_wrong_input_is_one_sentence(small_study: Path, tmp_path: Path) -> None:
    assert "seeds '9..0' count down" in sentence(call("run", small_study, "--seeds", "9..0"))
    assert "unknown method 'dart'" in sentence(call("run", small_study, "--set", 'methods=["dart"]'))
    assert "has no key 'epoch'" in sentence(call("plan", small_study, "--set", "epoch=3"))
    assert "unknown device 'tpu'" in sentence(call("run", small_study, "--device", "tpu"))
    assert "no study file at" in sentence(call("run", tmp_path / "absent.toml"))
    assert "no conformance record at" in sentence(call("conform", tmp_path / "absent"))
    assert "unknown table 'x'" in sentence(call("tables", "info", "x"))
    assert "methods" in sentence(call("plan", small_study, "--set", "methods=3"))
    assert "methods" in sentence(call("plan", small_study, "--set", "methods=darts"))
    (tmp_path / "file").write_text("")
    failed = sentence(call("run", small_study, "--out", tmp_path / "file", "--jobs", "1", "--seeds", "0"))
    assert "cannot write to" in failed


@pytest.mark.parametrize(
    "verb",
    [
        ("report", "{published}", "--to"),
        ("export", "{published}", "--format", "csv", "--to"),
        ("export", "{published}", "--format", "parquet", "--to"),
        ("gate", "{published}", "--write"),
        ("claims", "write"),
    ],
    ids=" ".join,
)
def test_a_file_is_not_written_over_a_folder(
    verb: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = call(*(v.format(published=PUBLISHED) for v in verb), str(tmp_path))
    assert sentence(result) == f"error: {tmp_path} is a folder: name a file inside of it"
    assert list(tmp_path.iterdir()) == []


def test_an_mlflow_store_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = sentence(call("export", str(PUBLISHED), "--format", "mlflow", "--to", str(tmp_path / "file")))
    assert told.startswith(f"error: cannot write to {tmp_path / 'file'} (Not a directory)")


def test_conform_exits_with_1_beyond_the_limit(tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    np.savez(other, meta=json.dumps({"method": "zarts"}))
    good = call("conform", RECORDS / "nasbench201_darts1.npz", other)
    assert good.exit_code == 0
    assert "skipped other: method 'zarts' is not replayed by this version" in good.stderr
    assert "1 records, 9 quantities, 0 beyond 1e-09" in good.stderr
    text = (RECORDS / "nasbench1shot1_derivation.json").read_text().replace('"conv1x1-bn-relu"', '"maxpool3x3"', 7)
    (tmp_path / "changed.json").write_text(text)
    bad = call("conform", tmp_path / "changed.json", "--format", "json")
    assert bad.exit_code == 1
    assert any(r["conforms"] == "NO" for r in json.loads(bad.stdout))
    (tmp_path / "half.npz").write_bytes((RECORDS / "nasbench201_darts1.npz").read_bytes()[:100_000])
    damaged = call("conform", tmp_path / "half.npz", RECORDS / "nasbench201_darts1.npz")
    assert damaged.exit_code == 2
    assert damaged.stdout == good.stdout
    assert "1 records, 9 quantities, 0 beyond 1e-09" in damaged.stderr
    assert "error: 1 of the files could not be replayed to the end (the first: half)" in damaged.stderr
    only_other = call("conform", other)
    assert "none of the files is a record that this version can replay" in sentence(only_other)


def test_lists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path))
    rows = json.loads(call("list", "methods", "--format", "json").stdout)
    assert {"darts", "darts-2nd", "sdarts-rs", "sdarts-adv", "random-search"} <= {r["method"] for r in rows}
    spaces = json.loads(call("list", "spaces", "--format", "json").stdout)
    assert {"darts.s1", "nasbench1shot1.s3", "nasbench201"} <= {r["name"] for r in spaces}
    regularizers = json.loads(call("list", "regularizers", "--format", "json").stdout)
    assert all(r["what"] and r["fields"] for r in regularizers)
    assert call("list").exit_code == 0
    assert "nasbench201.digits" in call("tables", "list").output


def test_add_a_table_and_use_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path / "cache"))
    text = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    csv_file = tmp_path / "mine.csv"
    csv_file.write_text(f"arch,dataset,split,epochs,trial,accuracy\n{text},d,test,3,0,55\n")
    added = call("tables", "add", csv_file, "--name", "mine", "--space", "nasbench201")
    assert added.exit_code == 0, added.output
    assert "mine: 1 of 15,625 architectures, 1 columns, test d/test@3" in added.output
    rows = json.loads(call("tables", "info", "mine", "--format", "json").stdout)
    assert rows[0] | {"measure": "d/test@3", "role": "test, judges", "best": 55.0, "best architecture": text} == rows[0]
    (found,) = json.loads(call("tables", "lookup", "mine", text, "--format", "json").stdout)
    assert found == {"measure": "d/test@3", "trial": 0, "accuracy_pct": 55.0, "percentile": None}
    misspelt = sentence(call("tables", "lookup", "mine", text.replace("none~2", "nonw~2")))
    assert "NAS-Bench-201 has no operation 'nonw'" in misspelt
    assert "did you mean 'none'?" in misspelt
    assert "table mine does not hold" in sentence(
        call("tables", "lookup", "mine", text.replace("none", "skip_connect"))
    )
    wrong = call("tables", "add", csv_file, "--name", "../mine", "--space", "nasbench201")
    assert "cannot name a table" in sentence(wrong)
    assert "unknown space 'nb201'" in sentence(call("tables", "add", csv_file, "--name", "m", "--space", "nb201"))


def test_info_prints_provenance() -> None:
    output = call("tables", "info", "nasbench201.digits").output
    assert "fingerprint: " in output
    assert "trained by this project" in output


def test_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "harness", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("harness")


def test_run_it_first_names_all_that_was_asked(small_study: Path, tmp_path: Path) -> None:
    """The command that is told computes just the runs that were looked for."""
    words = ["--set", 'methods=["random-search"]', "--set", "epochs=1", "--seeds", "5"]
    told = sentence(call("compare", small_study, *words, "--out", tmp_path / "a b"))
    command = told.partition("run it first, ")[2]
    assert shlex.split(command) == ["harness", "run", str(small_study), *words, "--out", str(tmp_path / "a b")]
    assert call(*shlex.split(command)[1:], "--jobs", "1").exit_code == 0
    assert "only method" in sentence(call("compare", small_study, *words, "--out", tmp_path / "a b"))
    told = sentence(call("compare", small_study, "--set", "name=other"))
    assert told.endswith(f"under results/runs: run it first, harness run {small_study} --set name=other")


def test_a_paper_calls_methods_as_the_study_does() -> None:
    labels = ["--set", 'figures.labels={darts = "Ours", sdarts-rs = "RS"}']
    for form in ("table", "csv", "json", "markdown", "latex"):
        told = call("paper", PUBLISHED, *labels, "--format", form).stdout
        assert "Ours" in told and "RS" in told and "sdarts-rs" not in told
    assert "worse than Ours in" in " ".join(call("paper", PUBLISHED, *labels, "--format", "markdown").stdout.split())


def test_conform_tells_each_record_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also into a file, where nothing would be seen for minutes if it were kept back."""
    from harness.testing import conformance

    said = tmp_path / "said.txt"
    seen = []

    def replay(paths: object) -> Iterator[list[conformance.QuantityCheck]]:
        for name in "abc":
            yield [conformance.QuantityCheck(name, "q", 0.0)]
            seen.append(said.read_text().count("\n"))

    monkeypatch.setattr(conformance, "replay_files", replay)
    with said.open("w") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        main(["conform", str(tmp_path)], standalone_mode=False)
    assert seen == [1, 2, 3]
    assert said.read_text().splitlines()[2] == "3: c: largest relative error 0.0e+00"
