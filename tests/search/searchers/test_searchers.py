"""Searchers beyond DARTS against closed forms, automatic differentiation, and the distributions that they draw from."""

import math

import pytest
import torch
from torch import Tensor

from harness.core.streams import Streams
from harness.search.schedules import interpolate_until_last_epoch
from harness.search.searchers.a2m import A2M
from harness.search.searchers.amended import AmendedDARTS
from harness.search.searchers.base import Moment
from harness.search.searchers.drnas import DrNAS
from harness.search.searchers.fairdarts import FairDARTS
from harness.search.searchers.gaea import GAEA
from harness.search.searchers.gumbel import Gumbel
from harness.search.searchers.idarts import IDARTS
from harness.search.searchers.nasp import NASP
from harness.spaces.nasbench201.space import NASBench201
from tests.search.searchers.test_darts import Quadratic, step_of

ALPHA = torch.tensor([[0.3, -0.2, 0.9, 0.1]], dtype=torch.float64)
DRAWS = 4_000


def jacobian(alpha: Tensor) -> Tensor:
    """d softmax / d alpha."""
    a = alpha[0].softmax(dim=0)
    return torch.diag(a) - torch.outer(a, a)


def moment(epoch: int = 1, epochs: int = 3) -> Moment:
    return Moment(Streams(0), NASBench201(), epoch, epochs)


def test_amended_is_exact_on_a_quadratic() -> None:
    """dL_valid/da = c, dL_valid/dw = w - t, d^2 L_train/(da dw) = -M': g = J (c + eta M' H (w - t))."""
    net, alpha = Quadratic(), ALPHA.clone().requires_grad_()
    before = net.w.detach().clone()
    (gradient,) = AmendedDARTS(eta=0.3).gradient(step_of(net, [alpha], "train", "valid"))
    expected = jacobian(ALPHA) @ (net.c + 0.3 * net.m.T @ net.h @ (before - net.t))
    assert torch.allclose(gradient[0], expected, rtol=1e-8)
    assert torch.equal(net.w, before)


@pytest.mark.parametrize("terms", [0, 1, 2, 5])
def test_idarts_is_the_truncated_neumann_series(terms: int) -> None:
    net, alpha = Quadratic(), ALPHA.clone().requires_grad_()
    before, rate = net.w.detach().clone(), 0.01
    (gradient,) = IDARTS(terms=terms).gradient(step_of(net, [alpha], "train", "valid", learning_rate=rate))
    factor = torch.eye(4, dtype=torch.float64) - rate * net.h
    series = sum((torch.matrix_power(factor, k) for k in range(terms + 1)), torch.zeros(4, 4, dtype=torch.float64))
    expected = jacobian(ALPHA) @ (net.c + rate * net.m.T @ series @ (before - net.t))
    assert torch.allclose(gradient[0], expected, rtol=1e-12)
    assert torch.equal(net.w, before)


def test_idarts_tends_to_the_exact_hypergradient() -> None:
    """g = J (c + M' H^-1 (w - t)): the implicit function theorem at the optimum of the training loss."""
    net, alpha = Quadratic(), ALPHA.clone().requires_grad_()
    rate = float(1 / torch.linalg.eigvalsh(net.h).max())
    (gradient,) = IDARTS(terms=3_000).gradient(step_of(net, [alpha], "train", "valid", learning_rate=rate))
    exact = jacobian(ALPHA) @ (net.c + net.m.T @ torch.linalg.solve(net.h, net.w.detach() - net.t))
    assert torch.allclose(gradient[0], exact, rtol=1e-6)


def test_sam_is_the_gradient_of_the_loss_after_ascent() -> None:
    net, alpha = Quadratic(), ALPHA.clone().requires_grad_()
    rho = 0.5
    (gradient,) = A2M(rho=rho).gradient(step_of(net, [alpha], "train", "valid"))
    assert torch.equal(alpha.detach(), ALPHA)

    def loss(a: Tensor) -> Tensor:
        return net("valid", [a.softmax(dim=-1)])

    free = ALPHA.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(free), free, create_graph=True)
    ascended = (ALPHA + rho * slope).detach().requires_grad_()
    (there,) = torch.autograd.grad(loss(ascended), ascended, create_graph=True)
    (curved,) = torch.autograd.grad(there, ascended, there.detach())
    assert torch.allclose(gradient, there + rho * curved, rtol=1e-4)


def test_gaea_is_the_exponentiated_gradient() -> None:
    net, alpha = Quadratic(), ALPHA.clone().requires_grad_()
    searcher = GAEA(rate=0.2, floor=0)
    (slope,) = searcher.gradient(step_of(net, [alpha], "train", "valid"))
    assert torch.allclose(slope[0], net.c)
    searcher.move(step_of(net, [alpha], "train", "valid"), [slope], torch.optim.SGD([alpha], lr=1.0))
    expected = ALPHA.exp() * torch.exp(-0.2 * net.c)
    assert torch.allclose(alpha.softmax(dim=-1), expected / expected.sum(), rtol=1e-12)


