"""Every method of the registry: it searches, resumes, and is DARTS at zero strength."""

from typing import Any

import pytest
import torch

from harness.errors import HarnessError
from harness.methods import METHODS, Method, known_names, method
from harness.registry import build, plugins
from harness.searchers.base import SupernetSearcher
from harness.spaces.nasbench1shot1 import S1
from harness.spaces.nasbench201 import NASBench201
from harness.testing import MethodContract, small_search, state_of

SPACES = (NASBench201(), S1())
COMBINED = ("pc-darts + sdarts-rs", "pc-darts + sdarts-adv", "drnas + sdarts-rs", "beta-darts + darts-minus + cutout")
SEARCHES = [n for n in (*known_names(), *COMBINED) if isinstance(method(n).searcher, SupernetSearcher)]


class TestEveryMethod(MethodContract):
    @pytest.fixture(
        autouse=True, params=[(n, s) for n in SEARCHES for s in SPACES], ids=lambda p: f"{p[0]}-{p[1].name}"
    )
    def chosen(self, request: pytest.FixtureRequest) -> None:
        self.method, self.space = request.param


def states(chosen: Method, space: Any) -> list[torch.Tensor]:
    search = small_search(chosen, space)
    for epoch in range(3):
        search.train_epoch(epoch, lambda: None)
    return state_of(search)


NEUTRAL = [(k, n) for k in ("regularizers", "searchers") for n, c in plugins(k).items() if hasattr(c, "neutral")]


@pytest.mark.parametrize(("kind", "name"), NEUTRAL)
def test_zero_strength_is_darts_bit_for_bit(kind: str, name: str) -> None:
    part = build(kind, name, plugins(kind)[name].neutral)
    darts = method("darts").searcher
    neutral = Method(darts, (part,)) if kind == "regularizers" else Method(part, ())
    for space in SPACES:
        for ours, theirs in zip(states(neutral, space), states(method("darts"), space), strict=True):
            assert torch.equal(ours, theirs)


def test_every_regularizer_says_where_it_is_neutral() -> None:
    assert {n for k, n in NEUTRAL if k == "regularizers"} == set(plugins("regularizers"))


def test_full_strength_is_not_darts() -> None:
    """No regularizer is without effect."""
    plain = states(method("darts"), SPACES[0])
    for name, kind in plugins("regularizers").items():
        settings: dict[str, Any] = {"alpha-warmup": {"length": 1}}.get(name, {})
        ours = states(Method(method("darts").searcher, (kind(**settings),)), SPACES[0])
        same = [a.shape == b.shape and torch.equal(a, b) for a, b in zip(ours, plain, strict=True)]
        assert not all(same), name


def test_every_part_has_a_status() -> None:
    for kind in ("regularizers", "searchers"):
        for name, cls in plugins(kind).items():
            if name != "random-search":
                assert cls.status in ("conforms", "specified", "adapted"), name


def test_channels_that_cannot_be_divided_are_explained() -> None:
    chosen = method("pc-darts").override({"partial-channels": {"k": 3}})
    with pytest.raises(HarnessError, match="4 channels cannot be divided into 3 parts"):
        small_search(chosen, SPACES[0])


def test_control_of_ms_darts_has_its_variance() -> None:
    """Two rounds of means of three points: sqrt(2/3) of the noise (weights nearly equal)."""
    ms, control = (dict(METHODS[n][1]) for n in ("ms-darts", "ms-darts-control"))
    assert ms == {"mean-shift": {}}
    assert control["random-smoothing"]["epsilon"] == pytest.approx(0.25 * (2 / 3) ** 0.5, abs=1e-3)
