"""The terms that methods compute by finite differences are those of the derivative, where the distance is small."""

import pandas as pd
import torch

from benchmarks.comparisons.finite_differences import METHODS, compare
from harness.search.methods import build_method
from harness.spaces.base import SPACES
from harness.testing.contracts import make_small_search, state_of


def test_each_comes_to_the_exact_term_in_float64_and_leaves_the_search_as_it_is() -> None:
    search = make_small_search(build_method("darts"), SPACES.find("nasbench201")())
    search.train_epoch(0, lambda: None)
    before = [s.clone() for s in state_of(search)]
    rows = pd.DataFrame(compare(search, 1))
    assert all(torch.equal(a, b) for a, b in zip(before, state_of(search), strict=True))
    assert set(rows["method"]) == set(METHODS)
    least = rows.groupby(["precision", "method"])["error"].min()
    assert (least["float64"] < 1e-5).all(), least
    assert (least["float32"] > 10 * least["float64"]).all(), least
    published = rows[rows["published"]]
    assert len(published) == 2 * len(METHODS)
