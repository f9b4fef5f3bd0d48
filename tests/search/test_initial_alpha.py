"""What must not decide an architecture: initial signs, rounding, and operations that get no gradient."""

from typing import Any

import pytest
import torch

from harness.search.methods import Method, build_method, list_methods
from harness.search.regularizers.base import REGULARIZERS, Regularizer
from harness.search.regularizers.early_stopping import EigenvalueStopping
from harness.search.searchers.base import SEARCHERS, SupernetSearcher
from harness.search.state import DROPPED
from harness.spaces.darts.space import DARTSS3
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1
from harness.spaces.nasbench201.space import NASBench201
from harness.testing.contracts import make_small_search
from tests.conftest import often

SPACE = NASBench201()
NONE = SPACE.operations.index(str(SPACE.zero))
MOVING = [n for n, e in list_methods().items() if isinstance(e.searcher, SupernetSearcher) and not e.alias]
DECIDING = [
    name
    for name, cls in REGULARIZERS.classes.items()
    if cls.after_epoch is not Regularizer.after_epoch and not issubclass(cls, EigenvalueStopping)
]

CHEAPER = {"shapley": {"samples": 1}}
"""Fields with which a part costs less, and is the same."""


def nones(name: str, sign: int) -> int:
    """Of six edges those that derive `none` after a few large steps, where its logits begin with this sign."""
    search = make_small_search(build_method(name), SPACE)
    with torch.no_grad():
        search.alphas[0][:, NONE] = (sign * 1e-3 * torch.ones(6)).where(
            search.alphas[0][:, NONE] > DROPPED / 2, search.alphas[0][:, NONE]
        )
    search.alpha_optimizer.param_groups[0]["lr"] = 0.05
    search.net.train()
    for _ in range(4):
        search.advance(1, 0.01)
    return search.derive().operations.count(str(SPACE.zero))


@pytest.mark.parametrize("name", often(MOVING, [*SEARCHERS.classes, "sdarts-rs", "beta-darts"].__contains__))
def test_initial_signs_do_not_decide_for_nothing(name: str) -> None:
    if make_small_search(build_method(name), SPACE).alphas[0].requires_grad and any(
        not r.alpha_moves(make_small_search(build_method(name), SPACE).moment(1))
        for r in build_method(name).regularizers
    ):
        pytest.skip("its logits do not move in the second epoch")
    assert abs(nones(name, 1) - nones(name, -1)) < 5  # all, or nearly all, by their signs alone


@pytest.mark.parametrize("name", [n for n, c in SEARCHERS.classes.items() if issubclass(c, SupernetSearcher)])
def test_an_operation_without_gradient_is_no_option(name: str) -> None:
    """The operation that gives nothing gets a gradient only where its weight is taken from the others'."""
    searcher = SEARCHERS.find(name)()
    alphas = [a.requires_grad_() for a in searcher.initial([1e-3 * torch.randn(6, 5)], SPACE)]
    others = searcher.relax(alphas)[0][:, [i for i in range(5) if i != NONE]]
    (slope,) = torch.autograd.grad(others[0, 0], alphas)
    assert slope[0, NONE] != 0 or (alphas[0][:, NONE] < DROPPED / 2).all()


@pytest.mark.parametrize(
    "space", often([SPACE, NASBench1Shot1S1(), DARTSS3()], lambda s: s is SPACE), ids=lambda s: s.name
)
@pytest.mark.parametrize("name", DECIDING)
def test_rounding_decides_nothing(name: str, space: Any) -> None:
    """Logits one unit in the last place away, up or down, at random: the same decisions, epoch after epoch."""
    found = []
    for nudged in (False, True):
        part = REGULARIZERS.build(name, CHEAPER.get(name, {}))
        search = make_small_search(Method(build_method("darts").searcher, (part,)), space, epochs=8)
        draws = torch.Generator().manual_seed(1)
        decided = []
        for epoch in range(8):
            for alpha in search.alphas:
                value = torch.randn(alpha.shape, generator=draws)
                way = torch.randint(0, 2, alpha.shape, generator=draws) * 2.0 - 1.0
                with torch.no_grad():
                    alpha.copy_(torch.nextafter(value, way * 9) if nudged else value)
            part.after_epoch(search, search.moment(epoch))
            decided.append((dict(search.decided), search.derive().encoding))
        found.append(decided)
    assert found[0] == found[1]
