"""Every figure's numbers, and that each is drawn."""

from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.plots import alphas, cell, onset, place, profile, ranks, seeds
from harness.plots.figures import FIGURES, contents, save_all
from harness.plots.ranks import cliques
from harness.results.endpoints import endpoints
from harness.results.frames import Results
from harness.runs.execute import plan, run_all
from harness.runs.preregistration import Declared
from harness.runs.study import load_study
from harness.spaces.nasbench1shot1.space import S1
from harness.spaces.nasbench201.space import NASBench201
from tests.verdicts.test_compare import TABLE, made_up
from tests.verdicts.test_compare import seeds as random_seeds


@pytest.fixture(scope="module")
def made() -> Results:
    rng = np.random.default_rng(0)
    return made_up({m: random_seeds(rng, 6, 300 * i, 12_000) for i, m in enumerate(("darts", "sdarts-rs", "other"))})


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A real study with every probe, five seeds of three methods."""
    from tests.conftest import SMALL_STUDY

    folder = tmp_path_factory.mktemp("measured")
    (folder / "s.toml").write_text(SMALL_STUDY)
    probes = "probes={spectrum = {batches = 1}, landscape = {points = 5}, ranking = {samples = 10, images = 16}}"
    settings = ['methods=["darts", "sdarts-rs", "random-search", "drnas"]', probes]
    study = load_study(folder / "s.toml", settings, "0..4")
    planned = plan(study, folder)
    assert not any(o.error for o in run_all(planned, "cpu", 1))
    return Results.of_runs(planned, study.table)


def test_every_figure_is_drawn_and_its_numbers_kept(measured: Results, tmp_path: Path) -> None:
    paths, missing = save_all(measured, Declared(), tmp_path)
    assert missing == {}
    assert {p.name for p in paths} == {f"{n}.{k}" for n in FIGURES for k in ("svg", "png", "pdf", "csv")}
    assert all(p.stat().st_size > 0 for p in paths)
    again, _ = save_all(measured, Declared(), tmp_path / "again")
    for first, second in zip(paths, again, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_missing_numbers_are_told(made: Results) -> None:
    _, missing = contents(made, endpoints(made, Declared()))
    assert "add [probes.spectrum]" in missing["eigenvalue"]
    assert "add [probes.landscape]" in missing["landscape"]
    assert "add [probes.ranking]" in missing["ranking"]
    alone = Results(made.epochs, made.lookups, made.timing, None)
    with pytest.raises(HarnessError, match="needs a table that holds all of them"):
        place.data(endpoints(alone, Declared()), None)


def test_numbers_are_those_of_the_runs(made: Results) -> None:
    found = endpoints(made, Declared())
    content = seeds.data(found)
    assert len(content.rows) == 18
    assert content.reference["table optimum"] == pytest.approx(found.optimum)
    profiles = profile.data(found).rows
    last = profiles.groupby("method").last()["share"]
    assert last.tolist() == [1, 1, 1]
    bars = place.data(found, TABLE).rows
    assert bars[bars["what"] == "table"]["count"].sum() == len(TABLE)
    collapse = onset.data(found, 3).rows
    failed = found.runs.groupby("method")["failed"].mean()
    at_end = collapse[(collapse["epoch"] == 3) & (collapse["panel"] == "worse than a random architecture")]
    assert at_end.set_index("method")["share"].to_dict() == pytest.approx(failed.to_dict())


def test_ranks_need_blocks_that_all_share(made: Results) -> None:
    content = ranks.data(endpoints(made, Declared()))
    assert content.rows["mean_rank"].is_monotonic_increasing
    assert content.rows["mean_rank"].mean() == pytest.approx(2)
    uneven = made_up({"a": [[1]] * 5, "b": [[2]] * 6, "c": [[3]] * 5})
    with pytest.raises(HarnessError, match="need the same finished seeds of every method"):
        ranks.data(endpoints(uneven, Declared()))


def test_cliques_are_the_largest_stretches() -> None:
    assert cliques([1.0, 1.5, 2.2, 4.0], 0.8) == [(0, 1), (1, 2)]
    assert cliques([1.0, 1.5, 1.7, 4.0], 0.8) == [(0, 2)]
    assert cliques([1.0, 2.0, 3.0], 0.5) == []


@pytest.mark.parametrize("space", [NASBench201(), S1()], ids=lambda s: s.name)
def test_mixing_weights_are_softmax_of_each_choice(space) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    tensors = [rng.normal(size=s) for s in space.alpha_shapes]
    found = list(alphas.mixing(np.concatenate([t.ravel() for t in tensors]), space).values())
    expected = [np.exp(t) / np.exp(t).sum(axis=1, keepdims=True) for t in tensors]
    assert found == pytest.approx(np.concatenate([e.ravel() for e in expected]))


def test_cells_are_those_derived_most_often(made: Results) -> None:
    same = made_up({"a": [[5], [5], [700]]})
    found = endpoints(same, Declared())
    content = cell.data(found, TABLE.space)
    assert content.panels == ("a (2 of 3)",)
    assert content.rows["operation"].tolist() == list(TABLE.space.parse(found.runs["final_architecture"][0]).operations)


@pytest.mark.parametrize("space", [NASBench201(), S1()], ids=lambda s: s.name)
def test_graphs_lead_from_input_to_output(space) -> None:  # type: ignore[no-untyped-def]
    architecture = space.random(np.random.default_rng(0))
    edges = space.graph(architecture)
    assert all(a <= b for a, b, _ in edges)
    named = [o for *_, o in edges if o]
    assert named == list(architecture.operations)
