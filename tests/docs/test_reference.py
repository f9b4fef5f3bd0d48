"""The pages of docs/reference that are made of docstrings are what the code says now."""

from pathlib import Path

import pytest

from harness.cli.main import main
from tests.conftest import ROOT

pytest.importorskip("griffe")
from tools.reference.__main__ import PAGES, written


def page(name: str) -> Path:
    return ROOT / "docs" / "reference" / f"{name}.md"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert page(name).read_text() == written(PAGES[name]), "python -m tools.reference"


def test_pages_can_be_read_where_nothing_builds_them() -> None:
    """As a code host shows them: every verb with its options, every field of what hooks are told."""
    assert not any(line.startswith(":::") for path in ROOT.joinpath("docs").rglob("*.md") for line in path.open())
    text = page("cli").read_text()
    assert all(f"## harness {verb}\n" in text for verb in main.commands)
    assert "- `--follow`: " in text
    text = page("plugins").read_text()
    moment = text.partition("class Moment:\n")[2].partition("```")[0]
    assert all(f"    {field}: " in moment for field in ("streams", "epoch", "epochs", "cells"))
    assert "def draw(" in text or "class Streams" in text
