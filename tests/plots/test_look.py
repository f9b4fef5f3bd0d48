"""The look of methods, and that drawing leaves the user's settings of matplotlib alone."""

import re
import subprocess
import sys
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.plots.base import FIGURES
from harness.plots.choose import choose_runs
from harness.plots.look import FigureLook, find_own_methods
from harness.plots.style import DASHES, LOUD, QUIET
from harness.plots.together import join_drawn
from harness.results.load import load_folder
from harness.runs.appearance import Appearance
from harness.search.searchers.base import SEARCHERS
from tests.conftest import ROOT
from tests.support.results import of_errors

PUBLISHED = ROOT / "results" / "published"


def test_the_baseline_is_quiet_and_an_own_method_strong() -> None:
    look = FigureLook.of(["a", "b", "mine"], own={"mine"})
    assert look["a"].color == QUIET
    assert look["mine"].color == LOUD
    assert look["mine"].width > look["b"].width
    assert len({str(line.dash) for line in look.lines.values()}) == 3
    assert len({line.marker for line in look.lines.values()}) == 3
    assert FigureLook.of(["a", "b"], baseline="b")["b"].color == QUIET
    assert FigureLook.of(["a"])["a"].color != QUIET


def test_no_two_of_a_study_look_alike() -> None:
    names = [f"m{i}" for i in range(8)]
    lines = FigureLook.of(names).lines.values()
    assert len({(line.color, str(line.dash), line.marker) for line in lines}) == 8
    assert len({line.color for line in lines}) >= 7


def test_a_study_decides() -> None:
    chosen = Appearance(colours={"b": "black"}, labels={"b": "ours"}, own=("b",), limits={"error": (0, 50)})
    look = FigureLook.of(["a", "b"], appearance=chosen)
    assert look["b"].color == "black"
    assert look.label("b") == "ours"
    assert look.label("a") == "a"
    content = FIGURES.build("seeds", {}).content(
        replace(load_folder(PUBLISHED / "digits"), figures=Appearance(limits={"error": (10, 60)}))
    )
    assert FIGURES.build("seeds", {}).render(content).axes[0].get_ylim() == (10, 60)


def test_a_part_of_another_package_is_a_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine:
        name = "my-searcher"

    Mine.__module__ = "my_package.search"
    monkeypatch.setitem(SEARCHERS.classes, "my-searcher", Mine)
    runs = [
        {"method_name": label, "configuration": {"method": {part: {}}}}
        for label, part in (("mine", "my-searcher"), ("theirs", next(iter(SEARCHERS.classes))))
    ]
    assert find_own_methods(runs) == {"mine"}


def test_a_method_looks_the_same_whichever_others_are_drawn() -> None:
    results = load_folder(PUBLISHED / "ten-seeds")
    every, look = choose_runs(results)
    methods = every.methods
    some, same = choose_runs(results, methods=[methods[2], methods[0]])
    assert some.methods == [methods[2], methods[0]]
    assert list(some.endpoints().runs["method"].unique()) == [methods[2], methods[0]]
    assert same[methods[2]] == look[methods[2]]
    assert set(some.lookups["method"]) == {methods[2], methods[0]}
    with pytest.raises(HarnessError, match="these runs have no method 'dart': did you mean"):
        choose_runs(results, methods=["dart"])
    with pytest.raises(HarnessError, match="has no nothing/test@1"):
        from harness.tables.measure import Measure

        choose_runs(results, measure=Measure("nothing", "test", 1))


def test_another_measure_judges_every_figure() -> None:
    results = load_folder(PUBLISHED / "digits")
    assert results.table is not None
    other = results.table.validation
    assert other not in (None, results.table.test)
    judged, _ = choose_runs(results, measure=other)
    final = judged.endpoints().runs["final_error_pct"].to_numpy()
    rows = results.epochs.sort_values("epoch").groupby(["method", "seed"], sort=False)["architecture"].last()
    values = [100 - results.table.lookup(results.table.space.parse(a), other) for a in rows]
    assert np.sort(final) == pytest.approx(np.sort(values))
    assert results.table.test != other  # the runs' own table is as it was


def test_settings_of_matplotlib_stay_as_they_were() -> None:
    code = (
        "import matplotlib; matplotlib.rcParams['font.size'] = 17; before = dict(matplotlib.rcParams)\n"
        "from pathlib import Path; import sys\n"
        "from harness.plots.gallery import make, save_all; from harness.results.load import load_folder\n"
        f"found = load_folder(Path({str(PUBLISHED / 'digits')!r}))\n"
        "made, _ = make(found, ['seeds', 'trajectory'])\n"
        "save_all(made, Path(sys.argv[1]))\n"
        "changed = [k for k, v in dict(matplotlib.rcParams).items() if before[k] != v]\n"
        "assert not changed, changed"
    )
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        svg = (Path(folder) / "seeds.svg").read_text()
        assert "17px" not in svg  # nor do they change the figure


