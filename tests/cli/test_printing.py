"""Tables on a narrow terminal: no word is broken, nothing is swallowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.listing import list_members
from harness.cli.main import KINDS, main
from harness.cli.printing import emit
from harness.core.markup import render_latex_table, render_markdown_table
from tests.conftest import ROOT

WIDTH = 80


def words(rows: list[dict[str, object]]) -> set[str]:
    return {word for row in rows for value in row.values() for word in str(value).split() if value is not None}


def printed(rows: list[dict[str, object]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    emit(rows, "table", "title [3, 32, 32]")
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_no_name_is_broken_in_mid_word(
    kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = list_members(kind)
    text = printed(rows, capsys, monkeypatch)
    _, _, told = text.partition("have no room for: ")
    left_out = told.partition(" (--format csv")[0].replace("\n", " ").split(", ") if told else []
    kept = [{k: v for k, v in row.items() if k not in left_out} for row in rows]
    assert len(kept[0]) > 1
    assert words(kept) <= {word for line in text.splitlines() for word in line.replace("│", " ").split()}
    assert all(len(line) <= WIDTH for line in text.splitlines() if line[:1] in "┏┃┡│└")


def test_brackets_are_no_markup(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed([{"name": "npz", "what": "uint8 [n, height, width] or [bold]"}], capsys, monkeypatch)
    assert "uint8 [n, height, width] or [bold]" in text
    assert "title [3, 32, 32]" in text


def test_what_is_too_wide_is_turned_or_loses_columns_and_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"measure": "ImageNet16-120/x-test@200", "best": "|nor_conv_3x3~0|" * 4, "n": 3, "nothing": None}
    text = printed([row], capsys, monkeypatch)
    assert "ImageNet16-120/x-test@200" in text
    assert "|nor_conv_3x3~0|" * 4 in text
    assert "nothing" not in text
    text = printed([row] * 20, capsys, monkeypatch)
    assert "80 columns have no room for: best (--format csv, or a wider terminal)" in text


def test_comparisons_at_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    for verb in ("compare", "paper"):
        result = CliRunner().invoke(main, [verb, str(ROOT / "results" / "published" / "digits")])
        assert result.exit_code == 0, result.output
        lines = [line for line in result.output.splitlines() if line[:1] in "┏┃┡│└"]
        assert lines
        assert all(len(line) <= WIDTH for line in lines)
        assert any("random-search" in line for line in lines)


def test_latex_escapes_and_keeps_numbers_to_the_right() -> None:
    rows = [{"method": "a_b~c", "error": 1.5, "who": "1 ± 2 {x} \\ ^"}]
    lines = render_latex_table(rows).splitlines()
    assert lines[0] == r"\begin{tabular}{lrl}"
    assert lines[4] == r"a\_b\textasciitilde{}c & 1.5 & 1 $\pm$ 2 \{x\} \textbackslash{} \textasciicircum{} \\"
    assert "a \\| b" in render_markdown_table([{"x": "a | b"}])


def test_a_folder_of_folders_names_those_inside(tmp_path: Path) -> None:
    rows = ROOT / "results" / "published"
    result = CliRunner().invoke(main, ["compare", str(rows)])
    assert result.exit_code == 2
    assert "holds no finished run: name one of the folders inside: " in result.output
    (tmp_path / "runs.csv").write_text("method,seed,epoch,arch\n")
    result = CliRunner().invoke(main, ["plot", str(tmp_path / "runs.csv")])
    assert (result.exit_code, "harness import" in result.output) == (2, True)
