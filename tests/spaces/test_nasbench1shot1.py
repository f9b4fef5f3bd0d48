import itertools

import numpy as np
import pytest
from nasbench_pytorch.model.graph_util import is_isomorphic
from nasbench_pytorch.model.model_spec import ModelSpec

from harness.core.errors import HarnessError
from harness.spaces.nasbench1shot1.nasbench101 import find_live_nodes
from harness.spaces.nasbench1shot1.space import NASBench1Shot1, NASBench1Shot1S1, NASBench1Shot1S2, NASBench1Shot1S3
from harness.testing.contracts import SpaceContract

SHAPES = {
    NASBench1Shot1S1: ((4, 3), (1, 5), (1, 3), (1, 4)),
    NASBench1Shot1S2: ((4, 3), (1, 5), (1, 2), (1, 3), (1, 4)),
    NASBench1Shot1S3: ((5, 3), (1, 6), (1, 2), (1, 3), (1, 4), (1, 5)),
}


class TestS1(SpaceContract):
    space = NASBench1Shot1S1()


class TestS2(SpaceContract):
    space = NASBench1Shot1S2()


class TestS3(SpaceContract):
    space = NASBench1Shot1S3()


@pytest.mark.parametrize(
    ("cls", "size"), [(NASBench1Shot1S1, 14_580), (NASBench1Shot1S2, 29_160), (NASBench1Shot1S3, 1_312_200)]
)
def test_tensor_shapes_and_sizes(cls: type[NASBench1Shot1], size: int) -> None:
    assert cls.alpha_shapes == SHAPES[cls]
    assert cls.size == size


@pytest.mark.parametrize("cls", [NASBench1Shot1S1, NASBench1Shot1S2])
def test_enumeration_is_complete(cls: type[NASBench1Shot1]) -> None:
    space = cls()
    found = list(space.enumerate())
    assert len({a.encoding for a in found}) == len(found) == space.size
    assert {a.key for a in found} == set(space.distinct_architectures())
    assert len(space.distinct_architectures()) == space.distinct


@pytest.mark.long
def test_s3_has_55854_distinct_cells() -> None:
    space = NASBench1Shot1S3()
    assert len(space.distinct_architectures()) == space.distinct == 55_854
    encodings = sum(3**5 for _ in space.connectivities())
    assert encodings == len(set(space.connectivities())) * 3**5 == space.size


def test_derivation_of_every_connectivity_of_s2() -> None:
    """Brute force: logits that prefer a connectivity derive it."""
    space = NASBench1Shot1S2()
    rng = np.random.default_rng(0)
    for parents in space.connectivities():
        operations = rng.integers(0, 3, 4)
        alphas = [np.eye(3)[operations]]
        for node in (5, 2, 3, 4):
            row = rng.uniform(-1, 0, (1, node))
            row[0, list(parents[node - 1])] += 2
            alphas.append(row)
        assert space.derive(alphas) == space.architecture(operations.tolist(), parents)


def test_hash_is_equal_exactly_for_isomorphic_cells() -> None:
    space = NASBench1Shot1S1()
    rng = np.random.default_rng(1)
    drawn = [space.random(rng) for _ in range(40)]
    specs = [ModelSpec(*space.matrix(a)) for a in drawn]
    compared = 0
    for (a, s), (b, t) in itertools.combinations(zip(drawn, specs, strict=True), 2):
        if len(s.ops) != len(t.ops) or len(s.ops) > 5:
            continue  # the exhaustive check takes every permutation
        compared += 1
        same = is_isomorphic((s.matrix.numpy(), s.ops), (t.matrix.numpy(), t.ops))
        assert same == (a.key == b.key)
    assert compared > 30


def test_dummy_node_stands_unconnected_at_five() -> None:
    space = NASBench1Shot1S1()
    matrix, operations = space.matrix(space.random(np.random.default_rng(3)))
    assert matrix.shape == (7, 7)
    assert operations[5] == "conv1x1-bn-relu"
    assert not matrix[5].any()
    assert not matrix[:, 5].any()


def test_pruned_nodes_do_not_change_the_key() -> None:
    space = NASBench1Shot1S1()
    text = "1:{a}(0)|2:{b}(0,1)|3:{c}(0,2)|4:{d}(1,2)|out(0,2)"
    ops = ("conv3x3-bn-relu", "maxpool3x3", "conv1x1-bn-relu")
    keys = {space.parse(text.format(a=ops[0], b=ops[1], c=c, d=d)).key for c in ops for d in ops}
    assert len(keys) == 1
    assert find_live_nodes(((0,), (0, 1), (0, 2), (1, 2), (0, 2))) == {1, 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1:conv3x3-bn-relu(0)|out(0,1)", r"is no nasbench1shot1\.s1 architecture: write nodes 1\.\.4"),
        (
            "1:maxpool3x3(0)|2:maxpool3x3(0)|3:maxpool3x3(0,1)|4:maxpool3x3(0,1)|out(0,1)",
            r"node 2 of .* needs 2 different parents below 2",
        ),
        (
            "1:maxpool3x3(0)|2:maxpool3x3(0,1)|3:maxpool3x3(0,1)|4:maxpool(0,1)|out(0,1)",
            "no operation 'maxpool'.*did you mean 'maxpool3x3'",
        ),
        (
            "1:maxpool3x3(0)|2:maxpool3x3(0,1)|3:maxpool3x3(0,1)|4:maxpool3x3(0,1)|out(0,5)",
            r"the output of .* needs 2 different parents below 5",
        ),
    ],
)
def test_wrong_encodings_are_explained(text: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        NASBench1Shot1S1().parse(text)
