"""Every figure's numbers, and that each is drawn."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.plots.alphas import Alphas, list_mixing_weights
from harness.plots.base import FIGURES
from harness.plots.cell import CellFigure
from harness.plots.dose import Dose
from harness.plots.gallery import make, save_all
from harness.plots.onset import Onset
from harness.plots.place import PlaceFigure
from harness.plots.profile import Profile
from harness.plots.ranks import Ranks, find_cliques
from harness.plots.seeds import Seeds
from harness.plots.stopping import Stopping
from harness.results.load import load_folder, read_planned
from harness.results.runs import Runs
from harness.runs.execute import plan, run_all
from harness.runs.study import load_study
from harness.spaces.base import SPACES
from tests.conftest import ROOT
from tests.support.results import TABLE, made_up
from tests.support.results import draw_ranks as random_seeds


@pytest.fixture(scope="module")
def made() -> Runs:
    rng = np.random.default_rng(0)
    methods = ("darts", "sdarts-rs", "other")
    return made_up({m: random_seeds(rng, 6, 300 * i, 12_000) for i, m in enumerate(methods)})


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A real study with every probe, five seeds of four methods."""
    from tests.conftest import SMALL_STUDY

    folder = tmp_path_factory.mktemp("measured")
    (folder / "s.toml").write_text(SMALL_STUDY)
    spectrum = '{batches = 1, by = "products", every = 2}'
    others = "landscape = {points = 5, every = 2}, ranking = {samples = 10, images = 16, every = 2}"
    probes = f"probes={{spectrum = {spectrum}, {others}}}"
    settings = ['methods=["darts", "sdarts-rs", "random-search", "drnas"]', probes]
    study = load_study(folder / "s.toml", settings, "0..4")
    planned = plan(study, folder)
    assert not any(o.error for o in run_all(planned, "cpu", 1))
    return read_planned(study, planned)


@pytest.fixture(scope="module")
def dosed() -> Runs:
    """105 public searches at several weight decays and drop-path rates, eigenvalues of 33."""
    found = load_folder(ROOT / "results" / "public-logs" / "robustdarts-s1")
    return dataclasses.replace(found, declared=found.declared.model_copy(update={"skips": 6}))