def test_gaea_keeps_its_floor() -> None:
    alpha = torch.tensor([[0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    step = step_of(Quadratic(), [alpha], "train", "valid")
    GAEA(floor=0.01).move(step, [torch.tensor([[0.0, 1e4]], dtype=torch.float64)], torch.optim.SGD([alpha], lr=1.0))
    assert alpha.softmax(dim=-1).min().item() == pytest.approx(0.01 / 1.01)


def test_hard_gumbel_draws_from_the_softmax() -> None:
    """The probability of each operation is its softmax, whatever the temperature (Gumbel-max)."""
    searcher, now = Gumbel(variant="hard", temperature_end=0.1), moment()
    drawn = torch.stack([searcher.sample([ALPHA], now)[0][0] for _ in range(DRAWS)])
    assert torch.allclose(drawn.sum(dim=1), torch.ones(DRAWS, dtype=torch.float64))
    expected = ALPHA[0].softmax(dim=0)
    deviation = (expected * (1 - expected) / DRAWS).sqrt()
    assert ((drawn.mean(dim=0) - expected).abs() < 4 * deviation).all()


def test_soft_gumbel_tends_to_one_hot_and_to_uniform() -> None:
    cold, hot = (Gumbel(temperature=t, temperature_end=t) for t in (1e-3, 1e3))
    assert cold.sample([ALPHA], moment())[0].max().item() == pytest.approx(1)
    assert torch.allclose(hot.sample([ALPHA], moment())[0], torch.full_like(ALPHA, 0.25), atol=0.01)


def test_gumbel_gradient_is_straight_through() -> None:
    alpha = ALPHA.clone().requires_grad_()
    hard, soft = (Gumbel(variant=v).sample([alpha], moment())[0] for v in ("hard", "soft"))  # type: ignore[arg-type]
    assert sorted(hard.detach()[0].tolist()) == pytest.approx([0, 0, 0, 1])
    weights = torch.arange(4, dtype=torch.float64)
    gradients = [torch.autograd.grad((m[0] * weights).sum(), alpha)[0] for m in (hard, soft)]
    assert torch.allclose(*gradients)


def test_temperature_falls_linearly() -> None:
    assert [interpolate_until_last_epoch(10, 0.1, moment(e, 5)) for e in (0, 2, 4)] == pytest.approx([10, 5.05, 0.1])


def test_drnas_draws_from_its_dirichlet() -> None:
    searcher, now = DrNAS(), moment()
    drawn = torch.stack([searcher.sample([ALPHA], now)[0][0] for _ in range(DRAWS)])
    concentration = torch.nn.functional.elu(ALPHA[0]) + 1
    total = concentration.sum()
    mean = concentration / total
    assert torch.allclose(searcher.relax([ALPHA])[0][0], mean)
    variance = mean * (1 - mean) / (total + 1)
    assert ((drawn.mean(dim=0) - mean).abs() < 4 * (variance / DRAWS).sqrt()).all()
    assert torch.allclose(drawn.var(dim=0), variance, rtol=0.15)


def test_drnas_gradient_is_pathwise() -> None:
    """The gradient of E[a_0] by samples is that of the mean."""
    alpha, now = ALPHA.clone().requires_grad_(), moment()
    first = torch.stack([DrNAS().sample([alpha], now)[0][0, 0] for _ in range(DRAWS)]).mean()
    (sampled,) = torch.autograd.grad(first, alpha)
    (exact,) = torch.autograd.grad(DrNAS().relax([alpha])[0][0, 0], alpha)
    assert torch.allclose(sampled, exact, atol=0.03)


def test_fairdarts_adds_the_zero_one_loss() -> None:
    net, alpha = Quadratic(), ALPHA.clone().requires_grad_()
    s = ALPHA.sigmoid()
    slope = s * (1 - s)
    for kind, outer in (("L2", 2 * (s - 0.5)), ("L1", (s - 0.5).sign())):
        (gradient,) = FairDARTS(strength=3, kind=kind).gradient(step_of(net, [alpha], "train", "valid"))  # type: ignore[arg-type]
        assert torch.allclose(gradient, slope * (net.c - 3 * outer / 4))


def test_nasp_runs_at_one_hot_and_moves_the_continuous_alpha() -> None:
    net, alpha = Quadratic(), ALPHA.clone().requires_grad_()
    searcher = NASP()
    assert searcher.sample([alpha], moment())[0][0].tolist() == [0, 0, 1, 0]
    (gradient,) = searcher.gradient(step_of(net, [alpha], "train", "valid"))
    assert torch.allclose(gradient[0], net.c)
    searcher.move(
        step_of(net, [alpha], "train", "valid"),
        [torch.tensor([[0.0, 0.0, -math.inf, 0.0]], dtype=torch.float64)],
        torch.optim.SGD([alpha], lr=1.0),
    )
    assert alpha.detach()[0].tolist() == [0.3, 0.0, 1.0, 0.1]
