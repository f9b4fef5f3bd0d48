from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.core.errors import HarnessError
from harness.plots.content import Content, save
from harness.plots.trajectory import Trajectory, hold_last_values
from harness.results.runs import Runs
from harness.runs.execute import plan, run_all
from harness.runs.study import load_study
from tests.support.results import read_finished


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    from tests.conftest import SMALL_STUDY

    folder = tmp_path_factory.mktemp("plots")
    (folder / "small.toml").write_text(SMALL_STUDY)
    found = plan(load_study(folder / "small.toml", seeds="0..2"), folder)
    assert all(o.error is None for o in run_all(found, "cpu", 1))
    return found


def content_of(planned, table, **fields) -> Content:  # type: ignore[no-untyped-def]
    return Trajectory(**fields).content(read_finished(planned, table))


def test_numbers_are_those_of_the_rows(planned) -> None:  # type: ignore[no-untyped-def]
    table = planned[0].run.table
    content = content_of(planned, table)
    seeds = content.more["seeds"]
    assert len(seeds) == 12 * 3
    for run in planned:
        epochs = pd.read_parquet(run.folder.final / "epochs.parquet")
        own = seeds[seeds["method"].eq(run.run.method_name) & seeds["seed"].eq(run.run.seed)]
        expected = [100 - table.lookup(run.run.space.parse(a), table.test) for a in epochs["architecture"]]
        assert own["value"].tolist() == pytest.approx(expected)
    by_epoch = content.rows[content.rows["axis"].eq("epoch") & content.rows["method"].eq("darts")]
    values = seeds[seeds["method"].eq("darts")].pivot(index="epoch", columns="seed", values="value")
    assert by_epoch["median"].tolist() == pytest.approx(values.median(axis=1).tolist())
    assert by_epoch["low"].tolist() == pytest.approx(values.quantile(0.25, axis=1).tolist())
    assert by_epoch["n"].tolist() == [3, 3, 3]
    assert content.reference["table optimum"] == pytest.approx(100 - table.row_values(table.test).max())


def test_regret_is_error_above_the_optimum(planned) -> None:  # type: ignore[no-untyped-def]
    table = planned[0].run.table
    error, regret = (content_of(planned, table, metric=m) for m in ("error", "regret"))
    difference = error.more["seeds"]["value"] - regret.more["seeds"]["value"]
    assert difference.to_numpy() == pytest.approx(100 - table.optimum(table.test).accuracy_pct)
    assert regret.reference["table optimum"] == 0
    assert regret.more["seeds"]["value"].min() >= 0


def test_time_axis_holds_the_last_finished_epoch() -> None:
    found = hold_last_values(np.array([1.0, 2.0, 4.0]), np.array([9.0, 8.0, 7.0]), np.array([0, 1, 1.9, 2, 3.9, 4, 9]))
    assert found.tolist() == [9, 9, 9, 8, 8, 7, 7]


def test_a_few_methods_share_a_panel_and_run_to_the_slowest_seed_s_end(planned) -> None:  # type: ignore[no-untyped-def]
    """The last value holds: what is shown at the end is what the table of results says."""
    few = [p for p in planned if p.run.method_name in ("darts", "random-search")]
    content = content_of(few, planned[0].run.table, runs=True)
    assert content.panels == ("epoch", "seconds")
    seeds = content.more["seeds"]
    against = content.rows[content.rows["axis"] == "seconds"]
    for method, part in against.groupby("method"):
        own = seeds[seeds["method"] == method]
        assert part["x"].max() == own["seconds"].max()
        assert part["median"].iloc[-1] == pytest.approx(own[own["epoch"] == 2]["value"].median())
    axes = Trajectory(runs=True).render(content).axes[1]
    assert axes.get_xlim()[1] == pytest.approx(1.02 * against["x"].max())