def test_every_figure_is_drawn_and_its_numbers_kept(measured: Runs, tmp_path: Path) -> None:
    drawn, missing = make(measured)
    assert list(missing) == ["dose", "ledger"]
    assert "name them as 'weight_decay=0.0003'" in missing["dose"]
    paths = save_all(drawn, tmp_path)
    kept = {f"{n}.{k}" for n in FIGURES.classes if n not in missing for k in ("svg", "png", "pdf", "csv")}
    assert {p.name for p in paths} == kept | {"trajectory-seeds.csv"}
    assert all(p.stat().st_size > 0 for p in paths)
    again = save_all(make(measured)[0], tmp_path / "again")
    for first, second in zip(paths, again, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


@pytest.mark.parametrize("name", sorted(FIGURES.classes))
def test_a_figure_has_the_asked_size_and_title(measured: Runs, dosed: Runs, name: str) -> None:
    if name == "dose":
        measured = dosed
    if name == "ledger":
        measured = load_folder(ROOT / "results" / "published" / "cifar10-8-ledger")
    figure = FIGURES.build(name, {"width": 3.25, "title": "mine"})
    drawn = figure.render(figure.content(measured))
    assert drawn.get_figwidth() == 3.25
    assert drawn.get_suptitle() == "mine"
    assert FIGURES.build(name, {"title": "none"}).title == ""
    figure = FIGURES.build(name, {"height": 2.0, "title": ""})
    drawn = figure.render(figure.content(measured))
    assert tuple(drawn.get_size_inches()) == (6.75, 2.0)
    assert drawn.get_suptitle() == ""


def test_missing_numbers_are_told(made: Runs) -> None:
    _, missing = make(made)
    assert "add [probes.spectrum]" in missing["eigenvalue"]
    assert "add [probes.landscape]" in missing["landscape"]
    assert "add [probes.ranking]" in missing["ranking"]
    results = made
    alone = Runs(results.epochs, results.lookups, results.timing, None)
    with pytest.raises(HarnessError, match="needs a table that holds all of them"):
        PlaceFigure().data(alone)
    with pytest.raises(HarnessError, match="needs to know the space that was searched"):
        CellFigure().data(alone)
    with pytest.raises(HarnessError, match="figure 'seeds' has no key 'widht': did you mean 'width'"):
        make(made, ["seeds"], {"seeds": {"widht": 3}})


def test_runs_without_a_table_have_cells_and_alphas(made: Runs) -> None:
    results = made
    alone = Runs(results.epochs, results.lookups, results.timing, None, TABLE.space)
    assert len(CellFigure().data(alone).panels) == 3
    assert set(Alphas().data(alone).rows["option"]) == {TABLE.space.short.get(o, o) for o in TABLE.space.operations}


def test_numbers_are_those_of_the_runs(made: Runs) -> None:
    found = made.endpoints()
    content = Seeds().data(made)
    assert len(content.rows) == 18
    assert content.reference["table optimum"] == pytest.approx(found.optimum)
    for name, profile in Profile().data(made).rows.groupby("method"):
        errors = found.values(name, "final")
        assert profile["share"].tolist() == pytest.approx([np.mean(errors <= e) for e in sorted(errors)])
    places = PlaceFigure().data(made).rows
    ours = places[places["what"] == "run"]
    errors = 100 - TABLE.row_values(TABLE.test)
    shares = [100 * np.mean(errors <= e + 1e-4) for e in ours["error_pct"]]
    assert ours["share"].tolist() == pytest.approx(shares)
    curve = places[places["what"] == "table"]
    assert curve["error_pct"].iloc[0] == pytest.approx(found.optimum)
    collapse = Onset().data(made).rows
    failed = found.runs.groupby("method")["failed"].mean()
    at_end = collapse[(collapse["epoch"] == 3) & (collapse["panel"] == "worse than random (declared)")]
    assert at_end.set_index("method")["share"].to_dict() == pytest.approx(failed.to_dict())


def test_equal_lines_lie_side_by_side() -> None:
    """Methods with the same values are drawn apart, by points of the page."""
    same = made_up({m: [[5, 12_000], [7, 12_000]] for m in ("a", "b")})
    for figure in (Onset(), Profile()):
        page = figure.render(figure.content(same))
        page.draw_without_rendering()
        first, second = (line for line in page.axes[0].lines if line.get_label() in ("a", "b"))
        assert np.array_equal(first.get_ydata(), second.get_ydata())
        apart = second.get_transform().transform((0, 0)) - first.get_transform().transform((0, 0))
        assert apart == pytest.approx([0, 1.6 * page.dpi / 72])


def test_ranks_need_blocks_that_all_share(made: Runs) -> None:
    content = Ranks().data(made)
    assert content.rows["mean_rank"].is_monotonic_increasing
    assert content.rows["mean_rank"].mean() == pytest.approx(2)
    uneven = made_up({"a": [[1]] * 5, "b": [[2]] * 6, "c": [[3]] * 5})
    with pytest.raises(HarnessError, match="need the same finished seeds of every method"):
        Ranks().data(uneven)


def test_cliques_are_the_largest_stretches() -> None:
    assert find_cliques([1.0, 1.5, 2.2, 4.0], 0.8) == [(0, 1), (1, 2)]
    assert find_cliques([1.0, 1.5, 1.7, 4.0], 0.8) == [(0, 2)]
    assert find_cliques([1.0, 2.0, 3.0], 0.5) == []


@pytest.mark.parametrize("name", sorted(SPACES.classes))
def test_mixing_weights_are_softmax_of_each_choice(name: str) -> None:
    space = SPACES.find(name)()
    rng = np.random.default_rng(0)
    tensors = [rng.normal(size=s) for s in space.alpha_shapes]
    found = list_mixing_weights(np.concatenate([t.ravel() for t in tensors]), space)
    expected = [np.exp(t) / np.exp(t).sum(axis=1, keepdims=True) for t in tensors]
    assert [f["weight"] for f in found] == pytest.approx(np.concatenate([e.ravel() for e in expected]))
    times = [e * e.shape[1] for e in expected]
    assert [f["times_equal"] for f in found] == pytest.approx(np.concatenate([t.ravel() for t in times]))
    options = [o for t in space.tensors for row in t.options for o in row]
    assert [f["option"] for f in found] == [space.short.get(o, o) for o in options]
    assert len({(f["choice"], f["option"]) for f in found}) == len(found)


def test_cells_are_those_derived_most_often() -> None:
    same = made_up({"a": [[5], [5], [700]]})
    content = CellFigure().data(same)
    assert content.panels == ("a",)
    assert set(content.rows["runs"]) == {"2 of 3"}
    architecture = TABLE.space.parse(same.endpoints().runs["final_architecture"][0])
    assert content.rows["operation"].tolist() == list(architecture.operations)


@pytest.mark.parametrize(("study", "width"), [("smoothdarts-s2-small", 3.25), ("digits", 6.75)])
def test_names_beside_mixing_weights_do_not_touch(study: str, width: float) -> None:
    found = load_folder(ROOT / "results" / "published" / study)
    figure = FIGURES.find("alphas")(width=width)
    page = figure.render(figure.content(found))
    page.draw_without_rendering()
    boxes = [text.get_window_extent() for text in page.axes[0].texts]
    boxes += [label.get_window_extent() for label in page.axes[0].get_yticklabels() if label.get_text()]
    assert len(boxes) > 10
    touching = [(a, b) for a, b in itertools.combinations(boxes, 2) if a.padded(-1).overlaps(b.padded(-1))]
    assert not touching
    assert min(box.x0 for box in boxes) >= 0


def test_a_cell_of_many_nodes_has_a_column_of_a_paper_for_itself() -> None:
    found = load_folder(ROOT / "results" / "published" / "smoothdarts-s2-small")
    source = found
    for width, columns in ((3.25, 1), (6.75, 2)):
        figure = FIGURES.find("cell")(width=width)
        axes = figure.render(figure.content(source)).axes
        assert len({round(ax.get_subplotspec().colspan.start) for ax in axes}) == columns


def test_eigenvalues_are_relative_to_each_run_s_first() -> None:
    """And a run whose first is not positive is left out; the last panel has where the runs end."""
    results = made_up({m: [[5, 9, 12], [7, 3, 90]] for m in ("a", "b")})
    rows = results.epochs
    measured = np.where(rows["seed"] == 0, 5.0, 0.5) * np.array([1.0, 0.1, 2.0])[rows["epoch"]]
    measured = np.where((rows["method"] == "b") & (rows["seed"] == 1), -1.0, measured)
    source = dataclasses.replace(results, epochs=rows.assign(hessian_largest=measured))
    content = FIGURES.build("eigenvalue", {}).content(source)
    assert content.panels == ("a", "b", "where the runs end")
    for _, run in content.of("a").groupby("seed"):
        assert run["value"].tolist() == pytest.approx([1, 0.1, 2])
    assert content.of("b")["seed"].unique().tolist() == [0]
    ends = content.of("where the runs end")
    assert sorted(ends[ends["method"] == "a"]["value"]) == sorted(source.endpoints().values("a", "final"))
    page = FIGURES.build("eigenvalue", {}).render(content)
    assert page.axes[0].get_title() == "a (n = 2)\nfrom 2.75"
    assert page.axes[0].get_ylabel() == "relative eigenvalue"


def test_the_skips_of_public_searches_by_their_weight_decay(dosed: Runs) -> None:
    """Counted by hand in the logs of S1 without drop-path; stronger decay, later collapse and fewer skips."""
    rows = Dose().data(dosed).rows
    of_skips = rows[(rows["panel"] == "skips of the normal cell") & (rows["group"] == "drop_path=0")]
    counted = {x: sorted(map(int, part["value"])) for x, part in of_skips.groupby("x")}
    assert counted == {
        3e-4: [7, 7, 7], 9e-4: [7, 8, 8], 27e-4: [5, 6, 8], 81e-4: [2, 2, 2], 243e-4: [0, 1, 2],
        729e-4: [2, 2, 3], 2187e-4: [3, 3, 4],
    }  # fmt: skip
    trends = Dose().data(dosed).more["trends"].set_index("panel")
    assert trends.loc["skips of the normal cell", "gamma"] == pytest.approx(-0.5648, abs=1e-4)
    assert trends["p"].max() < 0.001
    assert trends["n"].tolist() == [105, 105, 21, 33]


def test_the_rule_of_early_stopping_fires_late_and_for_nothing(dosed: Runs) -> None:
    """Where it fires is in tests/conformance/records; the first search's, by its logs: at 22, returned 10, from 0."""
    content = Stopping().data(dosed)
    first = content.rows[(content.rows["method"] == "weight_decay=0.0003 drop_path=0") & (content.rows["seed"] == 1)]
    assert first["value"].tolist() == [23, 2]
    assert content.title.startswith("of 8 searches that end with many skips the rule stops 8, 3 of them before")
    assert content.title.endswith("of 25 others it stops 15")


def test_a_rule_that_was_not_measured_for_is_not_asked(dosed: Runs) -> None:
    epochs = dosed.epochs[dosed.epochs["epoch"] % 4 != 3]
    with pytest.raises(HarnessError, match=r"the rule looks at the eigenvalue every second epoch"):
        Stopping().data(dataclasses.replace(dosed, epochs=epochs))


def test_runs_without_eigenvalues_beside_others_that_have_them(dosed: Runs) -> None:
    """Their column is there, and empty: a sentence, and no trend that is no number."""
    epochs = dosed.epochs
    chosen = epochs[epochs["method"].isin(["weight_decay=0.0009 drop_path=0.2", "weight_decay=0.0027 drop_path=0.2"])]
    without = dataclasses.replace(dosed, epochs=chosen)
    with pytest.raises(HarnessError, match="no eigenvalues of these runs were measured"):
        Stopping().data(without)
    assert len(Dose().data(without).panels) == 2
    two = epochs[epochs["method"].isin(["weight_decay=0.0003 drop_path=0.2", "weight_decay=0.0009 drop_path=0.2"])]
    one_dose = dataclasses.replace(dosed, epochs=two)
    page = Dose().render(Dose().content(one_dose))
    titles = [ax.get_title() for ax in page.axes]
    assert "largest eigenvalue, last measured\nno trend, n = 3" in titles
    assert not any("nan" in title for title in titles)
