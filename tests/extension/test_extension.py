"""A package from outside of the tree adds one of each kind, each in one file, and a study runs through all of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
STUDY = """
name = "extras"
space = "triangle"
dataset = { name = "stripes", count = 64 }
table = "mine"
methods = ["sign-darts", "sign-darts + pull", "darts", "sdarts-adv", "random-search"]
seeds = "0..1"
epochs = 3

[supernet]
channels = 4

[training]
batch_size = 8
steps_per_epoch = 2

[probes.margin]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built and installed by pip."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    source = tmp_path_factory.mktemp("source")
    for path in (HERE / "pyproject.toml", HERE / "nas_extras"):  # a copy, so that no build is left in the tree
        subprocess.run(["cp", "-r", path, source], check=True)
    subprocess.run([*command, target, source], check=True, capture_output=True)
    return target


@pytest.fixture(scope="module")
def harness(installed: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("work")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]),
        "NASBENCH_HARNESS_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    (folder / "study.toml").write_text(STUDY)

    def call(*arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "harness", *map(str, arguments)]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    call.folder = folder  # type: ignore[attr-defined]
    return call


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("spaces", "triangle"),
        ("searchers", "sign"),
        ("methods", "sign-darts"),
        ("regularizers", "pull"),
        ("datasets", "stripes"),
        ("datasets", "counting"),
        ("probes", "margin"),
        ("formats", "answers"),
        ("figures", "margins"),
        ("importers", "triangles"),
        ("exporters", "lines"),
        ("executors", "here"),
        ("policies", "smallest"),
    ],
)
def test_listings_show_it(harness, kind: str, name: str) -> None:
    done = harness("list", kind, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert name in {str(next(iter(row.values()))) for row in json.loads(done.stdout)}


def test_what_nobody_proved_is_called_so(harness) -> None:
    status = {row["method"]: row["status"] for row in json.loads(harness("list", "methods", "--format", "json").stdout)}
    assert status["sign-darts"] == status["pull"] == "unproven"
    assert set(status.values()) == {"unproven", "adapted", "specified", "conforms"}


def test_a_study_runs_through_all_of_them(harness) -> None:
    operations = ("zero", "identity", "convolution")
    cells = [f"{a}/{b}/{c}" for a in operations for b in operations for c in operations]
    answers = {cell: [50 + cell.count("conv"), 40 + 10 * cell.count("conv")] for cell in cells}
    (harness.folder / "t.answers.json").write_text(json.dumps(answers))
    added = harness("tables", "add", "t.answers.json", "--name", "mine")
    assert added.returncode == 0, added.stderr
    assert "27 architectures" in added.stdout
    done = harness("run", "study.toml", "--executor", "here", "--jobs", 1, "--format", "json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["method"] for row in rows] == [
        "sign-darts",
        "sign-darts + pull",
        "darts",
        "sdarts-adv",
        "random-search",
    ]
    assert all(row["n"] == 2 for row in rows)
    page = harness("report", "study.toml")
    assert page.returncode == 0, page.stderr
    text = (harness.folder / page.stdout.strip()).read_text()
    assert "sign-darts" in text and "pull: an example" in text
    drawn = harness("plot", "study.toml", "--all", "--to", "figures")
    assert drawn.returncode == 0, drawn.stderr
    assert {"trajectory.png", "cell.png", "alphas.png", "margins.png"} <= {
        p.name for p in (harness.folder / "figures").iterdir()
    }

    written = harness("export", "study.toml", "--format", "lines", "--to", "last.txt")
    assert written.returncode == 0, written.stderr
    lines = (harness.folder / "last.txt").read_text().splitlines()
    assert len(lines) == 10 and lines[0].split()[:2] == ["sign-darts", "0"]
    (harness.folder / "logs").mkdir()
    (harness.folder / "logs" / "theirs_3.triangles").write_text("\n".join(cells[:3]))
    taken = harness("import", "triangles", "logs", "--table", "mine", "--to", "imported")
    assert taken.returncode == 0, taken.stderr
    shown = harness("plot", "imported/logs", "--figure", "trajectory", "--to", "figures")
    assert shown.returncode == 0, shown.stderr


WORDS = """
name = "words"
space = "recurrent.ptb"
dataset = { name = "counting", last = 40 }
methods = ["darts", "sdarts-rs"]
seeds = "0"
epochs = 2

[supernet]
channels = 4

[training]
batch_size = 6
momentum = 0.0
gradient_clip = 0.25
steps_per_epoch = 2
"""


def test_a_study_reads_its_text(harness) -> None:
    """A data set that is no image, of a space that reads words."""
    (harness.folder / "words.toml").write_text(WORDS)
    done = harness("run", "words.toml", "--jobs", 1, "--format", "json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["method"] for row in rows] == ["darts", "sdarts-rs"]
    assert all(row["final_perplexity"] > 1 for row in rows)
    refused = harness("plan", "words.toml", "--set", "space=triangle")
    assert refused.returncode == 2
    assert "triangle reads images, and the data set counting has words" in refused.stderr


def test_a_broken_package_is_named(harness, installed: Path) -> None:
    info = next(installed.glob("nas_extras-*.dist-info")) / "entry_points.txt"
    before = info.read_text()
    info.write_text(before.replace("nas_extras.probe:Margin", "nas_extras.probe:Margins"))
    try:
        done = harness("list", "probes")
    finally:
        info.write_text(before)
    assert done.returncode == 2
    assert "the entry point 'nas_extras.probe:Margins' of nasbench_harness.probes cannot be loaded" in done.stderr
