from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.core.streams import Streams
from harness.search.regularizers.adversarial import AdversarialPerturbation
from harness.search.regularizers.auxiliary_skip import AuxiliarySkip
from harness.search.regularizers.base import Regularizer, project_onto_simplex
from harness.search.regularizers.beta_decay import BetaDecay
from harness.search.regularizers.cutout import Cutout
from harness.search.regularizers.drop_path import DropPath
from harness.search.regularizers.mean_shift import MeanShift
from harness.search.regularizers.random_smoothing import RandomSmoothing
from harness.search.schedules import interpolate_from_first_epoch, interpolate_until_end, interpolate_until_last_epoch
from harness.search.steps import Moment, WeightStep
from harness.spaces.blocks.build import build_supernet
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S2
from harness.spaces.nasbench201.space import NASBench201
from harness.testing.contracts import RegularizerContract, make_small_step

ROWS = st.lists(st.floats(-2, 2, allow_nan=False, width=32), min_size=2, max_size=7)


def moment(epoch: int, epochs: int) -> Moment:
    return Moment(Streams(0), NASBench201(), epoch, epochs)


class TestRandomSmoothing(RegularizerContract):
    space = NASBench201()
    regularizer = RandomSmoothing()
    neutral = RandomSmoothing(epsilon=0, epsilon_start=0)


class TestAdversarial(RegularizerContract):
    space = NASBench201()
    regularizer = AdversarialPerturbation()
    neutral = AdversarialPerturbation(epsilon=0, epsilon_start=0)


class TestAdversarialOn1Shot1(RegularizerContract):
    space = NASBench1Shot1S2()
    regularizer = AdversarialPerturbation(random_start=False)
    neutral = AdversarialPerturbation(epsilon=0, epsilon_start=0, random_start=False)


@given(ROWS)
def test_projection_lands_on_the_simplex_and_stays(row: list[float]) -> None:
    once = project_onto_simplex(torch.tensor([row], dtype=torch.float64))
    assert once.min() >= 0
    assert once.sum().item() == pytest.approx(1)
    assert torch.allclose(project_onto_simplex(once), once)


def test_projection_clamps_before_it_divides() -> None:
    rows = torch.tensor([[0.5, 1.5, -1.0], [-0.3, -0.1, -0.2]], dtype=torch.float64)
    expected = torch.tensor([[1 / 3, 2 / 3, 0], [0, 1, 0]], dtype=torch.float64)
    assert torch.allclose(project_onto_simplex(rows), expected)


def test_schedule_is_the_published_one() -> None:
    assert interpolate_until_end(0.03, 0.3, moment(0, 100)) == 0.03
    assert interpolate_until_end(0.03, 0.3, moment(99, 100)) == pytest.approx(0.2973)
    assert interpolate_until_last_epoch(0.03, 0.3, moment(99, 100)) == pytest.approx(0.3)
    assert interpolate_from_first_epoch(0.0, 1.0, moment(0, 4)) == 0.25


def test_attack_ascends() -> None:
    """The attacked loss is never below the clean one, and far above what random noise of that size does."""
    gains = []
    for seed in range(6):
        mix, step = make_small_step(NASBench201(), seed=seed)
        attacked = AdversarialPerturbation().perturb(mix, step)
        noisy = RandomSmoothing().perturb(mix, step)
        step.net.eval()
        with torch.no_grad():
            clean, worst, random = (step.loss(m).item() for m in (mix, attacked, noisy))
        assert worst >= clean
        gains.append((worst - clean, random - clean))
    assert min(worst for worst, _ in gains) > 0
    assert sum(worst for worst, _ in gains) > 3 * sum(abs(random) for _, random in gains)


def test_attack_that_lowers_the_loss_is_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    mix, step = make_small_step(NASBench201())
    real = torch.Tensor.sign
    monkeypatch.setattr(torch.Tensor, "sign", lambda self: -real(self))  # a descending attacker
    attacked = AdversarialPerturbation(random_start=False).perturb(mix, step)
    assert all(torch.equal(a, b) for a, b in zip(attacked, mix, strict=True))


def test_perturbation_before_the_division_is_inside_the_ball() -> None:
    mix, step = make_small_step(NASBench201(), epoch=0)  # epsilon 0.03: no entry can leave by clamping alone
    (attacked,) = AdversarialPerturbation(random_start=False, steps=1).perturb(mix, step)
    # one sign step is 2 epsilon long and is cut to epsilon; dividing by the row's sum moves it by less than 5 x 0.03
    assert (attacked - mix[0]).abs().max() <= 0.03 * 2.2


@pytest.mark.parametrize("cls", [RandomSmoothing, AdversarialPerturbation])
def test_radius_outside_0_to_1_is_refused(cls: type[Regularizer]) -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        cls(epsilon=1.5)


