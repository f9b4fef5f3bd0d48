"""Steps that are captured and replayed: the same search, bit by bit. And steps on a device without data, where looking
at a number, or meeting a tensor of the host, is an error."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from harness.core.streams import Streams
from harness.datasets.base import StoredImages
from harness.search.cuda_graph import Replayed
from harness.search.loop import SupernetSearch
from harness.search.methods import build_method, list_methods
from harness.search.regularizers.cutout import Cutout
from harness.search.searchers.base import SupernetSearcher
from harness.search.steps import Moment
from harness.spaces.base import SPACES
from harness.spaces.nasbench201 import NASBench201
from harness.testing.contracts import fits_space, make_small_search, state_of
from tests.conftest import often

SPACE_LIST = ["nasbench201", "nasbench1shot1.s1"]
SUPERNET_METHODS = [
    n
    for n, e in list_methods().items()
    if not e.alias
    and isinstance(build_method(n).searcher, SupernetSearcher)
    and fits_space(build_method(n), NASBench201())
]
DRAWN = {n for n in SUPERNET_METHODS if build_method(n).searcher.evaluates != "all"}
"""Look on the host at what was drawn, to compute that alone."""
WAITING = {"oles", "drnas", "drnas-progressive"} | DRAWN
"""Decide on the host what to freeze, and draw there from a distribution that the logits give."""
STEPPED = {"idarts", "zarts"}
"""Move weights to another place and back, and draw minibatches in a step."""
REPLAYED = [n for n in SUPERNET_METHODS if n not in WAITING | STEPPED]
WAITED = (RuntimeError, NotImplementedError)


def written(func: Any, args: Any) -> list[Tensor]:
    """The arguments that an operation writes to."""
    if func.overloadpacket.__name__ == "native_batch_norm":  # whose schema does not tell
        return [t for t in args[3:5] if t is not None]
    pairs = zip(args, func._schema.arguments, strict=False)
    return [t for value, a in pairs if a.alias_info is not None and a.alias_info.is_write for t in tree_leaves(value)]


class Tape(TorchDispatchMode):
    """A graph of the CPU, as a CUDA device has it: operations and the tensors that they were captured with, each in its
    place; nothing of Python. Capturing leaves the tensors from before as they were."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Callable[..., Any], Any, Any, Any]] = []
        self.before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self.own: set[int] = set()

    @contextmanager
    def capture(self) -> Iterator[None]:
        with self:
            yield
        for place, value in self.before.values():
            place.copy_(value)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        assert func.overloadpacket.__name__ not in ("_local_scalar_dense", "nonzero", "equal"), (
            "the host looks at a number"
        )
        assert func.overloadpacket.__name__ != "lift_fresh", "numbers of Python are copied to the device"
        self._keep(written(func, args))
        result = func(*args, **kwargs)
        places = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        fresh = [
            t for t in tree_leaves(result) if isinstance(t, Tensor) and t.untyped_storage().data_ptr() not in places
        ]
        self.own |= {t.untyped_storage().data_ptr() for t in fresh}
        self.operations.append((func, args, kwargs, result))
        return result

    def _keep(self, tensors: list[Tensor]) -> None:
        """What is about to be written, the first time: with all that shares its memory, as a view's rows do."""
        for place in (tensor.untyped_storage() for tensor in tensors):
            if place.data_ptr() not in self.own | self.before.keys():
                self.before[place.data_ptr()] = place, place.clone()

    def replay(self) -> None:
        with torch.no_grad():
            for func, args, kwargs, result in self.operations:
                again = func(*args, **kwargs)
                for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                    if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)


@pytest.fixture
def adam_counts_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """What PyTorch's Adam does on devices with graphs, and refuses to do on a CPU."""
    adam = sys.modules["torch.optim.adam"]  # torch.optim.Adam's module; the package has a class's name in its place
    monkeypatch.setattr(adam, "_get_capturable_supported_devices", lambda *_, **__: ["cpu"])


def searched(name: str, space: str, graph: Any) -> SupernetSearch:
    search = make_small_search(build_method(name), SPACES.find(space)(), epochs=4)
    search.training = search.training.model_copy(update={"steps_per_epoch": 3})
    search.alpha_optimizer.param_groups[0]["capturable"] = True
    if graph is not None:
        search.replayed = lambda step: Replayed(step, search.streams, graph())
    for epoch in range(2, 4):
        search.train_epoch(epoch, lambda: None)
    return search


