"""What comes from elsewhere is text wherever it goes: in a terminal, in CSV, markdown, HTML and LaTeX."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.printing import emit
from harness.core.markup import (
    comment_for_latex,
    escape_for_csv,
    escape_for_html,
    escape_for_markdown,
    escape_for_terminal,
    render_latex_table,
    render_markdown_table,
    unescape_csv,
    write_csv_text,
)
from harness.core.text import EXACT, is_label, keep_exact, replace_invisible

ODD = st.text(st.one_of(st.sampled_from("=+-@\t\r\n\x1b\x07'\"|[]()<>&\\*`~:/#$%_{}^\u202e\u2028"), st.characters()))


@given(ODD)
def test_no_control_character_is_left(text: str) -> None:
    for shown in (replace_invisible(text), escape_for_terminal(text).replace("\n", ""), escape_for_markdown(text)):
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029\u202a\u202e\u2066" for c in shown)
    assert replace_invisible(replace_invisible(text)) == replace_invisible(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", escape_for_html(text))


def test_what_can_be_read_stays_as_it_is() -> None:
    for text in ("sdarts-rs", "a b", "ä ö β-darts", "-5.78 [-25.73, +0.22]", "p < 0.0001", "**reproduced**", "93.1*"):
        assert (
            replace_invisible(text)
            == escape_for_terminal(text)
            == escape_for_markdown(text)
            == escape_for_csv(text)
            == text
        )
    assert replace_invisible("\udcff.csv") == "\udcff.csv"  # a file's name that is no text


@given(ODD)
def test_a_cell_is_no_formula_and_comes_back(text: str) -> None:
    cell = escape_for_csv(text)
    assert unescape_csv(cell) == text
    assert not cell.startswith(("=", "@", "\t", "\r"))
    assert not re.match(r"[+-].*[A-Za-z(|]", cell) or re.match(r"[+-][\d\s.,\[\]+%eEinfa-]*$", cell)


def test_formulas_in_every_csv(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"method": "=1+1", "=x": "-2+cmd|x", "error": -1.5}, {"method": "@a", "=x": "-3.5 [-4, -1]", "error": 2}]
    emit(rows, "csv")
    for written in (capsys.readouterr().out, write_csv_text(pd.DataFrame(rows))):
        read = list(csv.reader(io.StringIO(written)))
        assert read[0] == ["method", "'=x", "error"]
        assert read[1][:2] == ["'=1+1", "'-2+cmd|x"]
        assert read[2][:2] == ["'@a", "-3.5 [-4, -1]"]
        assert float(read[1][2]) == -1.5


@given(st.lists(ODD, min_size=2, max_size=2))
def test_a_cell_of_markdown_is_one_cell_of_text(texts: list[str]) -> None:
    lines = render_markdown_table([{"a": texts[0], "b": texts[1]}]).split("\n")
    assert len(lines) == 3
    for line in (lines[0], lines[2]):
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3
        assert not re.search(r"<[A-Za-z/!?]|&#?\w+;(?<!&amp;)(?<!&lt;)|\]\(|\]\[|://|www\.", line, re.IGNORECASE)


def test_links_and_tags_in_markdown() -> None:
    assert escape_for_markdown("[x](http://a) <script>") == r"[x]\(http:\//a) &lt;script>"
    assert escape_for_markdown("a\nb") == "a b"
    assert escape_for_markdown("&lt;b&gt;") == "&amp;lt;b&amp;gt;"


def test_rows_and_comments_of_latex() -> None:
    told = render_latex_table([{"[a": "[1ex]", "b": "*"}, {"[a": "*x", "b": "[y"}]).splitlines()
    assert told[2].startswith("{}[a & b")
    assert told[4].startswith("{}[1ex] & *")
    assert told[5].startswith("{}*x & [y")
    assert comment_for_latex("a\nb\r\x1bc") == "% a\n% b\\r\\x1bc"


@pytest.mark.long
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="apt-get install texlive-latex-recommended")
@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=1, max_codepoint=126), max_size=20), min_size=4, max_size=4))
def test_latex_is_compiled(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """Whatever a method is called, also what would begin an argument."""
    folder = tmp_path_factory.mktemp("latex")
    odd = ["[x]", "*", "\\input{y}", "$\\frac{a$", "a±b†", "#1"]
    rows = [{"method": text, "error": place} for place, text in enumerate([*texts, *odd])]
    (folder / "a.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
        f"{render_latex_table(rows)}\n{comment_for_latex(chr(10).join(texts))}\n\\end{{document}}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-no-shell-escape", "a.tex"], cwd=folder, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stdout[-1500:]


@given(st.integers(-(2**70), 2**70))
def test_whole_numbers_that_json_rounds_are_text(number: int) -> None:
    assert int(float(number)) == number or isinstance(keep_exact(number), str)
    assert int(keep_exact(number)) == number
    assert (keep_exact(EXACT), keep_exact(EXACT + 1), keep_exact(True)) == (EXACT, str(EXACT + 1), True)


def test_labels() -> None:
    assert is_label("a b") and is_label("ä") and is_label(".5")
    assert not any(map(is_label, ["", " ", "a\nb", "\x1b", "a" * 121, None, 3, "\ud800", "\u202e"]))


def test_a_page_holds_no_control_characters(tmp_path: Path) -> None:
    from jinja2 import Environment

    room = Environment(autoescape=True, finalize=escape_for_html)
    page = room.from_string("<b>{{ a }}</b>{{ n }}").render(a="<i>\x00\x1b\n", n=3)
    assert page == "<b>&lt;i&gt;\\x00\\x1b\n</b>3"
