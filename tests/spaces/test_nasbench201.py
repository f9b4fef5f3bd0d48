import bz2
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import HarnessError
from harness.spaces.nasbench201.cell import (
    EDGES,
    canonicalize,
    compute_published_key,
    keep_live_operations,
    list_distinct_cells,
    list_official_cells,
    parse_cell,
    to_string,
)
from harness.spaces.nasbench201.space import NASBench201
from harness.testing.contracts import SpaceContract

CELLS = st.tuples(*[st.integers(0, 4)] * 6)


class TestContract(SpaceContract):
    space = NASBench201()


def test_published_counts() -> None:
    space = NASBench201()
    strings = [a.encoding for a in space.enumerate()]
    assert len(set(strings)) == len(strings) == space.size == 15_625
    assert len({compute_published_key(c) for c in list_official_cells()}) == space.published_classes == 6_466
    assert len({canonicalize(c) for c in list_official_cells()}) == space.distinct == 4_930


def test_official_index_order(shared_data: Path, nasbench201_rows: list[dict[str, str]]) -> None:
    strings = [a.encoding for a in NASBench201().enumerate()]
    assert strings == [row["arch_str"] for row in nasbench201_rows]
    meta = shared_data / "nats_official" / "NATS-tss-v1_0-3ffb9-simple" / "meta.pickle.pbz2"
    assert strings == list(pickle.loads(bz2.decompress(meta.read_bytes()))["meta_archs"])


def test_published_keys_are_those_of_the_official_code(nasbench201_rows: list[dict[str, str]]) -> None:
    assert [compute_published_key(c) for c in list_official_cells()] == [row["func_key"] for row in nasbench201_rows]


def value(cell: tuple[int, ...]) -> float:
    """An independent reading of a cell: operations as fixed nonlinear functions of a number, zero to zero."""
    operations = (
        lambda v: 0.0,
        lambda v: v,
        lambda v: math.sinh(0.7 * v),
        lambda v: math.tanh(1.3 * v) * 1.9,
        lambda v: math.atan(0.6 * v),
    )
    nodes = [0.8374]
    for target in (1, 2, 3):
        incoming = [operations[op](nodes[s]) for op, (s, t) in zip(cell, EDGES, strict=True) if t == target]
        nodes.append(math.fsum(incoming))
    return nodes[3]


def test_canonical_classes_are_the_distinct_functions() -> None:
    by_value: dict[float, set[str]] = {}
    for cell in list_official_cells():
        by_value.setdefault(round(value(cell), 11), set()).add(canonicalize(cell))
    assert len(by_value) == 4_930
    assert all(len(keys) == 1 for keys in by_value.values())


@given(CELLS)
def test_live_operations_compute_the_same(cell: tuple[int, ...]) -> None:
    assert canonicalize(keep_live_operations(cell)) == canonicalize(cell)


@given(CELLS)
def test_strings_parse_back(cell: tuple[int, ...]) -> None:
    assert parse_cell(to_string(cell)) == cell


def test_distinct_cells_represent_every_class() -> None:
    representatives = list_distinct_cells()
    assert len(representatives) == 4_930
    assert all(canonicalize(cell) == key for key, cell in representatives.items())


def test_derivation_takes_the_largest_entry_none_included() -> None:
    alpha = np.zeros((6, 5))
    alpha[range(6), [0, 1, 2, 3, 4, 0]] = 1
    derived = NASBench201().derive([alpha])
    assert derived.encoding == "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x4~2|",
            "no operation 'nor_conv_3x4'.*did you mean",
        ),
        ("|nor_conv_3x3~0|+|none~0|none~1|", "is no NAS-Bench-201 architecture: write it as"),
        ("|nor_conv_3x3~1|+|none~0|none~1|+|none~0|none~1|none~2|", "is no NAS-Bench-201 architecture"),
        ("", "is no NAS-Bench-201 architecture"),
        ("nonsense", "is no NAS-Bench-201 architecture"),
    ],
)
def test_wrong_strings_are_explained(text: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        NASBench201().parse(text)


def test_wrong_tensors_are_explained() -> None:
    with pytest.raises(HarnessError, match=r"takes architecture tensors of shapes \(\(6, 5\),\), not \(\(5, 6\),\)"):
        NASBench201().derive([np.zeros((5, 6))])
    with pytest.raises(HarnessError, match="hold NaN or infinity: the search diverged"):
        NASBench201().derive([np.full((6, 5), np.nan)])
