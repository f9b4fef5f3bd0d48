"""Probes: right on closed forms, and without a trace in the search."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from harness.core.errors import HarnessError
from harness.measures.hessian import (
    KRYLOV,
    Products,
    compute_hessian,
    compute_spectrum,
    compute_spectrum_ends,
    differentiate_loss,
    flatten_tensors,
    run_lanczos,
)
from harness.measures.ranking import rank_agreement
from harness.runs.execute import plan, run_all
from harness.runs.study import load_study
from harness.search.loop import SupernetSearch
from harness.search.methods import build_method
from harness.search.probes.base import PROBES
from harness.search.probes.discretisation import recalibrate
from harness.search.probes.ranking import draw_stratified
from harness.spaces.blocks.mix import keep_buffers
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1
from harness.spaces.nasbench201.space import NASBench201
from harness.tables.catalog import open_table
from harness.testing.contracts import make_small_search, state_of

SPACE_LIST = {"nasbench201.digits": NASBench201(), "nasbench1shot1.s1.digits": NASBench1Shot1S1()}
SMALL: dict[str, dict[str, Any]] = {
    "spectrum": {"batches": 2},
    "sensitivity": {"draws": 3, "radii": (0.1, 0.3)},
    "landscape": {"points": 5},
    "ranking": {"samples": 10, "images": 8},
    "discretisation": {"batches": 2},
}


def prepared(table: str) -> SupernetSearch:
    search = make_small_search(build_method("darts"), SPACE_LIST[table])
    search.train_epoch(0, lambda: None)
    return search


@pytest.mark.parametrize("table", SPACE_LIST)
@pytest.mark.parametrize("name", PROBES.classes)
def test_probes_leave_the_search_as_it_was(name: str, table: str) -> None:
    """The next epoch is bit for bit the one of a search that was not measured; measuring again is another draw."""
    probe = PROBES.build(name, SMALL.get(name, {}))
    plain, measured = prepared(table), prepared(table)
    state = torch.get_rng_state()
    row = probe.measure(measured, open_table(table))
    assert torch.equal(torch.get_rng_state(), state)
    assert row
    assert all(np.isfinite(np.asarray(v)).all() for k, v in row.items() if k not in ("alignment", "ranking_kendall"))
    for search in (plain, measured):
        search.train_epoch(1, lambda: None)
    assert all(torch.equal(a, b) for a, b in zip(state_of(plain), state_of(measured), strict=True))
    again = probe.measure(prepared(table), open_table(table))
    assert list(again) == list(row)
    for key, value in row.items():
        assert again[key] == pytest.approx(value, nan_ok=True)


def test_spectrum_is_that_of_the_matrix() -> None:
    matrix = torch.diag(torch.tensor([3.0, -5.0, 1.0], dtype=torch.float64))
    assert compute_spectrum(matrix) == pytest.approx({"largest": 3, "smallest": -5, "norm": 5, "trace": -1})


def test_spectrum_of_one_batch_is_the_published_quantity() -> None:
    """One batch and a ridge: the Hessian that `harness conform` checks against the published numbers."""
    search = prepared("nasbench201.digits")
    row = PROBES.build("spectrum", {"batches": 1, "ridge": 1e-3}).measure(search, None)
    again = prepared("nasbench201.digits")
    again.net.train()
    batch = PROBES.build("spectrum", {}).batch(again)
    with keep_buffers(again.net):
        matrix = compute_hessian(lambda a: again.loss_at(a, batch), again.alphas, ridge=1e-3)
    assert row["hessian_largest"] == pytest.approx(float(torch.linalg.eigvalsh(matrix)[-1]), rel=1e-5)
    assert np.isnan(row["hessian_largest_sd"])
    mix = PROBES.build("spectrum", {"batches": 1, "of": "mix"}).measure(prepared("nasbench201.digits"), None)
    assert mix["hessian_largest"] != row["hessian_largest"]


def test_landscape_is_flat_across_and_rises_along_the_gradient() -> None:
    """At its center is the loss itself; a small step along x rises by the gradient's length, along y by nothing."""
    search = prepared("nasbench201.digits")
    reach = 1e-2
    row = PROBES.build("landscape", {"points": 3, "reach": reach}).measure(search, None)
    grid = np.array(row["landscape_loss"]).reshape(3, 3)
    assert row["landscape_at"] == pytest.approx([-reach, 0, reach])
    again = prepared("nasbench201.digits")
    batch = PROBES.build("landscape", {}).batch(again)
    again.net.train()
    loss = again.loss_at(again.alphas, batch)
    slope = torch.cat([g.flatten() for g in torch.autograd.grad(loss, again.alphas)]).norm().item()
    assert grid[1, 1] == pytest.approx(loss.item(), abs=1e-5)
    assert (grid[1, 2] - grid[1, 0]) / (2 * reach) == pytest.approx(slope, rel=0.1)
    assert abs(grid[2, 1] - grid[0, 1]) < 0.2 * (grid[1, 2] - grid[1, 0])


