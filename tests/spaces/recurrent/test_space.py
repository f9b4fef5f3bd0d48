"""The recurrent space: genotypes, the published decoding, and the contract of every space."""

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.spaces.recurrent.genotype import find_isomorph, write
from harness.spaces.recurrent.space import PennTreebank, make_space_of_nodes, make_space_of_rows
from harness.testing.contracts import SpaceContract

PUBLISHED = (
    "DARTS_V2 = Genotype(recurrent=[('sigmoid', 0), ('relu', 1), ('relu', 1), ('identity', 1), ('tanh', 2), "
    "('sigmoid', 5), ('tanh', 3), ('relu', 5)], concat=range(1, 9))"
)
"""The cell that DARTS' paper trains on Penn Treebank, as its code writes it."""


class TestPennTreebank(SpaceContract):
    space = PennTreebank()


def test_the_published_cell_is_read() -> None:
    cell = PennTreebank().parse(PUBLISHED)
    assert cell.encoding == PUBLISHED.removeprefix("DARTS_V2 = ")
    assert cell.operations == ("sigmoid", "relu", "relu", "identity", "tanh", "sigmoid", "tanh", "relu")
    assert PennTreebank().parse(PUBLISHED.replace("range(1, 9)", "[1, 2, 3, 4, 5, 6, 7, 8]")) == cell


def test_cells_that_are_numbered_otherwise_are_one() -> None:
    """A node and its successors change places with another one that reads the same state."""
    one = (("tanh", 0), ("relu", 0), ("sigmoid", 1))
    other = (("relu", 0), ("tanh", 0), ("sigmoid", 2))
    assert find_isomorph(one) == find_isomorph(other)
    assert find_isomorph(one) != find_isomorph((("tanh", 0), ("relu", 0), ("sigmoid", 2)))
    space = make_space_of_nodes(3)()
    assert {space.parse(write(cell)).key for cell in (one, other)} == {write(find_isomorph(one))}


@pytest.mark.parametrize("seed", range(20))
def test_the_canonical_cell_is_one_of_the_space(seed: int) -> None:
    drawn = PennTreebank().random(np.random.default_rng(seed))
    again = PennTreebank().parse(drawn.key)
    assert again.key == again.encoding == drawn.key


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Genotype(recurrent=[('tanh', 0)], concat=range(1, 2))", "not a list of 8 pairs"),
        (PUBLISHED.replace("('relu', 5)]", "('relu', 8)]"), "node 7 .* reads state 8"),
        (PUBLISHED.replace("tanh", "tan"), "no operation 'tan' for node 4"),
        (PUBLISHED.replace("'sigmoid', 0", "'none', 0"), "no operation 'none' for node 0"),
        (PUBLISHED.replace("range(1, 9)", "range(2, 9)"), "does not put out the mean of its states 1 to 8"),
        ("|nor_conv_3x3~0|", "is no genotype of a recurrent cell"),
        ("x" * 10_000, "a text of 10,000 characters"),
    ],
)
def test_an_error_says_what_is_wrong_with_a_genotype(text: str, says: str) -> None:
    with pytest.raises(HarnessError, match=says):
        PennTreebank().parse(text)


def test_rows_of_the_same_numbers_tie_and_the_first_is_taken() -> None:
    """Whatever the order in which a softmax adds them up."""
    rng = np.random.default_rng(0)
    space = make_space_of_nodes(2)()
    for _ in range(200):
        row = rng.normal(size=5)
        alphas = np.stack([row, row, rng.permutation(row)])
        alphas[2, 0] = row[0]
        first, second = np.sort(alphas[1]), np.sort(alphas[2])
        if np.array_equal(first, second):
            assert "0)], concat" in space.derive([alphas]).encoding


def test_how_many_nodes_follows_from_the_edges() -> None:
    assert make_space_of_rows(36) is PennTreebank
    assert make_space_of_rows(15).nodes == 5
    with pytest.raises(HarnessError, match="no recurrent cell has 35 edges"):
        make_space_of_rows(35)
