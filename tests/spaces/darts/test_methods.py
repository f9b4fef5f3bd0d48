"""Methods on DARTS' spaces: each searches, resumes to the same bytes, and leaves global random states alone."""

import numpy as np
import pytest
import torch

from harness.search.methods import build_method
from harness.search.regularizers.base import DROPPED
from harness.search.regularizers.staged_dropping import derive_limited
from harness.spaces.darts.space import DARTSS1, DARTSS2, DARTSS3, S4
from harness.testing.contracts import MethodContract, make_small_search

CHOSEN = [
    ("darts", S4()),
    ("sdarts-adv", S4()),
    ("darts-minus", DARTSS1()),
    ("pc-darts + sdarts-rs", DARTSS2()),
    ("r-darts-dp", S4()),
    ("p-darts", DARTSS3()),
    ("lambda-darts", DARTSS1()),
    ("oles", DARTSS1()),
    ("gdas", DARTSS3()),
    ("ms-darts", DARTSS2()),
]


class TestChosenMethods(MethodContract):
    @pytest.fixture(autouse=True, params=CHOSEN, ids=lambda p: f"{p[0]}-{p[1].name}")
    def chosen(self, request: pytest.FixtureRequest) -> None:
        self.method, self.space = request.param


def test_noise_has_a_stream_of_its_own() -> None:
    """Draws of another purpose do not move it."""
    plain, other = (make_small_search(build_method(m), S4()) for m in ("darts", "sdarts-rs"))
    for search in (plain, other):
        search.train_epoch(0, lambda: None)
    assert "alpha-noise" in other.streams.state_dict()
    assert torch.equal(*(search.streams.state_dict()["noise"] for search in (plain, other)))


def test_a_cell_of_nothing_but_skips_has_an_end() -> None:
    """Where every other operation is dropped, there are as many skips as edges, whatever the limit."""
    space = DARTSS2()
    skip = [[options.index(str(space.skip)) for options in choices.options] for choices in space.tensors]
    alphas = [np.full(shape, DROPPED) for shape in space.alpha_shapes]
    for alpha, places in zip(alphas, skip, strict=True):
        alpha[range(len(places)), places] = 0.0
    assert derive_limited(space, alphas, [2, None]).operations.count(str(space.skip)) == 16