def test_attack_rises_at_least_as_much_as_chance() -> None:
    row = PROBES.build("sensitivity", {"draws": 20, "radii": (0.3,)}).measure(prepared("nasbench201.digits"), None)
    assert row["sensitivity_attack_0.3"] >= max(0, row["sensitivity_random_0.3"])


def test_gap_is_none_where_the_mix_is_sharp_already() -> None:
    search = prepared("nasbench201.digits")
    with torch.no_grad():
        search.alphas[0] *= 0
        search.alphas[0][:, 3] = 1e4
    row = PROBES.build("discretisation", {}).measure(search, None)
    assert row == {"gap_pct": 0, "gap_recalibrated_pct": 0}


def test_recalibration_takes_the_mean_over_batches() -> None:
    search = prepared("nasbench201.digits")
    images, _ = search.images.evaluation("train")
    norm = search.net.stem[1]
    momentum = norm.momentum
    mix = search.searcher.relax(search.alphas)
    recalibrate(search.net, mix, [images[:8], images[8:16]])
    inputs = [search.net.stem[0](images[i : i + 8]) for i in (0, 8)]
    expected = torch.stack([x.mean((0, 2, 3)) for x in inputs]).mean(0)
    assert torch.allclose(norm.running_mean, expected, atol=1e-6)
    assert norm.momentum == momentum


def test_rank_agreement_is_scipy_s() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 20, 50), rng.integers(0, 20, 50)
    found = rank_agreement(x, y)
    assert found["kendall"] == pytest.approx(stats.kendalltau(x, y, variant="b").statistic)
    assert found["spearman"] == pytest.approx(stats.pearsonr(stats.rankdata(x), stats.rankdata(y)).statistic)
    assert rank_agreement(np.arange(30), np.arange(30)) == pytest.approx({"kendall": 1, "spearman": 1, "top10": 1})
    assert rank_agreement(np.arange(30), -np.arange(30))["top10"] == 0
    assert np.isnan(rank_agreement([1, 1, 1], [1, 2, 3])["kendall"])


def test_strata_are_drawn_evenly() -> None:
    values = np.append(np.random.default_rng(0).normal(size=1_000), np.nan)
    rows = draw_stratified(values, 55, 10, np.random.default_rng(1))
    assert len(set(rows.tolist())) == 55
    assert not np.isnan(values[rows]).any()
    slices = np.searchsorted(np.quantile(values[:-1], np.arange(0.1, 1, 0.1)), values[rows])
    assert np.bincount(slices).tolist() == [6] * 5 + [5] * 5


def test_probes_of_a_study_are_columns(small_study: Path, tmp_path: Path) -> None:
    """Rows of a study with probes: the same search, and the columns on every second epoch and the last."""
    before = load_study(small_study)
    probes = "probes={spectrum = {batches = 1, every = 2}, landscape = {points = 3, every = 9}}"
    study = load_study(small_study, ['methods=["darts", "random-search"]', "epochs=3", probes], "0")
    plain = load_study(small_study, ['methods=["darts"]', "epochs=3"], "0")
    assert before.runs[0].describe()["probes"] == {}
    assert [o.error for o in run_all(plan(study, tmp_path / "a"), "cpu", 1)] == [None, None]
    assert [o.error for o in run_all(plan(plain, tmp_path / "b"), "cpu", 1)] == [None]
    ours, theirs = (
        pd.read_parquet(plan(s, tmp_path / f)[0].folder.final / "epochs.parquet")
        for s, f in ((study, "a"), (plain, "b"))
    )
    pd.testing.assert_frame_equal(ours[list(theirs)], theirs)
    assert ours["hessian_largest"].notna().tolist() == [True, False, True, True]
    assert [None if v is None else len(v) for v in ours["landscape_loss"]] == [9, None, None, 9]
    assert "hessian_largest" not in pd.read_parquet(plan(study, tmp_path / "a")[1].folder.final / "epochs.parquet")


def test_wrong_probes_are_explained(small_study: Path) -> None:
    with pytest.raises(HarnessError, match=r"unknown probe 'spectrm': .*'spectrum'"):
        load_study(small_study, ['probes=["spectrm"]'])
    with pytest.raises(HarnessError, match=r"probe 'ranking' has no key 'sample': .*samples"):
        load_study(small_study, ["probes.ranking.sample=3"])


def double(name: str, fields: dict[str, object]) -> tuple[dict[str, float], dict[str, float]]:
    """What `fields` of the spectrum give beside the exact matrix, of one search."""
    exact = PROBES.build("spectrum", {"batches": 2}).measure(prepared(name), None)
    return PROBES.build("spectrum", {"batches": 2} | fields).measure(prepared(name), None), exact