def fonts(pdf: bytes) -> set[bytes]:
    """The kinds of all fonts in a PDF file, compressed objects included."""
    texts = [pdf]
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            texts.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return set(re.findall(rb"/Subtype\s*/(Type\w+|CIDFontType\w+|TrueType)", b"\n".join(texts)))


def test_fonts_are_embedded_as_type_42(tmp_path: Path) -> None:
    from harness.plots.gallery import make, save_all

    made, missing = make(load_folder(PUBLISHED / "ten-seeds"))
    assert list(missing) == ["dose", "ledger"]
    paths = [p for p in save_all(made, tmp_path) if p.suffix == ".pdf"]
    assert len(paths) == len(FIGURES.classes) - 2
    for path in paths:
        found = fonts(path.read_bytes())
        assert b"Type3" not in found, path.name
        assert b"CIDFontType2" in found, path.name  # TrueType outlines: what Type 42 is in a PDF
    with matplotlib.rc_context({"pdf.fonttype": 3}):  # the parser sees a Type 3 font where there is one
        from matplotlib.figure import Figure

        plain = Figure()
        plain.text(0.5, 0.5, "text")
        plain.savefig(tmp_path / "plain.pdf")
    assert b"Type3" in fonts((tmp_path / "plain.pdf").read_bytes())


def test_no_committed_figure_has_type_3_fonts() -> None:
    paths = [p for folder in ("results", "docs", "benchmarks") for p in (ROOT / folder).rglob("*.pdf")]
    assert {PUBLISHED / n / "trajectory.pdf" for n in ("digits", "digits-1shot1", "ten-seeds")} <= set(paths)
    assert [p for p in paths if "runs" not in p.parts and b"Type3" in fonts(p.read_bytes())] == []


def test_panels_of_a_fixed_shape_stand_where_they_will_from_the_first_file_on() -> None:
    """Else the first file, the SVG, has its labels cut off."""
    figure = FIGURES.build("landscape", {})
    page = figure.render(figure.content(load_folder(PUBLISHED / "ten-seeds")))
    places = [[ax.get_position().bounds for ax in page.axes] for _ in range(2) if page.draw_without_rendering() is None]
    assert np.allclose(*places, atol=0.002)
    assert min(ax.get_tightbbox().y0 for ax in page.axes) > 0


def test_dashes_differ() -> None:
    assert len({str(d) for d in DASHES}) == len(DASHES)


def test_two_studies_stand_in_one_figure() -> None:
    first, second = (load_folder(PUBLISHED / name) for name in ("ten-seeds", "digits"))
    ten, three = (choose_runs(replace(runs, name=name)) for runs, name in ((first, "ten"), (second, "three")))
    runs, look = join_drawn([ten, three])
    assert len(runs) == len(first) + len(second)
    here, there = look["darts (ten)"], look["darts (three)"]
    assert here.color == there.color
    assert here.dash != there.dash
    assert here.marker != there.marker
    content = FIGURES.build("trajectory", {}).content(runs, look)
    assert set(content.rows["method"]) == set(look.lines)
    other = load_folder(PUBLISHED / "digits-1shot1")
    with pytest.raises(HarnessError, match="looked up in different tables"):
        join_drawn([ten, choose_runs(other)])
    with pytest.raises(HarnessError, match="two studies are called 'ten'"):
        join_drawn([ten, ten])


def test_hundreds_of_methods_are_not_drawn() -> None:
    """A report of 2,000 ended without a word, for want of memory."""
    many = of_errors({f"m{place}": {0: [50.0, 40.0]} for place in range(201)})
    with pytest.raises(HarnessError, match="201 methods are too many to draw, 200 at most: name some"):
        choose_runs(many)
    assert len(choose_runs(many, methods=["m0", "m7"])[0]) == 2


def test_titles_of_panels_stay_in_their_panels() -> None:
    """Four panels a row of methods that are named with their study: the titles stood on one another."""
    drawn = [choose_runs(load_folder(PUBLISHED / name)) for name in ("ten-seeds", "digits")]
    figure = FIGURES.build("trajectory", {})
    page = figure.render(figure.content(*join_drawn(drawn)))
    page.draw_without_rendering()
    boxes = [ax.title.get_window_extent() for ax in page.axes]
    assert not any(one.overlaps(other) for one, other in pairwise(boxes))
    assert page.axes[0].get_title() == "darts (ten-seeds)\n(n = 10)"