def test_many_methods_have_a_panel_each_with_every_run_and_its_end(planned) -> None:  # type: ignore[no-untyped-def]
    content = content_of(planned, planned[0].run.table)
    assert len(content.panels) == 4
    page = Trajectory().render(content)
    for method, ax in zip(content.panels, page.axes, strict=False):
        assert ax.get_title() == f"{method} (n = 3)"
        own = content.more["seeds"][content.more["seeds"]["method"] == method]
        shown = [tuple(line.get_ydata()) for line in ax.lines]
        for _, run in own.groupby("seed"):
            assert tuple(run["value"]) in shown
        ends = own[own["epoch"] == own["epoch"].max()]["value"]
        assert tuple(sorted(ends)) in shown
        assert any(line.get_label() == "median of darts" for line in ax.lines) == (method != "darts")


def test_without_a_table_the_supernet_is_shown(planned) -> None:  # type: ignore[no-untyped-def]
    differentiable = [p for p in planned if p.run.method_name != "random-search"]
    content = content_of(differentiable, None)
    assert content.reference == {}
    assert "supernet" in content.value
    epochs = pd.read_parquet(differentiable[0].folder.final / "epochs.parquet")
    assert content.more["seeds"]["value"][0] == pytest.approx(100 - epochs["supernet_accuracy_pct"][0])
    with pytest.raises(HarnessError, match="regret needs a table"):
        content_of(differentiable, None, metric="regret")


def test_files(planned, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    content = content_of(planned, planned[0].run.table)
    paths = save(Trajectory().render(content), content, tmp_path, "trajectory")
    assert [p.name for p in paths] == [
        "trajectory.svg",
        "trajectory.png",
        "trajectory.pdf",
        "trajectory.csv",
        "trajectory-seeds.csv",
    ]
    svg = paths[0].read_text()
    for text in (
        "darts (n = 3)",
        "median of darts",
        "table optimum",
        "random architecture (median)",
        "quartiles over seeds",
        "epoch",
    ):
        assert text in svg
    with Image.open(paths[1]) as image:
        assert image.width == 1350
        assert len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 20
    pd.testing.assert_frame_equal(pd.read_csv(paths[4]), content.more["seeds"], check_dtype=False)
    first = paths[0].read_bytes()
    save(Trajectory().render(content), content, tmp_path, "trajectory")
    assert paths[0].read_bytes() == first  # no date, no random ids


def judged_late(planned, epochs: tuple[int, ...]) -> Runs:  # type: ignore[no-untyped-def]
    """The same runs, looked up after these epochs alone."""
    found = read_finished(planned, planned[0].run.table)
    late = found.lookups[found.lookups["epoch"].isin(epochs)]
    return Runs(found.epochs, late, found.timing, found.table, found.space)


def test_what_is_judged_after_the_last_epoch_alone_is_shown(planned) -> None:  # type: ignore[no-untyped-def]
    source = judged_late(planned, (2,))
    content = Trajectory().content(source)
    assert content.panels == ()
    assert "derived architecture after epoch 2" in content.title
    assert "runs of equal seeds are joined; noise of the table" in content.title
    seeds = content.more["seeds"]
    assert set(seeds["epoch"]) == {2}
    ((ax, *_),) = [Trajectory().render(content).axes]
    methods = list(dict.fromkeys(seeds["method"]))
    shown = {tuple(xy) for line in ax.lines for xy in line.get_xydata()}
    assert {(methods.index(m), v) for m, v in seeds[["method", "value"]].to_numpy()} <= shown
    joined = [tuple(line.get_ydata()) for line in ax.lines if len(line.get_xdata()) == len(methods)]
    for _, run in seeds.groupby("seed"):
        assert tuple(run.set_index("method")["value"][methods]) in joined


def test_epochs_that_nobody_judged_leave_no_gap(planned) -> None:  # type: ignore[no-untyped-def]
    content = Trajectory().content(judged_late(planned, (1, 2)))
    assert content.rows["median"].notna().all()
    assert set(content.rows.loc[content.rows["axis"] == "epoch", "x"]) == {1, 2}
    against = content.rows[content.rows["axis"] == "seconds"].groupby("method")["x"]
    runs = content.more["seeds"].groupby(["method", "seed"])["seconds"]
    first, end = runs.min().groupby("method").max(), runs.max().groupby("method").max()
    assert against.last().to_dict() == pytest.approx(end.to_dict())
    assert against.first().to_dict() == pytest.approx(first.clip(upper=end).to_dict())
