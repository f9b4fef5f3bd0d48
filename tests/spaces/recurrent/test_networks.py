"""The one-shot cell and derived cells: fast and readable are one, and what each preset and mask does."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from harness.core.errors import HarnessError
from harness.measures.hessian import compute_hessian
from harness.spaces.blocks.build import build_supernet
from harness.spaces.blocks.derived import build_on_meta
from harness.spaces.blocks.sequences import Stretch
from harness.spaces.recurrent.space import PennTreebank, make_space_of_nodes
from tests.spaces.recurrent.test_space import PUBLISHED

SPACE = make_space_of_nodes(4)()
DROPOUT = {
    "words": 0.1,
    "embedded": 0.2,
    "inside": 0.5,
    "hidden": 0.25,
    "output": 0.5,
    "change": 0.1,
    "activation": 1.0,
}


def network(implementation: Any = "readable", preset: Any = "official", **options: Any) -> Any:
    changed = SPACE.presets[preset].model_copy(update={k: options.pop(k) for k in [*options] if k != "regularization"})
    net = build_supernet(
        SPACE,
        changed,
        channels=6,
        cells=1,
        classes=11,
        image_channels=0,
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
        implementation=implementation,
        **options,
    )
    with torch.no_grad():  # larger than published, so that all operations bend
        for weight in net.parameters():
            weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(weight))) / 2)
    drawn = torch.Generator().manual_seed(1)
    net.draw = lambda _, make: make(drawn)
    return net


def batch() -> tuple[Stretch, Tensor]:
    drawn = torch.Generator().manual_seed(2)
    tokens = torch.randint(11, (5, 3), generator=drawn)
    state = torch.randn(3, 6, generator=drawn, dtype=torch.float64)
    return Stretch(tokens, state), torch.randint(11, (15,), generator=drawn)


def mixing() -> Tensor:
    mix = torch.rand(10, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return (mix / mix.sum(dim=-1, keepdim=True)).requires_grad_()


@pytest.mark.parametrize("preset", ["official", "fixed"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("regularization", [{}, DROPOUT])
def test_fast_is_readable(preset: str, training: bool, regularization: dict[str, float]) -> None:
    """Losses, gradients, the state that is left and running statistics."""
    found = []
    for implementation in ("readable", "fast"):
        net, mix, given = network(implementation, preset, regularization=regularization), mixing(), batch()
        net.train(training)
        loss, descended = net.training_loss(given, [mix])
        slopes = torch.autograd.grad(descended, [mix, *net.parameters()])
        found.append([loss, descended, given[0].left, *slopes, *(b.double() for b in net.buffers())])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


def test_same_curvature() -> None:
    found = []
    for implementation in ("readable", "fast"):
        net, given = network(implementation), batch()
        with net.readable():
            found.append(
                compute_hessian(lambda m, net=net, given=given: F.cross_entropy(net(given[0], m), given[1]), [mixing()])
            )
    torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-12)


def test_the_last_word_gets_an_input_gradient_in_the_fixed_preset_alone() -> None:
    """Of a loss that no decoder has a part in: the mean of the hidden states."""
    tokens = torch.tensor([[10, 3, 2], [10, 4, 10], [3, 10, 1]])
    slopes = {}
    for preset in ("official", "fixed"):
        net = network(preset=preset)
        passed = net.train().passed(Stretch(tokens), net.shares([mixing()]))
        (slopes[preset],) = torch.autograd.grad(passed.outputs.square().sum(), [net.embedding])
    assert not slopes["official"][10].any()
    assert slopes["official"][3].any()
    assert slopes["fixed"][10].any()


def test_none_takes_mass_in_the_official_preset_alone() -> None:
    mix = mixing()
    official, fixed = (network(preset=preset).shares([mix]) for preset in ("official", "fixed"))
    assert torch.equal(official, mix[:, 1:])
    torch.testing.assert_close(fixed.sum(dim=-1), torch.ones(10, dtype=torch.float64))
    nothing = torch.zeros(10, 5, dtype=torch.float64)
    nothing[:, 0] = 1
    assert not network(preset="fixed").shares([nothing]).any()


def test_dropout_is_the_same_at_every_step_and_none_in_eval_mode() -> None:
    net = network(regularization={"output": 0.5})
    given = batch()[0]
    passed = net.train().passed(given, net.shares([mixing()]))
    kept = passed.dropped != 0
    assert torch.equal(kept, kept[:1].expand_as(kept))
    assert 0 < kept.double().mean() < 1
    torch.testing.assert_close(passed.dropped[kept], 2 * passed.outputs[kept])
    assert torch.equal(
        net.eval().passed(given, net.shares([mixing()])).dropped, net.passed(given, net.shares([mixing()])).outputs
    )


def test_batch_norm_moves_once_a_state_and_step() -> None:
    net = network("fast").train()
    net(batch()[0], [mixing()])
    assert int(net.norm.num_batches_tracked) == 5 * (4 + 1)


def test_a_network_of_several_cells_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"has one cell, not 2: set supernet\.cells = 1"):
        build_supernet(SPACE, channels=4, cells=2, classes=3, image_channels=0)


@pytest.mark.parametrize(("words", "channels", "weights"), [(10_000, 850, 22_960_000), (33_278, 700, 33_127_878)])
def test_published_numbers_of_weights(words: int, channels: int, weights: int) -> None:
    space = PennTreebank()
    net = build_on_meta(space, space.parse(PUBLISHED), channels=channels, classes=words)
    assert sum(w.numel() for w in net.parameters()) == weights