@pytest.mark.usefixtures("adam_counts_on_the_device")
@pytest.mark.parametrize("space", often(SPACE_LIST, SPACE_LIST[0].__eq__))
@pytest.mark.parametrize("name", REPLAYED)
def test_replayed_is_stepped(name: str, space: str) -> None:
    tapes: list[Tape] = []

    def graph() -> Tape:
        tapes.append(Tape())
        return tapes[-1]

    stepped, replayed = searched(name, space, None), searched(name, space, graph)
    assert len(tapes) == 2 or replayed.stopped  # one an epoch
    assert all(tape.operations for tape in tapes)
    assert all(torch.equal(a, b) for a, b in zip(state_of(stepped), state_of(replayed), strict=True))
    own = stepped.streams.state_dict(), replayed.streams.state_dict()
    assert own[0].keys() == own[1].keys()
    assert all(torch.equal(own[0][stream], own[1][stream]) for stream in own[0])


class Refusing(Tape):
    """A graph on a device that takes no captures."""

    @contextmanager
    def capture(self) -> Iterator[None]:
        with super().capture():
            yield
        raise RuntimeError("operation not permitted when stream is capturing\nand more")


@pytest.mark.usefixtures("adam_counts_on_the_device")
def test_a_refused_capture_is_told_and_changes_nothing() -> None:
    with pytest.warns(UserWarning, match="run one by one, slower: operation not permitted when stream is capturing$"):
        refused = searched("sdarts-adv", "nasbench201", Refusing)
    stepped = searched("sdarts-adv", "nasbench201", None)
    assert all(torch.equal(a, b) for a, b in zip(state_of(stepped), state_of(refused), strict=True))


def test_what_an_optimizer_may_do_is_the_device_s_not_the_checkpoint_s() -> None:
    search = make_small_search(build_method("darts"), SPACES.find("nasbench201")())
    search.train_epoch(0, lambda: None)
    state = search.state_dict()
    state["alpha_optimizer"]["param_groups"][0]["capturable"] = True  # as a CUDA device writes it
    search.load_state_dict(state)
    search.train_epoch(1, lambda: None)
    assert search.alpha_optimizer.param_groups[0]["capturable"] is False


class Meetings(TorchDispatchMode):
    """Notes where tensors of the host and of the device meet, other than in copies that nobody waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        devices = {t.device.type for t in tree_leaves((args, kwargs, result)) if isinstance(t, Tensor)}
        copy = func.overloadpacket.__name__ in ("_to_copy", "copy_")
        if len(devices) > 1 and not (copy and kwargs.get("non_blocking", len(args) > 2)):
            self.seen.append("".join(traceback.format_stack(limit=12)))
        return result


@pytest.fixture
def no_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch does not answer for `meta`."""
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: False)


@pytest.mark.usefixtures("no_autocast")
@pytest.mark.parametrize("space", often(SPACE_LIST, SPACE_LIST[0].__eq__))
@pytest.mark.parametrize("name", SUPERNET_METHODS)
def test_no_step_waits_for_the_device(name: str, space: str) -> None:
    """On `meta` to look at a number is an error."""
    search = make_small_search(build_method(name), SPACES.find(space)(), device="meta")
    search.net.train()
    with Meetings() as meetings, pytest.raises(WAITED) if name in WAITING else nullcontext():
        for _ in range(2):  # the first makes the optimizers' state
            search.advance(1, 0.01)
    assert not meetings.seen, meetings.seen[0]


@pytest.mark.usefixtures("no_autocast")
def test_no_step_with_decided_choices_waits_for_the_device() -> None:
    search = make_small_search(build_method("darts"), SPACES.find(SPACE_LIST[0])(), device="meta")
    search.net.train()
    search.decide(0, 0, [1], frozen=True)
    search.decide(0, 1, [1, 3], share=True)
    search.decide(0, 2, [2, 3], part=0.2)
    search.decide(0, 3, [])
    with Meetings() as meetings:
        for _ in range(2):
            search.advance(1, 0.01)
    assert not meetings.seen, meetings.seen[0]


def test_batches_are_sent_without_waiting() -> None:
    parts = {part: (torch.zeros(20, 3, 8, 8, dtype=torch.uint8), torch.zeros(20)) for part in ("train", "valid")}
    images = StoredImages(
        parts, classes=2, mean=(0.5,) * 3, std=(0.5,) * 3, pad=2, flip=True, device=torch.device("meta")
    )
    with Meetings() as meetings:
        x, y = images.batch("train", torch.arange(8), torch.Generator())
        Cutout().augment(x, torch.Generator(), Moment(Streams(0), NASBench201(), 0, 2))
    assert x.device.type == y.device.type == "meta"
    assert not meetings.seen, meetings.seen[0]
    with Meetings() as meetings:
        torch.zeros(3).to("meta")
    assert meetings.seen


@pytest.mark.parametrize("name", SUPERNET_METHODS)
def test_what_waits_is_not_replayed(name: str) -> None:
    parts = (build_method(name).searcher, *build_method(name).regularizers)
    assert (all(part.replays for part in parts) and name not in DRAWN) == (name in REPLAYED)
