"""Hessians, early stops and hypergradients against closed forms."""

import pytest
import torch
from torch import Tensor, nn

from harness.measures.early_stopping import Stop, find_early_stop
from harness.measures.hessian import compute_hessian, compute_largest_eigenvalue, flatten_tensors
from harness.search.searchers.amended import AmendedDARTS
from harness.search.searchers.base import SupernetSearcher
from harness.search.searchers.darts import DARTS
from harness.search.searchers.idarts import IDARTS
from harness.spaces.blocks.supernet import Supernet
from tests.measures.hypergradient import cosine, exact_hypergradient
from tests.search.searchers.test_darts import Quadratic, step_of
from tests.search.searchers.test_searchers import ALPHA, jacobian


def test_hessian_of_a_quadratic_over_several_tensors() -> None:
    g = torch.Generator().manual_seed(0)
    a = torch.randn(5, 5, generator=g, dtype=torch.float64)
    matrix = a + a.T
    point = [torch.randn(1, 2, generator=g, dtype=torch.float64), torch.randn(3, 1, generator=g, dtype=torch.float64)]

    def loss(tensors: list[Tensor]) -> Tensor:
        x = flatten_tensors(tensors)
        return x @ matrix @ x / 2

    found = compute_hessian(loss, point, ridge=0.5)
    assert torch.allclose(found, matrix + 0.5 * torch.eye(5, dtype=torch.float64))
    assert compute_largest_eigenvalue(found) == pytest.approx(float(torch.linalg.eigvalsh(matrix).max()) + 0.5)


def test_early_stop_by_hand() -> None:
    """Averages over five: constant until the jump at epoch 24 lifts them by (10 - 1) / 5."""
    epochs = list(range(0, 50, 2))
    assert find_early_stop(epochs, [1.0] * len(epochs)) is None
    assert find_early_stop(epochs, [1.0] * 12 + [10.0] * 13) == Stop(24, 12)
    assert find_early_stop(epochs, [1.0] * 6 + [10.0] * 19) == Stop(22, 10)  # it has grown before, but not to return 10
    assert find_early_stop(epochs, [1.0] * 2 + [10.0] * 23) is None  # all that grew was over
    assert find_early_stop([*epochs[:12], 23], [1.0] * 12 + [99.0]) is None  # an odd epoch is not looked at


def test_exact_hypergradient_is_the_implicit_function_theorem() -> None:
    net, alpha = Quadratic(), ALPHA.clone().requires_grad_()
    found = exact_hypergradient(step_of(net, [alpha], "train", "valid"), DARTS())
    expected = jacobian(ALPHA) @ (net.c + net.m.T @ torch.linalg.solve(net.h, net.w.detach() - net.t))
    assert torch.allclose(found, expected)


@pytest.mark.parametrize("searcher", [DARTS(), DARTS(order=2), AmendedDARTS(), IDARTS(terms=50)], ids=lambda s: s.name)
def test_angles_to_the_exact_hypergradient_are_measured(searcher: SupernetSearcher) -> None:
    net, alpha = Quadratic(), ALPHA.clone().requires_grad_()
    step = step_of(net, [alpha], "train", "valid", learning_rate=0.05, weight_decay=0.0)
    angle = cosine(flatten_tensors(searcher.gradient(step)), exact_hypergradient(step, searcher))
    assert -1 <= angle <= 1
    if searcher.name == "idarts":
        assert angle > 0.99


class Counterexample(nn.Module):
    """H = diag(1, 10), mixed derivative M = (1, -1), dL_valid/dw = (1, 1), no direct term."""

    gradients = Supernet.gradients

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def forward(self, batch: str, mix: list[Tensor]) -> Tensor:
        if batch == "train":
            curved = (self.w.square() * torch.tensor([1.0, 10.0])).sum() / 2
            return curved + mix[0][0, 0] * (self.w[0] - self.w[1])
        return self.w.sum() + 0 * mix[0].sum()


def test_the_amending_term_can_point_against_the_exact_one() -> None:
    """g2 = -M H^-1 v = -0.9 and eta M H v = -9 eta with a minus: -(-9 eta) = 9 eta, so their product is -8.1 eta."""
    net = Counterexample()
    alpha = torch.tensor([[0.2, 0.1]], dtype=torch.float64, requires_grad=True)
    step = step_of(net, [alpha], "train", "valid")
    searcher = AmendedDARTS(eta=0.5)
    ours, exact = flatten_tensors(searcher.gradient(step)), exact_hypergradient(step, searcher)
    slope = alpha.detach().softmax(-1).prod()  # d mix_0 / d alpha_0
    assert ours[0].item() == pytest.approx(9 * 0.5 * slope.item())
    assert exact[0].item() == pytest.approx(-0.9 * slope.item())
    assert cosine(ours, exact) == pytest.approx(-1)
