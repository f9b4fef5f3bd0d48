"""How a cell is laid out, and the portrait of one architecture."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from harness.plots.portrait import Portrait
from harness.plots.wiring import choose_sides, draw_cell, find_connected_parts, lay_out_cell, list_cell_edges
from harness.spaces.base import SPACES
from harness.tables.catalog import open_table

TABLE = open_table("nasbench201.digits")


@pytest.mark.parametrize("name", sorted(SPACES.classes))
def test_graphs_lead_from_input_to_output(name: str) -> None:
    space = SPACES.find(name)()
    architecture = space.random(np.random.default_rng(0))
    edges = space.graph(architecture)
    assert all(a <= b for a, b, _ in edges)
    assert [o for *_, o in edges if o] == list(architecture.operations)


@pytest.mark.parametrize("name", sorted(SPACES.classes))
def test_every_cell_is_drawn_inside_of_its_panel(name: str) -> None:
    space = SPACES.find(name)()
    edges = list_cell_edges(space, space.random(np.random.default_rng(1)))
    place = lay_out_cell(edges)
    assert set(place.at) == {n for e in edges for n in (e.source, e.target)}
    assert all(0 <= x < place.right and place.low < y < place.high for x, y in place.at.values())
    ax = Figure().subplots()
    draw_cell(edges, ax)
    told = {t.get_text().replace("\n", " ") for t in ax.texts}
    assert told >= {e.told for e in edges if e.role not in ("zero", "none")}
    assert {"in", "out"} <= told


def test_operations_look_as_the_space_declares_them() -> None:
    space = TABLE.space
    architecture = space.parse("|none~0|+|skip_connect~0|avg_pool_3x3~1|+|nor_conv_1x1~0|none~1|none~2|")
    roles = {e.operation: e.role for e in list_cell_edges(space, architecture)}
    assert roles == {"none": "zero", "skip_connect": "skip", "avg_pool_3x3": "free", "nor_conv_1x1": "weights"}


def test_arcs_that_would_cross_lie_on_two_sides() -> None:
    found = choose_sides([(0, 2), (1, 3), (0, 3)])
    assert found[0, 2] != found[1, 3]
    assert choose_sides([(0, 2), (2, 4)]) == {(0, 2): 1, (2, 4): 1}


def test_separate_cells_are_separate_parts() -> None:
    space = SPACES.find("nasbench201")()
    edges = list_cell_edges(space, space.random(np.random.default_rng(0)))
    second = [e._replace(source=e.source + 4, target=e.target + 4) for e in edges]
    assert find_connected_parts([*edges, *second]) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    place = lay_out_cell([*edges, *second])
    assert {y for n, (_, y) in place.at.items() if n < 4} != {y for n, (_, y) in place.at.items() if n >= 4}


def test_a_portrait_marks_where_an_architecture_stands() -> None:
    best = TABLE.space.parse(TABLE.optimum(TABLE.test).encoding)
    content = Portrait().of(TABLE.space, best, TABLE)
    own = content.rows[content.rows["what"] == "architecture"].iloc[0]
    assert own["error_pct"] == pytest.approx(100 - TABLE.optimum(TABLE.test).accuracy_pct)
    errors = 100 - TABLE.row_values(TABLE.test)
    assert own["share"] == pytest.approx(100 * np.mean(errors <= own["error_pct"] + 1e-4))
    page = Portrait(width=3.25).render(content)
    assert page.get_figwidth() == 3.25
    assert Portrait().of(TABLE.space, best, None).panels == ("cell",)
