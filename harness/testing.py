"""Contract suites: subclass one in a test module to hold a plugin of your own to what the harness relies on.

class TestMySpace(SpaceContract):
    space = MySpace()
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch

from harness.regularizers.base import Regularizer, WeightStep
from harness.spaces.base import Space
from harness.streams import Streams
from harness.supernets.base import Supernet
from harness.supernets.presets import FIXED, build_supernet


class SpaceContract:
    """A space decodes, parses and enumerates consistently. `probe`: how many encodings are looked at."""

    space: Space
    probe = 300

    def test_encodings_parse_back(self) -> None:
        for architecture in itertools.islice(self.space.enumerate(), self.probe):
            assert self.space.parse(architecture.encoding) == architecture

    def test_derivation_does_not_depend_on_the_scale(self) -> None:
        rng = np.random.default_rng(0)
        for _ in range(self.probe):
            alphas = [rng.normal(size=shape) for shape in self.space.alpha_shapes]
            softmax = [np.exp(a) / np.exp(a).sum(-1, keepdims=True) for a in alphas]
            assert self.space.derive(alphas) == self.space.derive(softmax)

    def test_ties_go_to_the_lower_index(self) -> None:
        flat = [np.zeros(shape) for shape in self.space.alpha_shapes]
        first = [np.tile(-np.arange(shape[1], dtype=float), (shape[0], 1)) for shape in self.space.alpha_shapes]
        assert self.space.derive(flat) == self.space.derive(first)

    def test_random_draws_are_members_and_repeat(self) -> None:
        drawn = [self.space.random(np.random.default_rng(seed)) for seed in range(20)]
        assert drawn == [self.space.random(np.random.default_rng(seed)) for seed in range(20)]
        assert all(self.space.parse(a.encoding) == a for a in drawn)


def small_step(space: Space, *, epoch: int = 3, epochs: int = 4, seed: int = 0) -> tuple[list[Any], WeightStep]:
    """Mixing weights and a weight step on a small float64 supernet with random images."""
    streams = Streams(seed)
    net: Supernet = build_supernet(
        space, FIXED, channels=2, cells=1, classes=4, generator=streams["weights"], dtype=torch.float64
    )
    x = torch.randn(8, 3, 8, 8, generator=streams["x"], dtype=torch.float64)
    y = torch.randint(0, 4, (8,), generator=streams["y"])
    shapes = space.alpha_shapes
    mix = [torch.randn(s, generator=streams["alpha"], dtype=torch.float64).softmax(dim=-1) for s in shapes]

    def loss(weights: Any) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(net(x, weights), y)

    return mix, WeightStep(net=net, loss=loss, streams=streams, epoch=epoch, epochs=epochs)


class RegularizerContract:
    """A perturbation stays on the simplex, is reproducible, and leaves everything else alone.

    regularizer: the one under test; neutral: the same with zero strength.
    """

    space: Space
    regularizer: Regularizer
    neutral: Regularizer

    def test_rows_stay_on_the_simplex(self) -> None:
        mix, step = small_step(self.space)
        for rows in self.regularizer.perturb(mix, step):
            assert rows.min() >= 0
            assert torch.allclose(rows.sum(dim=-1), torch.ones(len(rows), dtype=rows.dtype))

    def test_same_seed_same_perturbation(self) -> None:
        first, second = (self.regularizer.perturb(*small_step(self.space)) for _ in range(2))
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))

    def test_zero_strength_changes_nothing(self) -> None:
        mix, step = small_step(self.space)
        assert all(torch.equal(a, b) for a, b in zip(self.neutral.perturb(mix, step), mix, strict=True))

    def test_network_and_global_random_state_are_left_alone(self) -> None:
        mix, step = small_step(self.space)
        before = {name: value.clone() for name, value in step.net.state_dict().items()}
        inputs = [m.clone() for m in mix]
        state = torch.get_rng_state()
        mode = step.net.training
        self.regularizer.perturb(mix, step)
        assert torch.equal(torch.get_rng_state(), state)
        assert step.net.training == mode
        assert all(torch.equal(value, before[name]) for name, value in step.net.state_dict().items())
        assert all(torch.equal(a, b) for a, b in zip(mix, inputs, strict=True))
