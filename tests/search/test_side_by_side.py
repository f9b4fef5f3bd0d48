"""Searches whose steps are taken side by side: each is the search that it is alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.core.streams import Streams
from harness.datasets.base import StoredImages
from harness.search.build import build_search
from harness.search.loop import SupernetSearch
from harness.search.methods import build_method, list_methods
from harness.search.searchers.base import SupernetSearcher
from harness.search.together import Group, Seat
from harness.search.training import Training
from harness.spaces.base import SIDE_BY_SIDE, SPACES, PresetName
from harness.spaces.blocks.together import EVALUATED
from harness.testing.contracts import make_small_search
from tests.conftest import often
from tests.search.test_cuda_graph import Meetings

STACKED = ["darts", "sdarts-rs", "sdarts-adv", "pc-darts", "darts-minus", "beta-darts"]
SPACE_LIST = ["nasbench201", "nasbench1shot1.s1", "nasbench1shot1.s2", "nasbench1shot1.s3"]
EPOCH, STEPS = 3, 3


class ManyImages(StoredImages):
    """More than are evaluated at a time, in a precision."""

    def __init__(self, dtype: torch.dtype) -> None:
        draws, count = torch.Generator().manual_seed(0), 2 * EVALUATED + 9
        images = torch.randint(0, 256, (count, 3, 8, 8), generator=draws, dtype=torch.uint8)
        part = images, torch.randint(0, 5, (count,), generator=draws)
        channels: Any = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
        where = torch.device("cpu")
        super().__init__({"train": part, "valid": part}, classes=5, **channels, pad=0, flip=False, device=where)
        self.dtype = dtype

    def prepare(self, images: Tensor) -> Tensor:
        return super().prepare(images).to(self.dtype)


def search_of(
    seed: int,
    name: str = "darts",
    space: str = "nasbench201",
    *,
    dtype: torch.dtype = torch.float32,
    preset: PresetName = "fixed",
    channels: int = 4,
    batch: int = 8,
    **changes: Any,
) -> SupernetSearch:
    chosen = SPACES.find(space)()
    search = build_search(
        chosen,
        build_method(name).override(changes),
        channels=channels,
        cells=chosen.least_cells if space == "nasbench201" else 3,
        classes=5,
        image_channels=3,
        epochs=10,
        streams=Streams(seed),
        training=Training(batch_size=batch, learning_rate=0.05),
        preset=chosen.presets[preset],
        dtype=dtype,
    )
    search.bind(ManyImages(dtype))
    search.net.train()
    for regularizer in search.regularizers:  # by its seed, as runs that were taken up again can be apart
        regularizer.begin_epoch(search.net, search.moment(EPOCH + seed % 2))
    return search


def stepped(search: SupernetSearch, steps: int = STEPS) -> Tensor:
    """Logits, weights, running statistics and losses after some steps, in one."""
    step = search.stepper(EPOCH, 0.05)
    draws, batch = search.streams["images"], search.training.batch_size
    losses = []
    for _ in range(steps):
        images = torch.randn(2, batch, 3, 8, 8, generator=draws).to(search.alphas[0])
        labels = torch.randint(0, 5, (2, batch), generator=draws)
        losses.append(step((images[0], labels[0]), (images[1], labels[1])))
    kept = [*search.alphas, *search.net.state_dict().values(), torch.stack(losses)]
    return torch.cat([t.detach().flatten().to(search.alphas[0]) for t in kept])


def evaluate(search: SupernetSearch) -> Tensor:
    """Loss and accuracy after some steps."""
    stepped(search)
    return torch.tensor(list(search.evaluate().values()), dtype=torch.float64)


def side_by_side(
    searches: Sequence[SupernetSearch], work: Callable[[SupernetSearch], Any] = stepped
) -> tuple[list[Any], list[int]]:
    """What each comes to, and how many were answered at a time."""
    group = Group(searches[0].space.networks().together, len(searches))
    answer, sizes = group.answer, []

    def counted() -> None:
        waiting = len(group.left)
        answer()
        sizes.append(waiting - sum(seat.request is not None for seat in group.left))

    group.answer = counted  # type: ignore[method-assign]

    def seated(search: SupernetSearch) -> Callable[[Seat], Any]:
        def run(seat: Seat) -> Any:
            seat.take(search)
            return work(search)

        return run

    return group.run([seated(search) for search in searches]), sizes


@pytest.mark.parametrize("preset", ["fixed", "official"])
@pytest.mark.parametrize("space", often(SPACE_LIST, lambda s: not s.endswith("s2")))
@pytest.mark.parametrize("name", STACKED)
def test_steps_are_those_alone(name: str, space: str, preset: PresetName) -> None:
    def made() -> list[SupernetSearch]:
        return [search_of(seed, name, space, dtype=torch.float64, preset=preset) for seed in range(3)]

    alone = [stepped(search) for search in made()]
    together, sizes = side_by_side(made())
    assert set(sizes) == {3}, "all are in every pass"
    for one, other in zip(alone, together, strict=True):
        assert torch.isfinite(one).all()
        assert ((one - other).abs() <= 1e-12 * one.abs().clamp(min=1)).all()
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize(("space", "channels"), [("nasbench201", 4), ("nasbench201", 6), ("nasbench1shot1.s3", 4)])
@pytest.mark.parametrize("name", STACKED)
def test_bits_do_not_depend_on_who_is_beside(name: str, space: str, channels: int) -> None:
    changes = {"partial-channels": {"k": 2}} if name == "pc-darts" else {}

    def of_first(seeds: Sequence[int]) -> Tensor:
        found, _ = side_by_side([search_of(seed, name, space, channels=channels, **changes) for seed in seeds])
        return found[seeds.index(0)]

    alone = of_first([0])
    for seeds in ([0, 1], [2, 0], [1, 2, 0], [3, 0, 1, 2, 4], [5, 6, 7, 8, 9, 10, 0]):
        assert torch.equal(of_first(seeds), alone), seeds


@pytest.mark.parametrize("space", SPACE_LIST)
@pytest.mark.parametrize("name", ["darts", "pc-darts", "darts-minus"])
def test_evaluations_are_those_alone(name: str, space: str) -> None:
    def made(dtype: torch.dtype) -> list[SupernetSearch]:
        return [search_of(seed, name, space, dtype=dtype) for seed in range(3)]

    alone = [evaluate(search) for search in made(torch.float64)]
    together, sizes = side_by_side(made(torch.float64), evaluate)
    assert set(sizes) == {3}, "all are in every pass"
    for one, other in zip(alone, together, strict=True):
        assert ((one - other).abs() <= 1e-12 * one).all()
    assert not torch.equal(together[0], together[1])
    of_three, _ = side_by_side(made(torch.float32), evaluate)
    for seeds in ([0], [1, 0], [5, 1, 2, 0, 4]):
        found, _ = side_by_side([search_of(seed, name, space) for seed in seeds], evaluate)
        assert torch.equal(found[seeds.index(0)], of_three[0]), seeds


def test_who_is_elsewhere_is_not_waited_for() -> None:
    """Batches of another size, searches that end early: each is what it is by itself."""
    lengths = {0: 3, 1: 3, 2: 1, 3: 3}

    def made() -> list[SupernetSearch]:
        return [search_of(seed, batch=6 if seed == 3 else 8) for seed in lengths]

    def work(search: SupernetSearch) -> Tensor | None:
        if search.streams.seed == 1:
            stepped(search, 1)
            return None
        return stepped(search, lengths[search.streams.seed])

    found, sizes = side_by_side(made(), work)
    assert {1, 2, 3} <= set(sizes)
    for search, length, together in zip(made(), lengths.values(), found, strict=True):
        if together is not None:
            assert torch.equal(side_by_side([search], lambda s: stepped(s, length))[0][0], together)  # noqa: B023


def test_what_fails_ends_that_run_alone() -> None:
    def work(search: SupernetSearch) -> Tensor | str:
        if search.streams.seed == 1:
            stepped(search, 1)
            search.searcher = None
            try:
                stepped(search, 1)
            except AttributeError:
                return "failed"
        return stepped(search)

    found, _ = side_by_side([search_of(seed) for seed in range(3)], work)
    assert found[1] == "failed"
    assert torch.equal(found[2], side_by_side([search_of(2)])[0][0])


def test_what_fails_in_a_pass_is_told_to_all_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    together = SPACES.find("nasbench201")().networks().together
    assert together is not None

    def fail(*_: Any) -> None:
        raise RuntimeError("no memory is left")

    monkeypatch.setattr(together, "layers", fail)

    def work(search: SupernetSearch) -> str:
        with pytest.raises(RuntimeError, match="no memory is left"):
            stepped(search)
        return "told"

    assert side_by_side([search_of(seed) for seed in range(3)], work)[0] == ["told"] * 3


def test_asked_to_stop_every_run_gives_up() -> None:
    """What interrupts the thread that waits for the runs is raised in each of them."""
    ended = []

    def work(search: SupernetSearch) -> None:
        try:
            stepped(search, 1)
            if search.streams.seed == 0:
                group.stopping = KeyboardInterrupt()
            stepped(search, 1)
        except KeyboardInterrupt:
            ended.append(search.streams.seed)
            raise

    searches = [search_of(seed) for seed in range(3)]
    group = Group(searches[0].space.networks().together, 3)

    def seated(search: SupernetSearch) -> Callable[[Seat], None]:
        def run(seat: Seat) -> None:
            seat.take(search)
            work(search)

        return run

    with pytest.raises(KeyboardInterrupt):
        group.run([seated(search) for search in searches])
    assert sorted(ended) == [0, 1, 2]


def test_other_passes_are_their_own() -> None:
    """Between steps and evaluations, and where a network is computed otherwise, nothing is shared."""
    search = search_of(0)
    (found,), sizes = side_by_side(
        [search], lambda s: s.net.frozen(torch.zeros(2, 3, 8, 8))(s.searcher.relax(s.alphas))
    )
    assert found.shape == (2, 5) and sizes == []
    (_,), sizes = side_by_side([search_of(0, "darts + drop-path")])
    assert len(sizes) == 2 * STEPS, "gradients alone"


@pytest.mark.parametrize("name", STACKED)
@pytest.mark.parametrize("space", SPACE_LIST[:2])
def test_no_step_waits_for_the_device(name: str, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: False)
    searches = [make_small_search(build_method(name), SPACES.find(space)(), device="meta") for _ in range(2)]

    def work(search: SupernetSearch) -> list[str]:
        search.net.train()
        for regularizer in search.regularizers:
            regularizer.begin_epoch(search.net, search.moment(1))
        step = search.stepper(1, 0.01)
        step(*search.batches(1))
        with Meetings() as meetings:
            step(*search.batches(1))
        return meetings.seen

    found, sizes = side_by_side(searches, work)
    assert found == [[], []], found
    assert set(sizes) == {2}


def test_who_can() -> None:
    can = {n for n, e in list_methods().items() if not e.alias and build_method(n).stacks}
    assert set(STACKED) <= can
    for name in can:
        assert isinstance(build_method(name).searcher, SupernetSearcher)
        assert type(build_method(name).searcher) is type(build_method("darts").searcher)
    assert (
        not build_method("darts-2nd").stacks
        and not build_method("gdas").stacks
        and not build_method("random-search").stacks
    )
    for name, space in SPACES.classes.items():
        assert (space().networks().together is not None) == (SIDE_BY_SIDE in space.has), name
