"""The documentation: every block of code is run as a reader would, and the site is built strictly and offline."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from benchmarks.comparisons.table import PAGE, parted, restated
from harness.cli.main import main
from harness.plots.base import FIGURES
from harness.runs.study import StudyFile
from harness.search.methods import list_methods
from tests.conftest import ROOT, often

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = ("sh", "python")
"""What a page runs, in its order, in one folder; a block with a title is a file there. `console` and `py` need what a
test does not have: the commands of the one are parsed, the other is compiled; `pycon` are examples of docstrings, which
`test_docstrings` runs."""


class Block(NamedTuple):
    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*match) for match in FENCE.findall(page.read_text())]


def named(page: Path) -> str:
    return str(page.relative_to(DOCS))


TUTORIALS = [p for p in PAGES if any(b.title or b.language in RUN for b in blocks(p))]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder like a checkout's, with `harness`, `python` and `pip` for it alone."""
    folder, programs, site = tmp_path / "desk", tmp_path / "bin", tmp_path / "site"
    for made in (folder / "results", programs, site):
        made.mkdir(parents=True)
    (folder / "results" / "published").symlink_to(ROOT / "results" / "published")
    for name in ("benchmarks", "tests"):
        (folder / name).symlink_to(ROOT / name)
    pip = f'-m pip "$1" --quiet --no-deps --no-build-isolation --target {site} "${{@:2}}"'
    for name, command in (("harness", '-m harness "$@"'), ("python", '"$@"'), ("pip", pip)):
        (programs / name).write_text(f"#!/bin/bash\nexec {sys.executable} {command}\n")
        (programs / name).chmod(0o755)
    return folder


def do(block: Block, desk: Path) -> None:
    if block.title:
        path = desk / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        if not path.name.startswith("test_"):
            return
    site = desk.parent / "site"
    environment = os.environ | {
        "PATH": f"{desk.parent / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(map(str, (site, desk, ROOT))),
        "NASBENCH_HARNESS_CACHE": str(desk.parent / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    command = {
        "sh": ["bash", "-euo", "pipefail", "-c", block.text],
        "python": [sys.executable, "-c", block.text],
    }[block.language]
    if block.title:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", block.title]
    done = subprocess.run(command, cwd=desk, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{block.text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


OFTEN = ("index", "method", "space", "logs", "data", "rederive", "recipes", "restrict", "train")


@pytest.mark.parametrize("page", often(TUTORIALS, lambda page: page.stem in OFTEN), ids=named)
def test_every_block_runs(page: Path, desk: Path) -> None:
    for block in blocks(page):
        if block.title or block.language in RUN:
            do(block, desk)


def test_no_block_is_passed_over() -> None:
    """What is neither run nor a file is of a kind that another test looks at."""
    assert {b.language for page in PAGES for b in blocks(page) if not b.title} <= {
        *RUN,
        "console",
        "py",
        "pycon",
        "toml",
        "text",
    }


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(b.language in ("console", "py") for b in blocks(p))], ids=named
)
def test_what_is_only_shown_is_at_least_a_command(page: Path) -> None:
    for block in blocks(page):
        if block.language == "py":
            compile(block.text, str(page), "exec")
        for line in block.text.splitlines() if block.language == "console" else ():
            program, *words = shlex.split(line.removeprefix("$ "), comments=True)
            assert program == "harness"
            command: click.Command = main
            context = click.Context(main, **main.context_settings)
            while isinstance(command, click.Group):
                name, *words = words
                found = command.get_command(context, name)
                assert found is not None, line
                command = found
            command.make_context(command.name, words, parent=context, resilient_parsing=True)


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(b.language == "toml" and not b.title for b in blocks(p))], ids=named
)
def test_a_part_of_a_study_is_valid(page: Path) -> None:
    """Sections that are shown without the rest of their study."""
    rest = {"name": "a", "space": "nasbench201", "dataset": "digits", "table": "none", "methods": ["darts"]}
    for block in blocks(page):
        if block.language == "toml" and not block.title:
            StudyFile.model_validate(rest | {"seeds": "0", "epochs": 1} | tomllib.loads(block.text))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs")
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_the_site_is_built_strictly(site: Path) -> None:
    text = (site / "reference" / "cli.html").read_text()
    assert "harness gate" in text
    assert "--accept" in text
    assert "<code>--format [table|json|csv|markdown|latex]</code>: How to print rows." in text
    text = (site / "reference" / "study.html").read_text()
    assert all(f"<td><code>{key}</code></td>" in text for key in StudyFile.model_fields if f'id="{key}"' not in text)
    api = (site / "reference" / "api.html").read_text()
    assert all(f'id="{name}"' in api for name in ("run", "load", "compare"))


def test_every_method_and_every_figure_has_its_place(site: Path) -> None:
    """Figures with a picture, made by the command below it, and what to see."""
    text = (site / "reference" / "figures.html").read_text()
    for name, cls in FIGURES.classes.items():
        assert f'src="figures/{name}.png"' in text, f"harness plot --all (docs/hooks.py) makes it: {name}"
        assert f"--figure {name} " in re.sub("<[^>]+>", "", text)
        assert cls.see.partition(".")[0].split(";")[0] in html.unescape(text)
    text = (site / "reference" / "methods.html").read_text()
    named = [name for name, entry in list_methods().items() if not entry.alias]
    assert [name for name in named if f'<h2 id="{name}">' not in text] == []
    for name in named:
        assert f'src="methods/{name}.png"' in text
        assert (site / "reference" / "methods" / f"{name}.png").is_file(), f"python docs/pictures.py {name} makes it"


def test_the_search_works_from_the_disk(site: Path) -> None:
    """The theme reads the index as a script where it may not fetch it, and needs a worker in a frame then."""
    index = (site / "search" / "search_index.js").read_text()
    assert json.loads(index.removeprefix("var __index = "))["docs"]
    assert 'src="assets/iframe-worker.js"' in (site / "index.html").read_text()


def test_the_site_asks_nobody_else_for_anything(site: Path) -> None:
    """No font, script, style or picture from another address."""
    asked = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=\"?(https?:)?//", re.IGNORECASE)
    for page in site.rglob("*.html"):
        found = [m.group(0) for m in asked.finditer(page.read_text()) if 'rel="canonical"' not in m.group(0)]
        assert not found, f"{page}: {found[0]}"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\"?https?:", style.read_text()), style


def test_conventions_list_every_official_field() -> None:
    """Each field that the preset `official` of a method has otherwise is named in its row."""
    rows = [r for r in (DOCS / "explanation/conventions.md").read_text().splitlines() if r.startswith("| `")]
    for name, entry in list_methods().items():
        fields = {field for part in entry.official.values() for field in part}
        if fields and not entry.alias:
            (row,) = [r for r in rows if f"`{name}`" in r.split("|")[1]]
            assert all(f"`{field}`" in row for field in fields), (name, fields)


def test_the_table_of_methods_says_what_they_are_now() -> None:
    """Papers, statuses and passes are those of the registry; one that was wrong would be put right."""
    inside = parted(PAGE.read_text())[1]
    assert "| conforms |" in inside
    assert restated(inside) == inside, "python benchmarks/comparisons/table.py --restate"
    assert restated(inside.replace("| conforms |", "| adapted |")) == inside
