"""DARTS' spaces: genotypes, the published decoding, and the contract of every space."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.spaces.base import SPACES, require_enumerable
from harness.spaces.darts.genotype import Genotype, find_isomorph, order_edges, parse
from harness.spaces.darts.nasp import CHANNELS, NASPCells
from harness.spaces.darts.operations import build_operation
from harness.spaces.darts.space import DARTSS1, DARTSS2, DARTSS3, S4, DARTSFull, DARTSSpace, FullNone
from harness.testing.contracts import SpaceContract

PUBLISHED = (
    "DARTS_V2 = Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
"""The cell that DARTS' paper trains, as its code writes it."""
RECORDED = {"darts_s1": DARTSS1, "darts_s2": DARTSS2, "darts_s3": DARTSS3, "darts_s4": S4, "darts_s5": DARTSFull}


class TestS1(SpaceContract):
    space = DARTSS1()
    probe = 30


class TestS2(SpaceContract):
    space = DARTSS2()
    probe = 30


class TestS3(SpaceContract):
    space = DARTSS3()
    probe = 30


class TestS4(SpaceContract):
    space = S4()
    probe = 30


class TestFull(SpaceContract):
    space = DARTSFull()
    probe = 30


class TestFullNone(SpaceContract):
    space = FullNone()
    probe = 30


class TestNASPCells(SpaceContract):
    space = NASPCells()
    probe = 30


def test_weights_are_counted_as_the_operations_have_them() -> None:
    for name, count in NASPCells.weights.items():
        made = build_operation(name, CHANNELS, 1, affine=False)
        assert sum(weight.numel() for weight in made.parameters()) == count, name


def test_every_space_is_registered() -> None:
    names = [name for name in SPACES.classes if name.startswith("darts.")]
    assert names == ["darts.full", "darts.full-none", "darts.nasp", "darts.s1", "darts.s2", "darts.s3", "darts.s4"]


def test_operations_are_the_published_ones(records: Path) -> None:
    operations = json.loads((records / "darts_derivation.json").read_text())["operations"]
    for published, space in RECORDED.items():
        recorded = operations[published.removeprefix("darts_")]
        rows = recorded["primitives_normal"], recorded["primitives_reduct"]
        assert tuple(t.options for t in space.tensors) == tuple(tuple(map(tuple, r)) for r in rows)


def test_two_hundred_published_decodings(records: Path) -> None:
    cases = json.loads((records / "darts_derivation.json").read_text())["cases"]
    assert len(cases) == 200
    for case in cases:
        found = RECORDED[case["space"]]().derive([np.asarray(a) for a in case["alphas"]])
        cells = (order_edges(tuple((op, source) for op, source in case[kind])) for kind in ("normal", "reduce"))
        assert found.encoding == str(Genotype(*cells))


def test_a_pasted_cell_is_read() -> None:
    found = DARTSFull().parse(PUBLISHED)
    assert found.encoding.startswith("Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0)")
    assert "('skip_connect', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), ('dil_conv_3x3', 2)" in found.encoding
    assert found.operations.count("skip_connect") == 5
    assert DARTSFull().parse(found.encoding) == FullNone().parse(PUBLISHED) == found


def test_numbers_of_inner_nodes_do_not_matter() -> None:
    """Exchange the nodes 2 and 3, of which neither reads the other, wherever they are read."""
    pairs = (("sep_conv_3x3", 0), ("dil_conv_3x3", 1)), (("max_pool_3x3", 0), ("skip_connect", 1))
    after = ("sep_conv_5x5", 2), ("skip_connect", 3), ("max_pool_3x3", 0), ("dil_conv_5x5", 3)
    moved = ("sep_conv_5x5", 3), ("skip_connect", 2), ("max_pool_3x3", 0), ("dil_conv_5x5", 2)
    other = ("sep_conv_5x5", 3), ("skip_connect", 2), ("max_pool_3x3", 0), ("dil_conv_5x5", 3)
    one, same, another = (*pairs[0], *pairs[1], *after), (*pairs[1], *pairs[0], *moved), (*pairs[1], *pairs[0], *other)
    assert find_isomorph(one) == find_isomorph(same) != find_isomorph(another)
    assert find_isomorph(find_isomorph(one)) == find_isomorph(one)
    keys = [DARTSFull().architecture(Genotype(order_edges(c), one)).key for c in (one, same, another)]
    assert keys[0] == keys[1] != keys[2]


