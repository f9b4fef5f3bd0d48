"""Neighbourhoods and barriers of the real NAS-Bench-201, against sums over all 15,625 cells."""

import itertools
from math import comb

import numpy as np
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.tables.catalog import open_table
from harness.tables.flatness import describe_neighborhood, find_path

TABLE = open_table("nasbench201")
CELLS = list(TABLE.space.enumerate())
OPERATIONS = np.array([[TABLE.space.operations.index(op) for op in cell.operations] for cell in CELLS])
ACCURACY = TABLE.row_values(TABLE.test)[[TABLE.row(cell) for cell in CELLS]]


def distances(place: int) -> np.ndarray:
    return (OPERATIONS[place] != OPERATIONS).sum(axis=1)


def test_a_neighborhood_is_all_that_differs_in_so_many_choices() -> None:
    for place in (1835, 81):
        levels = describe_neighborhood(TABLE, CELLS[place], TABLE.test, 2)
        assert [level.architectures for level in levels] == [comb(6, r) * 4**r for r in range(3)] == [1, 24, 240]
        for level in levels:
            values = ACCURACY[distances(place) == level.distance]
            told = [values.mean(), values.std(), values.min(), values.max()]
            assert [level.mean, level.std, level.lowest, level.highest] == pytest.approx(told, abs=1e-4)


def test_the_barrier_is_of_all_shortest_ways() -> None:
    a, b = 81, 1459  # CIFAR-10's two good cells in the published code
    changed = np.flatnonzero(OPERATIONS[a] != OPERATIONS[b])
    known = {tuple(row): value for row, value in zip(OPERATIONS.tolist(), ACCURACY, strict=True)}
    means = [np.zeros(0)] * (len(changed) + 1)
    for order in itertools.permutations(changed):  # the published tree, way by way
        cell, way = OPERATIONS[a].copy(), [known[tuple(OPERATIONS[a].tolist())]]
        for edge in order:
            cell[edge] = OPERATIONS[b][edge]
            way.append(known[tuple(cell.tolist())])
        means = [np.append(level, value) for level, value in zip(means, way, strict=True)]
    expected = [level.mean() for level in means]
    found = find_path(TABLE, CELLS[a], CELLS[b], TABLE.test)
    assert [level.mean for level in found.levels] == pytest.approx(expected, abs=1e-4)
    assert found.barrier == pytest.approx((expected[0] + expected[-1]) / 2 - min(expected), abs=1e-4)
    assert find_path(TABLE, CELLS[b], CELLS[a], TABLE.test).barrier == pytest.approx(found.barrier)
    assert find_path(TABLE, CELLS[a], CELLS[a], TABLE.test).barrier == 0


def test_the_verb_says_what_a_table_lacks() -> None:
    shown = CliRunner().invoke(
        main, ["tables", "flatness", "nasbench201", "81", "--to", "1459"], env={"COLUMNS": "200"}
    )
    assert shown.exit_code == 0 and "barrier: " in shown.output
    wrong = CliRunner().invoke(main, ["tables", "flatness", "nasbench201", "81", "--measure", "mnist/test@3"])
    assert wrong.exit_code == 2 and wrong.stderr.startswith("error: table nasbench201 has no mnist/test@3: it has ")