def test_products_give_the_ends_of_the_spectrum() -> None:
    """Within the tolerance, the same every time, and no trace, which takes the matrix."""
    found, exact = double("nasbench201.digits", {"by": "products", "tolerance": 1e-3})
    assert list(found) == ["hessian_largest", "hessian_smallest", "hessian_norm", "hessian_largest_sd"]
    for column, value in found.items():
        assert value == pytest.approx(exact[column], rel=1e-3)
    assert found != {column: exact[column] for column in found}, "not the matrix"
    assert double("nasbench201.digits", {"by": "products", "tolerance": 1e-3})[0] == found


def test_a_tolerance_that_nothing_looks_at_is_said() -> None:
    with pytest.raises(HarnessError, match=r"tolerance is of by = 'products' and 'largest': by = 'matrix' is exact"):
        PROBES.build("spectrum", {"tolerance": 0.1})
    assert PROBES.build("spectrum", {"tolerance": 0.01}).identity() == PROBES.build("spectrum", {}).identity()


def test_the_largest_alone() -> None:
    found, exact = double("nasbench201.digits", {"by": "largest", "tolerance": 1e-3})
    assert list(found) == ["hessian_largest", "hessian_largest_sd"]
    assert found == pytest.approx({column: exact[column] for column in found}, rel=1e-3)


@pytest.mark.parametrize("name", SPACE_LIST)
def test_batches_of_rows_give_the_whole_spectrum(name: str) -> None:
    found, exact = double(name, {"by": "batched"})
    assert found == pytest.approx(exact, rel=1e-5)
    assert found != exact, "not row by row"


@pytest.mark.parametrize("n", [4, 60])
def test_products_of_matrices(n: int) -> None:
    """Of few rows and of many, of zeros, and where the ends are hard to find."""
    draw = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(n, n, generator=draw, dtype=torch.float64))[0]
    spread = torch.linspace(-1, 2, n, dtype=torch.float64)
    crowded = torch.cat([-torch.ones(n - 2, dtype=torch.float64), torch.tensor([1e-3, 2e-3], dtype=torch.float64)])
    point = [torch.randn(n // 2, 2, generator=draw, dtype=torch.float64)]
    for values in (spread, crowded, torch.zeros_like(spread)):
        matrix = basis @ torch.diag(values) @ basis.T
        loss = partial(quadratic, matrix)
        start = torch.randn(n, generator=draw)
        found = compute_spectrum_ends(loss, point, start, tolerance=1e-4, ridge=0.25)
        exact = compute_spectrum(compute_hessian(loss, point, ridge=0.25))
        assert found == pytest.approx({key: exact[key] for key in found}, rel=1e-4)
        alone = compute_spectrum_ends(loss, point, start, tolerance=1e-4, ridge=0.25, ends="largest")
        assert alone == pytest.approx({"largest": exact["largest"]}, rel=1e-4)


def quadratic(matrix: torch.Tensor, parts: list[torch.Tensor]) -> torch.Tensor:
    return flatten_tensors(parts) @ matrix @ flatten_tensors(parts) / 2


def test_no_product_is_computed_twice() -> None:
    """A spectrum with ends that stand out takes few, one without them as many as the matrix has rows, and no more."""
    n, draw = 60, torch.Generator().manual_seed(0)
    alone = torch.tensor([-3.0, *[0.0] * (n - 2), 5.0], dtype=torch.float64)
    for values, most in ((alone, KRYLOV + 1), (torch.linspace(0, 1e-3, n, dtype=torch.float64) - 1, n)):
        basis = torch.linalg.qr(torch.randn(n, n, generator=draw, dtype=torch.float64))[0]
        loss = partial(quadratic, basis @ torch.diag(values) @ basis.T)
        products = Products(*differentiate_loss(loss, [torch.randn(n, generator=draw, dtype=torch.float64)]))
        start = torch.randn(n, generator=draw).double().numpy()
        found = run_lanczos(products, start, 1e-9)
        assert found == pytest.approx([float(values.min()), float(values.max())], rel=1e-8)
        assert len(products.basis) <= most


def test_the_largest_alone_takes_fewer_products() -> None:
    """Of a spectrum whose lower end is crowded."""
    n, draw = 60, torch.Generator().manual_seed(0)
    values = torch.cat([torch.linspace(-0.01, 0, n - 1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)])
    basis = torch.linalg.qr(torch.randn(n, n, generator=draw, dtype=torch.float64))[0]
    taken = []
    for ends in ("both", "largest"):
        products = Products(*differentiate_loss(partial(quadratic, basis @ torch.diag(values) @ basis.T), [basis[0]]))
        found = run_lanczos(products, basis.sum(0).numpy(), 0.01, ends)
        assert found is not None
        assert max(found) == pytest.approx(1, rel=1e-4)
        taken.append(len(products.basis))
    assert taken[1] == KRYLOV + 1 < taken[0]


def test_a_run_that_measures_by_the_matrix_is_the_run_that_it_was() -> None:
    identity = PROBES.build("spectrum", {}).identity()
    assert "by" not in identity and "tolerance" not in identity
    assert PROBES.build("spectrum", {"by": "products"}).identity()["by"] == "products"