def test_beta_decay_pulls_logits_together() -> None:
    alphas = [torch.tensor([[2.0, 0.0, -1.0]], dtype=torch.float64, requires_grad=True)]
    loss = BetaDecay(strength=50).alpha_loss(alphas, moment(10, 100))
    assert loss.item() == pytest.approx(5 * torch.logsumexp(alphas[0].detach(), -1).item())
    (gradient,) = torch.autograd.grad(loss, alphas)
    assert torch.allclose(gradient, 5 * alphas[0].detach().softmax(-1))
    assert BetaDecay(strength=50).alpha_loss(alphas, moment(0, 100)).item() == 0


class TestTrueMeanShift(RegularizerContract):
    space = NASBench201()
    regularizer = MeanShift(variant="true")
    neutral = MeanShift(epsilon=0, epsilon_start=0)


def clearer(step: WeightStep) -> Callable[[Any], torch.Tensor]:
    """A loss with a clear preference."""
    return lambda mix: 100 * step.loss(mix)


def test_mean_shift_climbs_or_descends_the_loss_by_its_variant() -> None:
    changes = {"official": [], "true": []}  # type: dict[str, list[float]]
    for seed in range(8):
        for variant, found in changes.items():
            mix, step = make_small_step(NASBench201(), seed=seed)
            step.net.eval()
            scaled = replace(step, frozen_loss=partial(clearer, step))
            shift = MeanShift(variant=variant, samples=12, epsilon=0.2, epsilon_start=0.2)  # type: ignore[arg-type]
            with torch.no_grad():
                moved = step.loss([project_onto_simplex(m) for m in shift.perturb(mix, scaled)])
                found.append(float(moved - step.loss(mix)))
    assert sum(changes["official"]) > 0 > sum(changes["true"])


def test_one_sample_of_mean_shift_is_a_random_walk() -> None:
    """With one sample the weights cancel, and two rounds add two draws."""
    mix, step = make_small_step(NASBench201())
    (moved,) = MeanShift(samples=1, epsilon=0.1, epsilon_start=0.1).perturb(mix, step)
    _, again = make_small_step(NASBench201())
    first, second = (again.moment.streams.uniform("alpha-noise", mix[0], -0.1, 0.1) for _ in range(2))
    assert torch.allclose(moved, mix[0] + first + second)


def test_cutout_sets_squares_to_the_mean() -> None:
    images = torch.ones(500, 1, 8, 16)
    cut = Cutout(size=0.5).augment(images, torch.Generator().manual_seed(0), moment(0, 4))
    gone = (cut == 0).sum(dim=(1, 2, 3))
    assert gone.max() == 16  # a square of 4 x 4, smaller where the border cuts it off
    assert gone.min() >= 4
    ramped = Cutout(size=0.5, ramp=True).augment(images, torch.Generator().manual_seed(0), moment(0, 4))
    share = ((ramped == 0).sum(dim=(1, 2, 3)) > 0).double().mean().item()
    assert share == pytest.approx(0.25, abs=0.06)


def test_drop_path_keeps_the_expectation_and_sleeps_in_eval_mode() -> None:
    net = build_supernet(NASBench201(), channels=2, cells=1, classes=4, generator=torch.Generator())
    generator = torch.Generator().manual_seed(0)
    net.draw = lambda _, make: make(generator)
    DropPath(probability=0.4).begin_epoch(net, moment(3, 4))
    assert net.path_dropout == pytest.approx(0.4)
    x = torch.ones(20_000, 2, 1, 1)
    dropped = net.around(lambda x, _: x, x, torch.ones(1))[:, 0, 0, 0]
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.6])
    net.eval()
    assert torch.equal(net.around(lambda x, _: x, x, torch.ones(1)), x)


def test_auxiliary_skip_fades_to_nothing() -> None:
    net = build_supernet(NASBench201(), channels=2, cells=1, classes=4, generator=torch.Generator())
    factors = []
    for epoch in range(4):
        AuxiliarySkip().begin_epoch(net, moment(epoch, 4))
        factors.append(net.around(lambda x, _: 0 * x, torch.ones(1, 2, 1, 1), torch.ones(1))[0, 0, 0, 0].item())
    assert factors == [1.0, 0.75, 0.5, 0.25]


def test_partial_channels_mix_a_quarter_and_shuffle() -> None:
    net = build_supernet(NASBench201(), channels=4, cells=1, classes=4, partial_channels=4)
    x = torch.arange(8.0).view(1, 8, 1, 1)
    out = net.around(lambda x, _: 10 + x, x, torch.ones(1)).flatten().tolist()
    assert out == [10, 2, 4, 6, 11, 3, 5, 7]  # four groups of two, taken in turn
