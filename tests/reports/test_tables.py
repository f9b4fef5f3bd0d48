"""Tables that strangers bring: parts of a space, units, isomorphic rows, wide files; and rows against published
indices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.tables.catalog import open_table
from tests.reports.common import FILES, INPUTS, run

TWO = ("--test", "cifar10/test@108", "--validation", "cifar10/valid@108")
ONE = ("--test", "cifar10/ori-test@200")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path / "cache"))


def added(source: Path, *words: str, space: str = "nasbench201") -> tuple[int, str]:
    return run("tables", "add", source, "--name", "t", "--space", space, *words)


# -- rows and indices ----------------------------------------------------------------------------------------------


def test_what_a_table_gives_by_place_is_by_published_index() -> None:
    table = open_table("nasbench201")
    values = table.vector(table.test)
    assert values.index.tolist() == list(range(15_625))
    best = int(np.nanargmax(values))
    assert best == values.idxmax() == table.optimum(table.test).index == 6111
    assert table.lookup(best, table.test) == pytest.approx(94.3733, abs=1e-4)
    assert table.index(table.optimum(table.test).row) == 6111
    for index in (0, 1462, 15_624):
        assert values[index] == table.lookup(index, table.test)
    assert table.vector("cifar10/ori-test@200").equals(values)
    values.index.name = "mine"
    assert table.vector(table.test).index.name == "index"
    assert table.row_values(table.test)[table.row(1462)] == values[1462]


def test_a_space_without_indices_is_labeled_by_its_encodings() -> None:
    table = open_table("nasbench1shot1.s1.digits")
    values = table.vector(table.test)
    best = table.optimum(table.test)
    assert best.index is None and values.idxmax() == best.encoding
    assert values.max() == best.accuracy_pct == pytest.approx(table.lookup(str(values.idxmax()), table.test))


def test_a_part_of_a_table_is_labeled_by_published_indices_too() -> None:
    assert added(FILES / "subset.csv", *ONE)[0] == 0
    table = open_table("t")
    assert table.vector(table.test).to_dict() == {6511: 93.1, 9930: 94.1}
    assert table.absent == 15_623 and table.holds(6511) and not table.holds(0)
    assert all(np.isnan(value) for _, value in table.all_values(0))


# -- units ---------------------------------------------------------------------------------------------------------


def test_fractions_are_refused_until_their_unit_is_said() -> None:
    code, text = added(INPUTS / "fractions.csv", *TWO)
    assert (code, "cifar10/valid@108:0 is above 1: say --unit fraction, or --unit percent" in text) == (2, True)
    assert added(INPUTS / "fractions.csv", *TWO, "--unit", "fraction")[0] == 0
    table = open_table("t")
    assert table.optimum(table.test).accuracy_pct == pytest.approx(94.4878, abs=1e-4)


def test_fractions_of_a_published_measure_are_refused_with_the_columns_name() -> None:
    code, text = added(FILES / "frac_table.csv", *ONE)
    assert (code, "none of the 3 accuracies of cifar10/ori-test@200:mean is above 1" in text) == (2, True)


def test_percentages_are_no_fractions() -> None:
    code, text = added(FILES / "subset.csv", *ONE, "--unit", "fraction")
    assert (code, "column cifar10/ori-test@200:mean holds 93.1, which is no fraction" in text) == (2, True)


def test_a_table_of_networks_that_guess_is_taken_where_that_is_said(tmp_path: Path) -> None:
    text = (INPUTS / "fractions.csv").read_text()
    (tmp_path / "chance.csv").write_text(text.replace("0.949", "0.83").replace("0.9448784788449606", "0.84"))
    assert added(tmp_path / "chance.csv", *TWO, "--unit", "percent")[0] == 0
    assert open_table("t").optimum(open_table("t").test).accuracy_pct == 0.84


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("err_table", "the accuracies of cifar10/ori-test@200:mean are errors, 100 minus what table nasbench201 has"),
        ("heads", "lacks the column 'arch'"),
        ("missing_table", "line 3: accuracy = '' is no number"),
    ],
)
def test_what_is_no_accuracy_is_refused_with_its_column(name: str, told: str) -> None:
    code, text = added(FILES / f"{name}.csv", *ONE)
    assert (code, told in text) == (2, True)


def test_a_value_with_its_deviation_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "pm.csv").write_text((FILES / "subset.csv").read_text().replace("93.1", "93.1 ± 0.2"))
    code, text = added(tmp_path / "pm.csv", *ONE)
    assert (code, "line 2: accuracy = '93.1 ± 0.2' is no number" in text) == (2, True)


# -- rows of one cell, wide files, lines ---------------------------------------------------------------------------


def test_isomorphic_rows_are_one_cell_where_they_agree(tmp_path: Path) -> None:
    source = INPUTS / "iso_same.csv"
    assert added(source, *TWO, space="nasbench1shot1.s1")[0] == 0
    assert len(open_table("t")) == 1
    lines = source.read_text().splitlines()
    lines[3] = lines[3].replace("93.0", "92.0")
    (tmp_path / "differ.csv").write_text("\n".join(lines))
    code, text = run("tables", "add", tmp_path / "differ.csv", "--name", "u", "--space", "nasbench1shot1.s1", *TWO)
    assert code == 2
    assert "line 4: a second value for '1:conv1x1-bn-relu(0)|2:maxpool3x3(0,1)|3:maxpool3x3(1,2)" in text
    assert (
        "92 after 93: it is the cell of line 2, '1:conv1x1-bn-relu(0)|2:maxpool3x3(0,1)|3:conv3x3-bn-relu(0,1)" in text
    )


def test_a_wide_file_is_read_by_its_columns(tmp_path: Path, nasbench201_rows: list[dict[str, str]]) -> None:
    frame = pd.DataFrame(nasbench201_rows[:50])
    frame.to_csv(tmp_path / "wide.csv", index=False)
    words = ["--columns", "arch=arch_str", "--columns", "cifar10/ori-test@200=cifar10_test_200"]
    words += [
        "--columns",
        "cifar10-valid/x-valid@200=cifar10valid_val_200",
        "--columns",
        "cifar10-valid/x-test@200:777=cifar10valid_test_200_seed777",
    ]
    code, text = added(tmp_path / "wide.csv", *words, "--validation", "cifar10-valid/x-valid@200", *ONE)
    assert (code, "t: 50 of 15,625 architectures, 3 columns" in text) == (0, True)
    table = open_table("t")
    assert table.vector(table.test).tolist() == frame["cifar10_test_200"].astype(float).tolist()
    assert table.lookup(7, "cifar10-valid/x-test@200", 777) == float(frame["cifar10valid_test_200_seed777"][7])
    code, text = run(
        "tables", "add", tmp_path / "wide.csv", "--name", "u", "--space", "nasbench201", "--columns", "arch=cell"
    )
    assert (code, "has no column 'cell', which --columns names: it has index, arch_str" in text) == (2, True)
    code, text = run("tables", "add", tmp_path / "wide.csv", "--name", "u", "--space", "nasbench201")
    assert (code, "lacks the column 'arch'" in text, "--columns arch=NAME" in text) == (2, True, True)


def test_errors_name_the_line_that_has_the_word_in_it(tmp_path: Path) -> None:
    lines = (FILES / "subset.csv").read_text().splitlines()
    (tmp_path / "gaps.csv").write_text("\n".join([lines[0], "", lines[1], "", "", lines[2].replace("94.1", "much")]))
    code, text = added(tmp_path / "gaps.csv", *ONE)
    assert (code, "gaps.csv, line 6: accuracy = 'much' is no number" in text) == (2, True)


def test_trials_that_became_numbers_with_a_point(tmp_path: Path) -> None:
    text = (INPUTS / "errors.csv").read_text()
    (tmp_path / "a.csv").write_text("\n".join(text.splitlines()[:-1]))
    assert added(tmp_path / "a.csv", *TWO)[0] == 0
    assert open_table("t").trials(open_table("t").test) == [777]


def test_a_search_on_a_part_of_a_table_passes_over_what_is_absent(
    tmp_path: Path, nasbench201_rows: list[dict[str, str]]
) -> None:
    frame = pd.DataFrame(nasbench201_rows[::3])
    frame.to_csv(tmp_path / "third.csv", index=False)
    words = ["--columns", "arch=arch_str", "--columns", "cifar10/ori-test@200=cifar10_test_200"]
    words += ["--columns", "cifar10-valid/x-valid@200=cifar10valid_val_200"]
    code, text = added(tmp_path / "third.csv", *words, "--validation", "cifar10-valid/x-valid@200", *ONE)
    assert code == 0, text
    (tmp_path / "study.toml").write_text(
        'name = "third"\nspace = "nasbench201"\ndataset = "digits"\ntable = "t"\nseeds = "0"\nepochs = 12\n'
        "[methods.random-search]\n"
    )
    code, text = run("run", tmp_path / "study.toml", "--out", tmp_path / "out", "--device", "cpu", "--jobs", 1)
    assert code == 0, text
    code, text = run("export", tmp_path / "out" / "third", "--format", "csv", "--to", tmp_path / "rows.csv")
    assert code == 0, text
    rows = pd.read_csv(tmp_path / "rows.csv")
    known = set(frame["arch_str"])
    accuracy = rows["cifar10-valid/x-valid@200"]
    assert accuracy.isna().tolist() == [cell not in known for cell in rows["arch"]]
    assert accuracy.dropna().is_monotonic_increasing and accuracy.notna().any()
