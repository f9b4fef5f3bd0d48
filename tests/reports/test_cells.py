"""Cells in the notations of the field: every row of docs/reference/dialects.md, and the files that were reported."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.spaces.base import search_space
from harness.tables.catalog import open_table
from tests.conftest import ROOT
from tests.reports.common import FILES, INPUTS, cells, imported, run

PAGE = (ROOT / "docs" / "reference" / "dialects.md").read_text()
SPACES = {"NAS-Bench-201": "nasbench201", "DARTS' spaces": "darts.full", "NAS-Bench-1Shot1": "nasbench1shot1.s1"}
ROW = re.compile(r"^\| (?!notation)([^|]+?) \| `(.+?)` \|(?: (.+) \|)?$", re.MULTILINE)


def rows() -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """(space, notation, example) that are read, and that are refused."""
    read, refused = [], []
    for section in PAGE.split("\n## ")[1:]:
        title, body = section.split("\n", 1)
        for notation, example, why in ROW.findall(body):
            (refused if why else read).append((SPACES[title], notation, example))
    return read, refused


READ, REFUSED = rows()
FIRST = {space: next(example for s, _, example in READ if s == space) for space in SPACES.values()}


def test_the_page_has_all_its_rows() -> None:
    assert len(READ) == sum(line.startswith("| ") for line in PAGE.splitlines()) - 2 * 5 - len(REFUSED)
    assert (len(READ), len(REFUSED)) == (36, 6)


@pytest.mark.parametrize(("space", "notation", "example"), READ, ids=[f"{s}: {n}" for s, n, _ in READ])
def test_every_dialect_is_read(space: str, notation: str, example: str) -> None:
    known = search_space(space)
    assert known.canonical_key(known.parse(example)) == known.canonical_key(known.parse(FIRST[space]))
    if "hash" not in notation and "matrix and operations" not in notation:
        assert known.parse(example) == known.parse(FIRST[space])


@pytest.mark.parametrize(("space", "notation", "example"), REFUSED, ids=[n for _, n, _ in REFUSED])
def test_what_is_ambiguous_is_refused_with_what_it_could_be(space: str, notation: str, example: str) -> None:
    with pytest.raises(HarnessError) as told:
        search_space(space).parse(example)
    if notation.startswith("six"):
        assert re.search(
            r"can be two cells: operations in the order of the string, \|.*, or NASLib's tuple, \|", str(told.value)
        )
        assert "write indices:(" in str(told.value) and "or naslib:(" in str(told.value)


def test_naslibs_tuples_are_those_of_its_own_table(nasbench201_rows: list[dict[str, str]]) -> None:
    space = search_space("nasbench201")
    for row in nasbench201_rows[::97]:
        assert space.parse(f"naslib:{row['naslib_tuple']}").encoding == row["arch_str"]


def test_module_hashes_are_read_in_every_space() -> None:
    space, rng = search_space("nasbench1shot1.s2"), np.random.default_rng(0)
    for _ in range(20):
        cell = space.random(rng)
        matrix, operations = space.matrix(cell)  # type: ignore[attr-defined]
        assert space.parse(cell.key).key == cell.key
        assert space.parse(str({"module_adjacency": matrix.tolist(), "module_operations": operations})).key == cell.key
    with pytest.raises(HarnessError, match=r"is none of nasbench1shot1\.s2"):
        space.parse("0" * 32)


@pytest.mark.parametrize("name", ["structure", "pairs", "spaces"])
def test_a_csv_takes_every_dialect(tmp_path: Path, name: str) -> None:
    assert cells(imported(FILES / "csv" / f"{name}.csv", tmp_path)[0]) == [6511] * 3


@pytest.mark.parametrize("name", ["index", "hash_index"])
def test_a_csv_takes_published_indices(tmp_path: Path, name: str) -> None:
    assert cells(imported(FILES / "csv" / f"{name}.csv", tmp_path)[0]) == [1462] * 3


@pytest.mark.parametrize("name", ["tuple", "naslib"])
def test_a_csv_refuses_what_is_ambiguous(tmp_path: Path, name: str) -> None:
    code, text = run("import", FILES / "csv" / f"{name}.csv", "--table", "nasbench201", "--to", tmp_path)
    assert (code, "line 2:" in text, "can be two cells" in text) == (2, True, True)


@pytest.mark.parametrize("name", ["dict", "fair", "json", "nested", "plain", "stamped"])
def test_genotypes_of_reports(name: str) -> None:
    space = search_space("darts.full")
    plain = space.parse((FILES / "geno" / "plain.txt").read_text())
    assert space.parse((FILES / "geno" / f"{name}.txt").read_text()) == plain


def test_lookups_take_every_dialect() -> None:
    skips = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
    text = f"genotype = Structure(4 nodes with {skips})"
    for given in (text, "1835", "#1835", "indices:(1, 1, 1, 1, 1, 1)"):
        code, said = run("tables", "lookup", "nasbench201", given, "--format", "csv")
        assert (code, "54.2967" in said) == (0, True)
    code, said = run("tables", "lookup", "nasbench201", "013402")
    assert (code, "has no leading zeros" in said) == (2, True)
    code, said = run("tables", "lookup", "nasbench1shot1.s1.digits", "12")
    assert (code, "have no published index" in said) == (2, True)


def test_a_hash_is_looked_up_where_a_table_has_it() -> None:
    table = open_table("nasbench1shot1.s1.digits")
    cell = table.space.parse(table.encoding(7))
    assert table.lookup(cell.key, table.test) == table.lookup(cell, table.test)


def test_a_figure_takes_every_dialect(tmp_path: Path) -> None:
    code, text = run("plot", "--architecture", "#1835", "--table", "nasbench201", "--to", tmp_path)
    assert code == 0, text


def test_a_csv_without_a_method_and_with_other_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("algo,epoch,cell\ndarts,0,#1835\ndarts,1,6111\n")
    code, text = run(
        "import", "csv", tmp_path / "a.csv", "--map", "arch=cell", "--table", "nasbench201", "--to", tmp_path
    )
    assert (code, "--map method=algo" in text) == (2, True)
    words = ("csv", "--map", "arch=cell", "--map", "method=algo")
    code, text = run(
        "import", words[0], tmp_path / "a.csv", *words[1:], "--table", "nasbench201", "--to", tmp_path / "to"
    )
    assert (code, "--seed N" in text) == (2, True)
    results, _ = imported(tmp_path / "a.csv", tmp_path / "to", *words, "--seed", 3)
    assert cells(results, method="darts", seed=3) == [1835, 6111]
    (tmp_path / "b.csv").write_text("seed,epoch,arch\n0,0,#1835\n")
    code, text = run("import", tmp_path / "b.csv", "--table", "nasbench201", "--to", tmp_path)
    assert (code, "--method NAME" in text) == (2, True)
    results, _ = imported(tmp_path / "b.csv", tmp_path, "--method", "mine")
    assert cells(results, method="mine") == [1835]
    code, text = run(
        "import", "csv", tmp_path / "b.csv", "--map", "arch=cells", "--table", "nasbench201", "--to", tmp_path / "x"
    )
    assert (code, "there is no column 'cells'" in text) == (2, True)


@pytest.mark.parametrize("name", ["flat", "semicolon", "jsonflat", "jsonnested", "jsondict", "numpy", "torch"])
def test_alphas_in_any_notation(tmp_path: Path, name: str) -> None:
    results, _ = imported(FILES / "csv" / f"alphas_{name}.csv", tmp_path)
    for alphas in results.epochs["alphas"]:
        assert np.array(alphas).reshape(6, 5)[[0, 5]].tolist() == [[0.1, 0.2, 0.3, 0.9, 0.1], [0.1, 0.2, 0.3, 0.4, 0.9]]


@pytest.mark.parametrize("name", ["jsonnull", "nan"])
def test_alphas_that_are_missing_are_none(tmp_path: Path, name: str) -> None:
    results, _ = imported(FILES / "csv" / f"alphas_{name}.csv", tmp_path)
    assert not results.epochs["alphas"].map(len).any()
    code, text = run("plot", tmp_path / f"alphas_{name}", "--figure", "alphas", "--to", tmp_path / "figures")
    assert (code, "none of these runs has logits" in text) == (2, True)


def test_alphas_that_cannot_be_right_are_one_sentence(tmp_path: Path) -> None:
    code, text = run("import", FILES / "csv" / "alphas_short.csv", "--table", "nasbench201", "--to", tmp_path)
    assert (code, "line 2: 2 alphas are there, nasbench201 has 30" in text) == (2, True)
    some = (FILES / "csv" / "alphas_flat.csv").read_text().replace(",0.1 0.2", ",nan 0.2", 1)
    (tmp_path / "some.csv").write_text(some)
    code, text = run("import", tmp_path / "some.csv", "--table", "nasbench201", "--to", tmp_path)
    assert (code, "line 2: some of the alphas are no finite number" in text) == (2, True)
    (tmp_path / "some.csv").write_text(some.replace("nan 0.2", "[{} 0.2"))
    code, text = run("import", tmp_path / "some.csv", "--table", "nasbench201", "--to", tmp_path)
    assert (code, "line 2: " in text) == (2, True)


def test_cells_of_a_tidy_table_take_every_dialect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path / "cache"))
    code, text = run(
        "tables",
        "add",
        INPUTS / "darts_rows.csv",
        "--name",
        "rows",
        "--space",
        "darts.full",
        "--test",
        "cifar10/test@600",
    )
    assert (code, "rows: 1" in text) == (0, True)
