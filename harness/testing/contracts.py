"""Contract suites: subclass one in a test module to hold a plugin of your own to what the harness relies on.

class TestMySpace(SpaceContract):
    space = MySpace()
"""

from __future__ import annotations

import io
import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.streams import Streams
from harness.datasets.digits import DigitPairs
from harness.search.build import build_search
from harness.search.loop import SupernetSearch
from harness.search.methods import Method, refuse_unfit
from harness.search.methods import build_method as find_method
from harness.search.regularizers.base import Regularizer
from harness.search.searchers.base import ARCHITECTURE_STEPS
from harness.search.steps import Moment, WeightStep, make_frozen_cross_entropy
from harness.search.training import Training
from harness.spaces.base import STACKS, WORDS, Architecture, Enumerable, Space
from harness.spaces.blocks.build import build_supernet
from harness.spaces.blocks.sequences import Stretch
from harness.spaces.blocks.supernet import Supernet
from harness.testing.holding import hold, hold_among, hold_close, hold_finite, hold_that

SUM = 1e-5
"""By how much a sum of weights may be off one."""


class SpaceContract:
    """A space decodes and parses consistently, and its network can be searched. `probe`: how many architectures are
    looked at; `counted`: up to which size all of them are."""

    space: Space
    probe = 300
    counted = 20_000

    def some(self) -> Iterator[Architecture]:
        """The first of an enumerable space, random ones of another."""
        if isinstance(self.space, Enumerable):
            yield from itertools.islice(self.space.enumerate(), self.probe)
        else:
            rng = np.random.default_rng(0)
            yield from (self.space.random(rng) for _ in range(self.probe))

    def test_what_is_declared_fits_together(self) -> None:
        space = self.space
        hold("tensors have the shapes of alpha_shapes", tuple(t.shape for t in space.tensors), space.alpha_shapes)
        for tensor in space.tensors:
            hold("a tensor has a label for each of its choices", len(tensor.labels), len(tensor.options))
            hold("all choices of a tensor have as many options", len({len(row) for row in tensor.options}), 1)
            if tensor.kind == "operations":
                named = {name for row in tensor.options for name in row}
                hold_among("options of operations are operations", named, space.operations)
        named = {*space.parameter_free, *space.short, *(n for n in (space.zero, space.skip) if n)}
        hold_among("parameter_free, short, zero and skip are operations", named, space.operations)
        stacks = self.space.networks().stack is not None
        hold("`has` names STACKS where networks() has a stack", STACKS in self.space.has, stacks)
        hold("the presets are official and fixed", set(space.presets), {"official", "fixed"})

    def test_sizes_are_as_declared(self) -> None:
        if isinstance(self.space, Enumerable) and self.space.size <= self.counted:
            found = list(self.space.enumerate())
            hold("enumerate gives as many architectures as size says", len(found), self.space.size)
            hold("enumerate gives each architecture once", len({a.encoding for a in found}), len(found))
            kept = self.space.distinct_architectures()
            keys = {self.space.canonical_key(a) for a in found}
            hold("distinct_architectures has every canonical key", keys, set(kept))
            hold("there are as many canonical keys as distinct says", len(kept), self.space.distinct)

    def test_its_cells_can_be_drawn(self) -> None:
        for architecture in itertools.islice(self.some(), 20):
            for source, target, operation in self.space.graph(architecture):
                hold_that("an edge of a cell goes forward", 0 <= source <= target, (source, target))
                hold_among("an edge of a cell has an operation", {operation}, {*self.space.operations, ""})

    @pytest.mark.parametrize("parts", [1, 2])
    def test_its_network_is_differentiable(self, parts: int) -> None:
        """In whole, and where a part of the channels is mixed: every choice has a gradient."""
        drawn = torch.Generator().manual_seed(0)
        words = WORDS in self.space.has
        if words and parts > 1:
            pytest.skip("language models have no channels of images")
        partial: dict[str, Any] = {"partial_channels": parts} if parts > 1 else {}
        net = build_supernet(
            self.space,
            channels=4,
            cells=self.space.least_cells,
            classes=3,
            image_channels=0 if words else 1,
            generator=drawn,
            **partial,
        )
        net.draw = lambda _, make: make(drawn)
        images = torch.randn(4, 1, 8, 8, generator=drawn)
        read: Any = Stretch(torch.randint(3, (2, 2), generator=drawn)) if words else images
        mix = [torch.rand(shape, generator=drawn).softmax(dim=-1) for shape in self.space.alpha_shapes]
        scores = net(read, [m.requires_grad_() for m in mix])
        hold("four images of three classes give scores of this shape", tuple(scores.shape), (4, 3))
        scores.square().sum().backward()
        for rows in mix:
            hold_that("every tensor of mixing weights has a gradient", rows.grad is not None, rows.grad)
            assert rows.grad is not None
            hold_finite("gradients are finite", [rows.grad])
            still = [place for place, row in enumerate(rows.grad) if not row.any()]
            hold("every choice has a gradient; these have none", still, [])

    def test_encodings_parse_back(self) -> None:
        for architecture in self.some():
            hold("an encoding parses back", self.space.parse(architecture.encoding), architecture)

    def test_mixing_weights_derive_back(self) -> None:
        for architecture in self.some():
            mix = self.space.mix(architecture)
            hold("the mixing weights of an architecture derive it", self.space.derive(mix), architecture)
            hold("mixing weights have the shapes of alpha_shapes", tuple(m.shape for m in mix), self.space.alpha_shapes)
            for rows, picks in zip(mix, self.space.picks, strict=True):
                most = float(rows.sum(axis=1).max())
                hold_that(f"an architecture takes {picks} options of a choice at most", most <= picks, most)

    def test_derivation_does_not_depend_on_the_scale(self) -> None:
        rng = np.random.default_rng(0)
        for _ in range(self.probe):
            alphas = [rng.normal(size=shape) for shape in self.space.alpha_shapes]
            softmax = [np.exp(a) / np.exp(a).sum(-1, keepdims=True) for a in alphas]
            hold("logits and their softmax derive the same", self.space.derive(alphas), self.space.derive(softmax))

    def test_ties_go_to_the_lower_index(self) -> None:
        flat = [np.zeros(shape) for shape in self.space.alpha_shapes]
        first = [np.tile(-np.arange(shape[1], dtype=float), (shape[0], 1)) for shape in self.space.alpha_shapes]
        hold("ties go to the lower index", self.space.derive(flat), self.space.derive(first))

    def test_neighbors_are_mutual(self) -> None:
        rng = np.random.default_rng(0)
        for architecture in (self.space.random(rng) for _ in range(10)):
            found = self.space.neighbors(architecture)
            hold_that("an architecture has neighbors", found, found)
            hold("each neighbor is there once", len({n.encoding for n in found}), len(found))
            hold_that("no architecture is its own neighbor", architecture not in found, architecture)
            some = found[:: 1 + len(found) // 40]
            alone = [n.encoding for n in some if architecture not in self.space.neighbors(n)]
            hold(f"neighbors are mutual; these have not {architecture.encoding}", alone, [])

    def test_random_draws_are_members_and_repeat(self) -> None:
        drawn = [self.space.random(np.random.default_rng(seed)) for seed in range(20)]
        again = [self.space.random(np.random.default_rng(seed)) for seed in range(20)]
        hold("a seed draws the same architecture again", drawn, again)
        strangers = [a.encoding for a in drawn if self.space.parse(a.encoding) != a]
        hold("what is drawn is of the space; these are not", strangers, [])


def make_small_step(
    space: Space, *, epoch: int = 3, epochs: int = 4, seed: int = 0, cells: int | None = None
) -> tuple[list[Any], WeightStep]:
    """Mixing weights and a weight step on a small float64 supernet with random images."""
    streams = Streams(seed)
    net: Supernet = build_supernet(
        space,
        space.presets["fixed"],
        channels=2,
        cells=cells or space.least_cells,
        classes=4,
        generator=streams["weights"],
        dtype=torch.float64,
    )
    x = torch.randn(8, 3, 8, 8, generator=streams["x"], dtype=torch.float64)
    y = torch.randint(0, 4, (8,), generator=streams["y"])
    shapes = space.alpha_shapes
    mix = [torch.randn(s, generator=streams["alpha"], dtype=torch.float64).softmax(dim=-1) for s in shapes]

    def loss(weights: Any) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(net(x, weights), y)

    def frozen_loss() -> Any:
        return make_frozen_cross_entropy(net, (x, y))

    return mix, WeightStep(net, loss, loss, frozen_loss, {}, Moment(streams, space, epoch, epochs))


class RegularizerContract:
    """A perturbation stays on the simplex, is reproducible, and leaves everything else alone.

    regularizer: the one under test; neutral: the same with zero strength.
    """

    space: Space
    regularizer: Regularizer
    neutral: Regularizer

    def test_rows_stay_on_the_simplex(self) -> None:
        mix, step = make_small_step(self.space)
        for rows in self.regularizer.perturb(mix, step):
            hold_that("perturbed weights are not below zero", rows.min() >= 0, float(rows.min()))
            sums = rows.sum(dim=-1)
            hold_close("perturbed weights of a choice sum to one", [sums], [torch.ones_like(sums)], SUM)

    def test_same_seed_same_perturbation(self) -> None:
        first, second = (self.regularizer.perturb(*make_small_step(self.space)) for _ in range(2))
        hold_close("a seed gives the same perturbation again", first, second)

    def test_zero_strength_changes_nothing(self) -> None:
        mix, step = make_small_step(self.space)
        hold_close("at zero strength nothing is changed", self.neutral.perturb(mix, step), mix)

    def test_network_and_global_random_state_are_left_alone(self) -> None:
        mix, step = make_small_step(self.space)
        before = {name: value.clone() for name, value in step.net.state_dict().items()}
        inputs = [m.clone() for m in mix]
        state = torch.get_rng_state()
        mode = step.net.training
        self.regularizer.perturb(mix, step)
        hold_close("torch's global random state is left alone", [torch.get_rng_state()], [state])
        hold("the network's mode is left alone", step.net.training, mode)
        now = step.net.state_dict()
        hold_close("the network's weights are left alone", list(now.values()), [before[name] for name in now])
        hold_close("the mixing weights that are given are left alone", mix, inputs)


def fits_space(chosen: Method, space: Space) -> bool:
    """Whether the networks of a space have all that a method asks for."""
    try:
        refuse_unfit("", chosen, space)
    except HarnessError:
        return False
    return True


def make_small_search(chosen: Method, space: Space, *, epochs: int = 3, device: str = "cpu") -> SupernetSearch:
    """A search of two steps an epoch on pairs of digits, at its beginning."""
    where = torch.device(device)
    images = DigitPairs(evaluation_pairs=16).load(where)
    search = build_search(
        space,
        chosen,
        channels=4,
        cells=space.least_cells,
        classes=images.classes,
        image_channels=1,
        epochs=epochs,
        streams=Streams(0),
        training=Training(batch_size=8, steps_per_epoch=2),
        device=where,
    )
    search.bind(images)
    return search


def state_of(search: SupernetSearch) -> list[torch.Tensor]:
    """Logits, weights and buffers: what two searches that are one and the same agree on, bit for bit."""
    return [*(a.detach() for a in search.alphas), *search.net.state_dict().values()]


def pass_through_file(state: dict[str, Any]) -> dict[str, Any]:
    """A state as a checkpoint gives it back: plain values and tensors, nothing that runs code."""
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    loaded: dict[str, Any] = torch.load(stream, weights_only=True)
    return loaded


class MethodContract:
    """A method searches: finitely, reproducibly, resumably, and by its own random streams alone."""

    method: str
    space: Space

    def search(self) -> SupernetSearch:
        return make_small_search(find_method(self.method), self.space)

    def run(self, search: SupernetSearch, first: int, last: int) -> None:
        for epoch in range(first, last):
            losses = search.train_epoch(epoch, lambda: None)
            finite = np.isfinite(losses["train_loss"]) or search.stopped
            hold_that("the training loss is finite", finite, losses["train_loss"])
            before = [value.clone() for value in state_of(search)]
            search.select()
            hold_close("selecting changes nothing of the search", state_of(search), before)

    def test_searches_resumably_and_by_its_own_streams(self) -> None:
        """One search serves all of it: its states after the first and the third epoch are what a search that goes on
        from a checkpoint has to meet."""
        search = self.search()
        before = [a.detach().clone() for a in search.alphas]
        drawn = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
        self.run(search, 0, 1)
        hold_close("torch's global random state is left alone", [torch.get_rng_state()], [drawn[0]])
        others = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
        alone = drawn[1:] == others
        hold_that("the global random states of Python and numpy are left alone", alone, "that they were drawn from")
        kept = pass_through_file(search.state_dict())
        self.run(search, 1, 3)
        self.check_searched(search, before)
        resumed = self.search()
        resumed.load_state_dict(kept)
        self.run(resumed, 1, 3)
        rule = "a search that goes on from a checkpoint meets the one that did not stop"
        hold_close(rule, state_of(resumed), state_of(search))

    def check_searched(self, search: SupernetSearch, before: list[torch.Tensor]) -> None:
        """Everything is finite, and logits that may move have moved."""
        state = [value.clone() for value in state_of(search)]
        hold_finite("logits, weights and buffers are finite", state)
        hold_that("what is derived is of the space", self.space.parse(search.derive().encoding), search.derive())
        loss = search.evaluate()["search_valid_loss"]
        hold_that("the validation loss is finite", np.isfinite(loss), loss)
        hold_close("deriving and evaluating change nothing of the search", state_of(search), state)
        moved = [not torch.equal(a, b) for a, b in zip(before, search.alphas, strict=True)]
        frozen = not all(r.alpha_moves(search.moment(2)) for r in search.regularizers)
        may_rest = search.stopped or frozen or ARCHITECTURE_STEPS not in search.searcher.offers
        hold_that("every tensor of logits has moved after three epochs", all(moved) or may_rest, moved)
