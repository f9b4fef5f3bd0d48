"""BaLeNAS' rule: Adam where the Gaussian has no width, the prior's decay where there is no gradient, and its draws."""

from typing import Any

import pytest
import torch
from torch import Tensor

from harness.search.methods import build_method
from harness.search.searchers.balenas import BaLeNAS
from harness.search.state import DROPPED
from harness.search.steps import ArchitectureStep, Moment
from harness.spaces.nasbench201.space import NASBench201
from harness.testing.contracts import make_small_search
from tests.search.searchers.test_darts import Quadratic, step_of

ALPHA = torch.tensor([[0.3, -0.2, 0.9, 0.1]], dtype=torch.float64)
RATE, BETAS = 0.01, (0.5, 0.999)


def moving(searcher: BaLeNAS, alpha: Tensor, **options: Any) -> tuple[ArchitectureStep, torch.optim.Adam]:
    optimizer = torch.optim.Adam([alpha], lr=RATE, betas=BETAS, eps=0, weight_decay=0.1)
    return step_of(Quadratic(), [alpha], "train", "valid", **options), optimizer


def test_without_a_width_it_is_adam(monkeypatch: pytest.MonkeyPatch) -> None:
    """And without a prior."""
    monkeypatch.setattr(BaLeNAS, "noise", lambda self, alphas, moment: [torch.zeros_like(a) for a in alphas])
    ours, theirs = (ALPHA.clone().requires_grad_() for _ in range(2))
    searcher = BaLeNAS(images=10**9, prior=1e-9)
    step, optimizer = moving(searcher, ours)
    adam = torch.optim.Adam([theirs], lr=RATE, betas=BETAS, eps=0)
    for _ in range(20):
        searcher.move(step, searcher.gradient(step), optimizer)
        (theirs.grad,) = build_method("darts").searcher.gradient(step_of(Quadratic(), [theirs], "train", "valid"))
        adam.step()
        assert torch.allclose(ours, theirs, rtol=1e-9)
    assert not torch.allclose(ours.detach(), ALPHA, atol=0.05)


def test_the_rule_is_that_of_its_paper() -> None:
    """Two steps with given gradients, by hand."""
    alpha, searcher = ALPHA.clone().requires_grad_(), BaLeNAS(images=50, prior=2.0, begin=0.3)
    step, optimizer = moving(searcher, alpha)
    mu, m, s = ALPHA.clone(), torch.zeros_like(ALPHA), torch.full_like(ALPHA, 0.3)
    for t, scale in ((1, 1.0), (2, -0.3)):
        g = scale * torch.tensor([[0.1, 0.2, -0.3, 0.0]], dtype=torch.float64)
        searcher.move(step, [g], optimizer)
        m, s = 0.5 * m + 0.5 * (g + 0.04 * mu), 0.999 * s + 0.001 * g * g
        mu = mu - RATE * (m / (1 - 0.5**t)) / ((s / (1 - 0.999**t)).sqrt() + 0.04)
        assert torch.allclose(alpha.detach(), mu, rtol=1e-12)


def test_without_a_gradient_the_prior_alone_moves_the_mean() -> None:
    """By rate times mu in the first step, whatever its precision; what was dropped stays."""
    alpha = torch.tensor([[0.3, -0.2, 0.9, DROPPED]], dtype=torch.float64, requires_grad=True)
    searcher = BaLeNAS(images=50, prior=7.0)
    step, optimizer = moving(searcher, alpha)
    searcher.move(step, [torch.zeros_like(alpha)], optimizer)
    expected = torch.tensor([[0.3, -0.2, 0.9, 0]], dtype=torch.float64) * (1 - RATE)
    expected[0, 3] = DROPPED
    assert torch.allclose(alpha.detach(), expected, rtol=1e-12)


def test_draws_have_the_precision_of_data_and_prior() -> None:
    alpha, searcher = ALPHA.clone().requires_grad_(), BaLeNAS(images=50, prior=2.0)
    step, _ = moving(searcher, alpha)
    searcher.kept([alpha], step.moment)["s"][0].copy_(torch.tensor([[0.0, 0.1, 1.0, 10.0]]))
    drawn = torch.cat([searcher.noise([alpha], step.moment)[0] for _ in range(4_000)])
    expected = torch.tensor([2.0, 7.0, 52.0, 502.0], dtype=torch.float64).rsqrt()
    assert torch.allclose(drawn.std(dim=0), expected, rtol=0.05)
    assert (drawn.mean(dim=0).abs() < 4 * expected / 4_000**0.5).all()


def test_the_gradient_is_that_at_the_draw_and_weights_are_trained_at_the_mean() -> None:
    alpha, net = ALPHA.clone().requires_grad_(), Quadratic()
    step, same = (step_of(net, [alpha], "train", "valid") for _ in range(2))
    (found,) = BaLeNAS().gradient(step)
    (noise,) = BaLeNAS().noise([alpha], same.moment)
    a = (ALPHA + noise)[0].softmax(dim=0)
    assert torch.allclose(found[0], (torch.diag(a) - torch.outer(a, a)) @ net.c, rtol=1e-12)

    search = make_small_search(build_method("balenas"), NASBench201())
    search.net.train()
    search.advance(0, 0.01)
    assert torch.equal(search.last_mix[0], search.alphas[0].detach().softmax(dim=-1))
    moment: Moment = search.moment(0)
    assert float(moment.memory["balenas"]["steps"]) == pytest.approx(1)
