"""ZARTS: weights of importance sampling against closed forms, candidates against PyTorch's own optimizer."""

import copy
import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MixtureSameFamily, MultivariateNormal
from torch.distributions.categorical import Categorical

from harness.core.streams import Streams
from harness.search.methods import build_method
from harness.search.searchers.base import Moment
from harness.search.searchers.zarts import ZARTS, compute_guided_mean
from harness.spaces.nasbench201.space import NASBench201
from harness.testing.contracts import make_small_search, state_of
from tests.search.searchers.test_darts import Quadratic, step_of

SPACE = NASBench201()
SLOPE = torch.tensor([0.4, -0.3, 0.2], dtype=torch.float64)
DRAWS = 20_000


class Identity(ZARTS):
    def relax(self, alphas: list[Tensor]) -> list[Tensor]:  # type: ignore[override]
        return list(alphas)


def moment(epoch: int = 0, epochs: int = 10) -> Moment:
    return Moment(Streams(0), SPACE, epoch, epochs)


def proposals(searcher: ZARTS, spread: float) -> Tensor:
    now = moment()
    return torch.stack([searcher.proposed(SLOPE, spread, now) for _ in range(DRAWS)])


@pytest.mark.parametrize("plain", [0.0, 0.3])
def test_the_mean_is_that_of_the_density_of_the_losses(plain: float) -> None:
    """exp(-|u - b|^2 / (2 t)) has the mean b, whatever the proposal is."""
    searcher, spread = ZARTS(plain=plain), 0.8
    moves, b = proposals(searcher, spread), torch.tensor([-0.2, 0.1, -0.5], dtype=torch.float64)
    losses = (moves - b).square().sum(dim=1) / 2 / 0.3
    mean = compute_guided_mean(moves, losses, searcher.log_density(moves, SLOPE, spread))
    assert torch.allclose(mean, b, atol=0.02)
    assert not torch.allclose(compute_guided_mean(moves, losses, torch.zeros(DRAWS)), b, atol=0.05)


def test_proposals_are_drawn_from_the_mixture() -> None:
    searcher, spread = ZARTS(plain=0.3), 0.05
    moves = proposals(searcher, spread)
    blind = (moves.norm(dim=1) < (moves + SLOPE).norm(dim=1)).double().mean()
    assert float(blind) == pytest.approx(0.3, abs=0.015)
    centers = torch.stack([-SLOPE, torch.zeros_like(SLOPE)])
    parts = MultivariateNormal(centers, spread**2 * torch.eye(3, dtype=torch.float64))
    exact = MixtureSameFamily(Categorical(torch.tensor([0.7, 0.3], dtype=torch.float64)), parts).log_prob(moves[:50])
    apart = searcher.log_density(moves[:50], SLOPE, spread) - exact
    assert torch.allclose(apart, apart[:1].expand(50))  # a constant