def renumbered(cell: tuple[tuple[str, int], ...]) -> set[tuple[tuple[str, int], ...]]:
    """All cells with the same graph, by trying every order of the inner nodes."""
    found = set()
    for order in itertools.permutations(range(2, 6)):
        new = dict(zip(range(6), (0, 1, *order), strict=True))
        nodes = {new[n]: [(op, new[s]) for op, s in cell[2 * n - 4 : 2 * n - 2]] for n in range(2, 6)}
        if all(source < node for node, pair in nodes.items() for _, source in pair):
            found.add(tuple(e for n in range(2, 6) for e in sorted(nodes[n], key=lambda e: e[1])))
    return found


def test_isomorphs_are_those_of_every_order() -> None:
    rng = np.random.default_rng(0)
    sizes = []
    for _ in range(200):
        same = renumbered(parse(DARTSS2().random(rng).encoding).normal)
        sizes.append(len(same))
        assert {find_isomorph(cell) for cell in same} == {min(same)}
    assert {1, 2} < {*sizes}


def test_a_cell_as_mixing_weights_keeps_two_edges_a_node() -> None:
    for rows in DARTSFull().mix(DARTSFull().parse(PUBLISHED)):
        assert [rows[a:b].sum() for a, b in ((0, 2), (2, 5), (5, 9), (9, 14))] == [2, 2, 2, 2]


def test_none_takes_part_in_the_softmax_alone() -> None:
    """An edge whose `none` is strong is weak, and its best other operation is what counts."""
    alphas = [np.zeros((14, 3)) for _ in range(2)]
    for rows in alphas:
        rows[:, 2] = 0.1
        rows[2, 0] = 5.0
    found = parse(DARTSS3().derive(alphas).encoding)
    assert found.normal[2:4] == (("sep_conv_3x3", 1), ("sep_conv_3x3", 2))


def test_neighbors_are_counted() -> None:
    """Of a node with n inputs and 7 operations: either edge, exchanged for one of 7 (n - 1) - 1."""
    found = DARTSFull().neighbors(DARTSFull().parse(PUBLISHED))
    assert len(found) == 2 * sum(2 * (7 * (n - 1) - 1) for n in (2, 3, 4, 5))


def test_random_cells_are_uniform_over_the_pairs_of_a_node() -> None:
    rng = np.random.default_rng(0)
    drawn = [parse(DARTSS2().random(rng).encoding).normal[2:4] for _ in range(3000)]
    counts = [drawn.count(pair) for pair in {*drawn}]
    assert len(counts) == 12
    assert min(counts) > 200
    assert max(counts) < 300


def test_what_needs_every_cell_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"a census needs every architecture of its space, and darts\.full has too"):
        require_enumerable(DARTSFull(), "a census")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("Genotype(", "Cell("), "is no genotype: write it as Genotype"),
        (("normal_concat=[2, 3, 4, 5]", "normal_concat=[3, 4, 5]"), "do not put out their nodes 2 to 5"),
        (("('skip_connect', 0), ('skip_connect', 0)", "('skip_connect', 4), ('skip_connect', 0)"), "two different"),
        (("('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ", "", 1), "the normal cell of .* is not a list of 8 pairs"),
        (("dil_conv_3x3', 2", "dil_conv_7x7', 2"), "no operation 'dil_conv_7x7' between the nodes 2 and 5"),
        (("reduce=[('max_pool_3x3', 0)", "reduce=[('max_pool_3x3', 2, 0)"), "the reduce cell of .* is not a list"),
        (("DARTS_V2 = ", "import os; "), "is no genotype"),
    ],
)
def test_wrong_genotypes_are_explained(change: tuple[str, str], message: str) -> None:
    assert change[0] in PUBLISHED
    with pytest.raises(HarnessError, match=message):
        DARTSFull().parse(PUBLISHED.replace(*change))


def test_an_operation_of_another_edge_is_refused() -> None:
    """S1 has other operations on every edge."""
    space: DARTSSpace = DARTSS1()
    found = space.random(np.random.default_rng(0)).encoding
    with pytest.raises(HarnessError, match=r"darts\.s1 has no operation '\w+' between the nodes"):
        space.parse(found.replace("dil_conv_5x5", "dil_conv_3x3").replace("avg_pool", "max_pool").replace("sep", "dil"))
