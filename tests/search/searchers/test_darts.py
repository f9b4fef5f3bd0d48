"""Architecture gradients against closed forms and against differentiation through the unrolled step."""

import pytest
import torch
from torch import Tensor, nn

from harness.core.streams import Streams
from harness.search.searchers.base import ArchitectureStep, Moment
from harness.search.searchers.darts import DARTS
from harness.search.steps import compute_cross_entropy
from harness.spaces.blocks.build import build_supernet
from harness.spaces.blocks.supernet import Supernet
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1
from harness.spaces.nasbench201.space import NASBench201


class Quadratic(nn.Module):
    """A bilevel problem with known derivatives: w in R^n, mixing weights a in R^n (the identity relaxation).

    L_train = 1/2 w'Hw - w'Ma, L_valid = 1/2 |w - t|^2 + c'a.
    """

    readable = Supernet.readable
    gradients = Supernet.gradients

    def __init__(self) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(0)
        a = torch.randn(4, 4, generator=g, dtype=torch.float64)
        self.register_buffer("h", a @ a.T + torch.eye(4, dtype=torch.float64))
        self.register_buffer("m", torch.randn(4, 4, generator=g, dtype=torch.float64))
        self.register_buffer("t", torch.randn(4, generator=g, dtype=torch.float64))
        self.register_buffer("c", torch.randn(4, generator=g, dtype=torch.float64))
        self.w = nn.Parameter(torch.randn(4, generator=g, dtype=torch.float64))

    def forward(self, batch: str, mix: list[Tensor]) -> Tensor:
        if batch == "train":
            return self.w @ self.h @ self.w / 2 - self.w @ self.m @ mix[0][0]
        return (self.w - self.t).square().sum() / 2 + self.c @ mix[0][0]


class Identity(DARTS):
    def relax(self, alphas: list[Tensor]) -> list[Tensor]:
        return list(alphas)


def step_of(net: nn.Module, alphas: list[Tensor], train: object, valid: object, **changes: object) -> ArchitectureStep:
    options = {
        "loss": lambda n, mix, batch: n(batch, mix),
        "penalty": lambda alphas: None,
        "learning_rate": 0.1,
        "momentum": 0.9,
        "weight_decay": 0.01,
        "momentum_buffers": [None for _ in net.parameters()],
        "gradient_clip": 5.0,
        "further": lambda: "train",
        "finite_difference_moves_bn": False,
        "moment": Moment(Streams(0), NASBench201(), 1, 3),
    } | changes
    weights = list(net.parameters())
    return ArchitectureStep(net=net, alphas=alphas, weights=weights, train=train, valid=valid, **options)  # type: ignore[arg-type]


def test_second_order_is_exact_on_a_quadratic() -> None:
    """With w' = w - xi (Hw - Ma + lambda w + 0.9 b): dL_valid(w')/da = c + xi M'(w' - t)."""
    net = Quadratic()
    alpha = torch.tensor([[0.3, -0.2, 0.9, 0.1]], dtype=torch.float64, requires_grad=True)
    buffer = torch.tensor([0.5, -1.0, 0.2, 0.4], dtype=torch.float64)
    before = net.w.detach().clone()
    (gradient,) = Identity(order=2).gradient(step_of(net, [alpha], "train", "valid", momentum_buffers=[buffer]))
    w = before
    moved = w - 0.1 * (net.h @ w - net.m @ alpha[0].detach() + 0.01 * w + 0.9 * buffer)
    expected = net.c + 0.1 * net.m.T @ (moved - net.t)
    assert torch.allclose(gradient[0], expected, rtol=1e-10)
    assert torch.equal(net.w, before)


def test_first_order_is_the_partial_gradient() -> None:
    net = Quadratic()
    alpha = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
    (gradient,) = Identity(order=1).gradient(step_of(net, [alpha], "train", "valid"))
    assert torch.equal(gradient[0], net.c)


def test_penalty_is_added() -> None:
    net = Quadratic()
    alpha = torch.ones(1, 4, dtype=torch.float64, requires_grad=True)
    for order in (1, 2):
        plain, penalized = (
            Identity(order=order).gradient(step_of(net, [alpha], "train", "valid", penalty=penalty))[0]
            for penalty in (lambda a: None, lambda a: 3 * a[0].square().sum())
        )
        assert torch.allclose(penalized - plain, torch.full((1, 4), 6.0, dtype=torch.float64))


@pytest.mark.parametrize("moves", [True, False])
def test_second_order_on_a_supernet_is_the_unrolled_gradient(moves: bool) -> None:
    """Against automatic differentiation through one optimizer step, with a difference step so small that no ReLU or
    pooling maximum changes sides (the published one of 0.01 does cross some in a network this small)."""
    space, streams = NASBench1Shot1S1(), Streams(1)
    net = build_supernet(space, channels=2, cells=1, classes=3, generator=streams["weights"], dtype=torch.float64)
    alphas = [
        torch.randn(s, generator=streams["alpha"], dtype=torch.float64).requires_grad_() for s in space.alpha_shapes
    ]
    train, valid = (
        (torch.randn(6, 3, 8, 8, generator=streams["x"], dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2]))
        for _ in range(2)
    )
    mix = DARTS().relax(alphas)
    names = [n for n, _ in net.named_parameters()]
    weights = dict(net.named_parameters())
    loss = compute_cross_entropy(net, mix, train)
    gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
    moved = {n: weights[n] - 0.02 * (g + 3e-4 * weights[n]) for n, g in zip(names, gradients, strict=True)}
    logits = torch.func.functional_call(net, moved, (valid[0], mix))
    exact = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, valid[1]), alphas)
    buffers = [b.clone() for b in net.buffers()]
    options = {
        "loss": compute_cross_entropy,
        "learning_rate": 0.02,
        "weight_decay": 3e-4,
        "momentum_buffers": [None] * len(names),
        "finite_difference_moves_bn": moves,
    }
    ours = DARTS(order=2, distance=1e-6).gradient(step_of(net, alphas, train, valid, **options))
    # one train-mode pass for the virtual step always moves the statistics; the two differences only if asked
    passes = [int(b) - int(a) for a, b in zip(buffers, net.buffers(), strict=True) if a.ndim == 0]
    assert set(passes) == {3 if moves else 1}
    for a, b in zip(ours, exact, strict=True):
        assert torch.allclose(a, b, rtol=1e-6, atol=1e-8)
    first = DARTS(order=1).gradient(step_of(net, alphas, train, valid, **options))
    assert not torch.allclose(first[0], exact[0], rtol=1e-2)


def test_official_preset_moves_the_statistics() -> None:
    assert NASBench1Shot1S1().presets["official"].finite_difference_moves_bn