def test_the_published_proposal_is_a_sum_and_its_density_is_nearly_constant() -> None:
    searcher, spread = ZARTS(plain=0.3, proposal="sum"), 0.05
    moves = proposals(searcher, spread)
    assert torch.allclose(moves.mean(dim=0), -0.7 * SLOPE, atol=0.005)
    assert torch.allclose(moves.std(dim=0), torch.full_like(SLOPE, spread * math.hypot(0.7, 0.3)), rtol=0.03)
    many = torch.randn(4, 200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    density = ZARTS(proposal="sum").log_density(0.025 * many, torch.zeros(200, dtype=torch.float64), 0.025)
    assert torch.allclose(density, torch.tensor(1.1e-3, dtype=torch.float64).log().expand(4), rtol=1e-4)


@pytest.mark.parametrize("clip", [1e9, 0.5])
def test_a_candidate_is_trained_as_its_weights_would_be(clip: float) -> None:
    """Against torch.optim.SGD with its state, at the moved alpha; everything comes back."""
    net, alpha = Quadratic(), torch.tensor([[0.3, -0.2, 0.9, 0.1]], dtype=torch.float64, requires_grad=True)
    buffer, move = torch.tensor([0.5, -1.0, 0.2, 0.4], dtype=torch.float64), torch.tensor([0.1, 0.2, 0.0, -0.3])
    step = step_of(net, [alpha], "train", "valid", momentum_buffers=[buffer], gradient_clip=clip)
    before = net.w.detach().clone()
    found = Identity().loss_after(step, move, ["train"] * 5)  # type: ignore[list-item]
    assert torch.equal(net.w, before) and buffer.tolist() == [0.5, -1.0, 0.2, 0.4]

    other = copy.deepcopy(net)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    optimizer.state[other.w]["momentum_buffer"] = buffer.clone()
    mix = [alpha.detach() + move]
    for _ in range(5):
        optimizer.zero_grad()
        other("train", mix).backward()
        torch.nn.utils.clip_grad_norm_(other.parameters(), clip)
        optimizer.step()
    assert float(found) == pytest.approx(float(other("valid", mix).detach()), rel=1e-12)


def test_penalties_are_those_of_the_moved_logits() -> None:
    net, alpha = Quadratic(), torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
    plain, added = (
        step_of(net, [alpha], "train", "valid", penalty=p) for p in (lambda a: None, lambda a: a[0].square().sum())
    )
    move = torch.tensor([1.0, 2.0, 0.0, 0.0], dtype=torch.float64)
    apart = Identity().loss_after(added, move, []) - Identity().loss_after(plain, move, [])
    assert float(apart) == pytest.approx(5)


def test_of_several_steps_at_a_low_temperature_the_best_is_taken() -> None:
    """By its published proposal, whose density is constant: alpha moves by one of the steps, the one of least loss."""
    net, alpha = Quadratic(), torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
    searcher = Identity(temperature=1e-9, samples=6, iterations=2, proposal="sum", plain=1.0)
    step, same = (step_of(net, [alpha], "train", "valid") for _ in range(2))
    (found,) = searcher.gradient(step)
    spread = searcher.spread_at(same.moment)
    moves = [searcher.proposed(net.c, spread, same.moment) for _ in range(6)]
    losses = [float(searcher.loss_after(same, m, ["train"] * 2)) for m in moves]  # type: ignore[list-item]
    assert torch.allclose(-found[0], moves[losses.index(min(losses))])
    searcher.move(step, [found], torch.optim.SGD([alpha], lr=1.0))
    assert torch.equal(alpha.detach(), -found)


def test_alpha_rests_and_the_spread_falls() -> None:
    searcher = ZARTS(spread=2.0)
    assert [searcher.moves(moment(e)) for e in range(4)] == [False, False, True, True]
    assert [searcher.spread_at(moment(e)) for e in (2, 6)] == pytest.approx([2, 1])
    assert searcher.spread_at(moment(9)) > 0


def test_an_architecture_step_leaves_the_weights_and_the_other_streams_alone() -> None:
    """The streams of data order and augmentation are where a search by DARTS has them."""
    search, plain = (make_small_search(build_method(name), SPACE) for name in ("zarts", "darts"))
    for each in (search, plain):
        each.net.train()
    before = [v.clone() for v in state_of(search)[1:]]
    search.architecture_step(*search.batches(1), 1, 0.1)
    plain.architecture_step(*plain.batches(1), 1, 0.1)
    pairs = zip(search.net.parameters(), plain.net.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert any(not torch.equal(a, b) for a, b in zip(before, state_of(search)[1:], strict=True))  # batch norm's
    assert all(torch.equal(a, b) for a, b in zip(search.net.buffers(), plain.net.buffers(), strict=True))
    own, theirs = search.streams.state_dict(), plain.streams.state_dict()
    assert set(own) - set(theirs) == {"zarts", "further-order", "further-augment"}
    assert all(torch.equal(own[name], theirs[name]) for name in theirs)
