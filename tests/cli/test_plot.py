"""The verb `plot`: what it writes, and its sentences."""

import csv
import html
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.test_cli import call, sentence
from tests.conftest import ROOT

DIGITS, TEN = (ROOT / "results" / "published" / name for name in ("digits", "ten-seeds"))
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|"


def test_chosen_figures_at_a_width_without_a_title(tmp_path: Path) -> None:
    arguments = ["--figure", "seeds", "--figure", "profile", "--methods", "sdarts-adv,darts"]
    done = call("plot", DIGITS, *arguments, "--width", "3.25", "--height", "2", "--title", "none", "--to", tmp_path)
    assert done.exit_code == 0, done.output
    kinds = ("svg", "png", "pdf", "csv")
    assert {p.name for p in tmp_path.iterdir()} == {f"{n}.{k}" for n in ("seeds", "profile") for k in kinds}
    with Image.open(tmp_path / "seeds.png") as image:
        assert image.size == (650, 400)
    assert "last error of every seed" not in (tmp_path / "seeds.svg").read_text()
    rows = list(csv.DictReader((tmp_path / "seeds.csv").open()))
    assert list(dict.fromkeys(row["method"] for row in rows)) == ["sdarts-adv", "darts"]


def test_settings_of_figures_do_not_change_the_standing(tmp_path: Path) -> None:
    label = ["--set", 'figures.labels={darts = "Ours"}', "--set", "figures.width=3.25"]
    assert call("plot", DIGITS, "--figure", "seeds", *label, "--to", tmp_path).exit_code == 0
    assert "Ours" in (tmp_path / "seeds.svg").read_text()
    with Image.open(tmp_path / "seeds.png") as image:
        assert image.width == 650
    assert "figures has no key 'label': did you mean 'labels'" in sentence(
        call("plot", DIGITS, "--set", "figures.label=3")
    )


def test_names_and_colours_that_nothing_has_are_told(tmp_path: Path) -> None:
    told = sentence(call("plot", DIGITS, "--set", 'figures.colours={darts = "oringe"}', "--to", tmp_path))
    assert "figures.colours.darts = 'oringe' is no color of matplotlib's: did you mean 'orange'" in told
    assert list(tmp_path.iterdir()) == []
    label = ["--set", 'figures.labels={drats = "Ours", sdarts-rs = "RS"}', "--set", 'figures.order=["sdarts-rs", "rs"]']
    done = call("plot", DIGITS, "--figure", "seeds", "--methods", "darts", *label, "--to", tmp_path)
    assert done.exit_code == 0, done.output
    assert [line for line in done.stderr.splitlines() if line.startswith("note: figures.")] == [
        "note: figures.labels names 'drats', which is no method of these runs: did you mean 'darts' or 'sdarts-rs' or "
        "'sdarts-adv'?",
        "note: figures.order names 'rs', which is no method of these runs: did you mean 'darts'?",
    ]


def test_one_architecture_without_any_run(tmp_path: Path) -> None:
    assert call("plot", "--architecture", CELL, "--table", "nasbench201.digits", "--to", tmp_path).exit_code == 0
    rows = list(csv.DictReader((tmp_path / "architecture.csv").open()))
    (own,) = (row for row in rows if row["what"] == "architecture")
    assert 0 < float(own["share"]) < 100
    assert call("plot", "--architecture", CELL, "--space", "nasbench201", "--to", tmp_path / "b").exit_code == 0
    assert "say --table TABLE, or --space SPACE" in sentence(call("plot", "--architecture", CELL))
    by_index = call("plot", "--architecture", "1835", "--table", "nasbench201", "--to", tmp_path / "c")
    assert by_index.exit_code == 0, by_index.output
    assert "45.70 %" in (tmp_path / "c" / "architecture.svg").read_text()


def test_two_studies(tmp_path: Path) -> None:
    done = call("plot", TEN, "--compare", DIGITS, "--methods", "darts", "--to", tmp_path)
    assert done.exit_code == 0, done.output
    assert "darts (digits) (n = 3)" in (tmp_path / "trajectory.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["runs.csv"], "runs.csv is no study: import its rows first, harness import runs.csv --table TABLE"),
        ([], "name a study or a folder of results, or an --architecture"),
        ([DIGITS, "--figure", "seed"], "unknown figure 'seed': did you mean 'seeds' or 'dose'?"),
        ([DIGITS, "--figure", "ranking"], "add [probes.ranking] to the study"),
        ([DIGITS, "--methods", "dart"], "these runs have no method 'dart': did you mean 'darts'"),
        ([DIGITS, "--figure", "seeds", "--metric", "regret"], "none of the figures seeds has a --metric"),
        ([TEN, "--compare", DIGITS.parent / "digits-1shot1"], "looked up in different tables"),
    ],
    ids=str,
)
def test_mistakes_are_one_sentence(arguments: list[object], told: str) -> None:
    assert told in sentence(call("plot", *arguments))


def test_figures_are_listed() -> None:
    listed = call("list", "figures", "--format", "csv").stdout
    assert "landscape" in listed
    assert "trajectory" in listed


def test_several_studies_and_all_of_them(tmp_path: Path) -> None:
    """None is dropped for the last."""
    for place, name in enumerate("ab"):
        text = "method,seed,epoch,arch\n" + "".join(f"m,{s},1,{place}\n" for s in (0, 1))
        (tmp_path / f"{name}.csv").write_text(text)
        assert (
            call("import", tmp_path / f"{name}.csv", "--table", "nasbench201.digits", "--to", tmp_path).exit_code == 0
        )
    beside = ["--compare", tmp_path / "a", "--compare", tmp_path / "b"]
    done = call("plot", DIGITS, *beside, "--figure", "seeds", "--to", tmp_path / "drawn")
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader((tmp_path / "drawn" / "seeds.csv").open()))
    assert {row["method"].rpartition(" ")[2] for row in rows} == {"(digits)", "(a)", "(b)"}
    told = sentence(call("plot", DIGITS, *beside, "--compare", tmp_path / "a", "--to", tmp_path / "drawn"))
    assert "two studies are called 'a'" in told


ODD = ["$\\frac{a$", "$x$", "_hidden", "a $ b", "50 $ of 100 $", "<b>&amp;", "\\alpha", "{x}", "#1 %", "^_"]


def test_labels_are_drawn_letter_by_letter(tmp_path: Path) -> None:
    """Half a formula ends nothing, and what begins with _ is in the legend."""
    rows = [f'"{m}",{s},{e},{p + s + e}\n' for p, m in enumerate(ODD) for s in range(2) for e in range(3)]
    (tmp_path / "odd.csv").write_text("method,seed,epoch,arch\n" + "".join(rows))
    assert call("import", tmp_path / "odd.csv", "--table", "nasbench201.digits", "--to", tmp_path).exit_code == 0
    done = call("plot", tmp_path / "odd", "--all", "--to", tmp_path / "drawn")
    assert done.exit_code == 0, done.output
    for name in ("profile", "seeds"):
        text = html.unescape((tmp_path / "drawn" / f"{name}.svg").read_text())
        assert all(label in text for label in ODD), name
    assert call("report", tmp_path / "odd", "--to", tmp_path / "page.html").exit_code == 0
    wanted = ["--set", "figures.labels={_hidden = '$\\\\beta$-DARTS'}", "--title", "$\\frac{a$", "--figure", "profile"]
    done = call("plot", tmp_path / "odd", *wanted, "--to", tmp_path / "again")
    assert done.exit_code == 0, done.output
    assert "$\\frac{a$" in (tmp_path / "again" / "profile.svg").read_text()
