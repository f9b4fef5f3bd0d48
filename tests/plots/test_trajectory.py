from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.plots import trajectory
from harness.plots.style import KNOWN, lines
from harness.results.frames import Results
from harness.runs.execute import plan, run_all
from harness.runs.study import load_study


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    from tests.conftest import SMALL_STUDY

    folder = tmp_path_factory.mktemp("plots")
    (folder / "small.toml").write_text(SMALL_STUDY)
    found = plan(load_study(folder / "small.toml", seeds="0..2"), folder)
    assert all(o.error is None for o in run_all(found, "cpu", 1))
    return found


def test_numbers_are_those_of_the_rows(planned) -> None:  # type: ignore[no-untyped-def]
    table = planned[0].run.table
    content = trajectory.data(Results.of_runs(planned, table))
    assert len(content.seeds) == 12 * 3
    for run in planned:
        epochs = pd.read_parquet(run.folder.final / "epochs.parquet")
        own = content.seeds[content.seeds["method"].eq(run.run.method_name) & content.seeds["seed"].eq(run.run.seed)]
        expected = [100 - table.lookup(run.run.space.parse(a), table.test) for a in epochs["architecture"]]
        assert own["value"].tolist() == pytest.approx(expected)
    by_epoch = content.summary[content.summary["axis"].eq("epoch") & content.summary["method"].eq("darts")]
    values = content.seeds[content.seeds["method"].eq("darts")].pivot(index="epoch", columns="seed", values="value")
    assert by_epoch["median"].tolist() == pytest.approx(values.median(axis=1).tolist())
    assert by_epoch["low"].tolist() == pytest.approx(values.quantile(0.25, axis=1).tolist())
    assert by_epoch["n"].tolist() == [3, 3, 3]
    assert content.reference["table optimum"] == pytest.approx(100 - table.vector(table.test).max())


def test_regret_is_error_above_the_optimum(planned) -> None:  # type: ignore[no-untyped-def]
    table = planned[0].run.table
    error, regret = (trajectory.data(Results.of_runs(planned, table), metric=m) for m in ("error", "regret"))
    difference = error.seeds["value"] - regret.seeds["value"]
    assert difference.to_numpy() == pytest.approx(100 - table.optimum(table.test).accuracy_pct)
    assert regret.reference["table optimum"] == 0
    assert regret.seeds["value"].min() >= 0


def test_time_axis_holds_the_last_finished_epoch() -> None:
    held = trajectory._held(np.array([1.0, 2.0, 4.0]), np.array([9.0, 8.0, 7.0]), np.array([0, 1, 1.9, 2, 3.9, 4, 9]))
    assert held.tolist() == [9, 9, 9, 8, 8, 7, 7]


def test_without_a_table_the_supernet_is_shown(planned) -> None:  # type: ignore[no-untyped-def]
    differentiable = [p for p in planned if p.run.method_name != "random-search"]
    content = trajectory.data(Results.of_runs(differentiable, None))
    assert content.reference == {}
    assert "supernet" in content.label
    epochs = pd.read_parquet(differentiable[0].folder.final / "epochs.parquet")
    assert content.seeds["value"][0] == pytest.approx(100 - epochs["supernet_accuracy_pct"][0])


def test_files(planned, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    content = trajectory.data(Results.of_runs(planned, planned[0].run.table))
    paths = trajectory.save(content, tmp_path)
    assert [p.name for p in paths] == [
        "trajectory.svg",
        "trajectory.png",
        "trajectory.pdf",
        "trajectory-summary.csv",
        "trajectory-seeds.csv",
    ]
    svg = paths[0].read_text()
    for text in (
        "darts (n = 3)",
        "table optimum",
        "random architecture (median)",
        "interquartile range over seeds",
        "epoch",
    ):
        assert text in svg
    with Image.open(paths[1]) as image:
        assert image.width > 1200
        assert len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 20
    pd.testing.assert_frame_equal(pd.read_csv(paths[4]), content.seeds, check_dtype=False)
    first = paths[0].read_bytes()
    trajectory.save(content, tmp_path)
    assert paths[0].read_bytes() == first  # no date, no random ids


def test_a_method_always_looks_the_same() -> None:
    alone, among = lines(["sdarts-rs"]), lines(["mine", "sdarts-rs", "darts"])
    assert alone["sdarts-rs"] == among["sdarts-rs"]
    assert len({tuple(line.colour) for line in lines(list(KNOWN)).values()}) == len(KNOWN)
    assert len({line.marker for line in lines(list(KNOWN)).values()}) == len(KNOWN)
