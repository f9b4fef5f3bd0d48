"""Searches side by side: those of several runs take their steps at the same time, so that their networks are computed
in one pass.

Each run goes through its loop in a thread of its own, and one thread runs at a time. Within a step, three things are
waited for: a forward pass, the frozen network of an attack, and a gradient; within an evaluation, the frozen network.
Who asks for one of them waits; when all that are left wait, the request that is earliest in its step or evaluation is
answered, for all that ask for the same with the same shapes in one pass. Whoever is elsewhere (stopped, failed) is not
in it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from harness.core.errors import HarnessError
from harness.core.signals import hold_signals
from harness.search.loop import SupernetSearch
from harness.spaces.blocks.mix import Mix
from harness.spaces.blocks.together import Member

AWAKE_SECONDS = 0.5
"""A signal that comes as the main thread is about to wait is seen when it wakes."""

P = ParamSpec("P")
T = TypeVar("T")
Answer = Callable[[list["Request"]], list[Any]]
"""Computes what several ask for alike: a value for each."""


@dataclass
class Request:
    """What a seat waits for. stage: how many requests of its step were before it. key: equal for requests that can be
    answered in one. given: what differs between those."""

    stage: int
    key: tuple[Any, ...]
    answer: Answer
    given: Any
    value: Any = None
    error: Exception | None = None
    trace: TracebackType | None = None


class Group:
    """Runs that go side by side, each in its seat. together: makes one network of several, the space's `SideBySide`."""

    def __init__(self, together: Any, seats: int) -> None:
        self.together = together
        self.seats = [Seat(self) for _ in range(seats)]
        self.left: list[Seat] = []
        """Those whose run has begun and not ended."""
        self.built: dict[tuple[int, ...], Any] = {}
        self.stopping: BaseException | None = None
        self.over = threading.Event()
        self.over.set()

    def run(self, works: Sequence[Callable[[Seat], T]]) -> list[T]:
        """What each of them returns, run in its seat. What one raises, all being over, is raised here."""
        found: dict[int, T] = {}
        raised: list[BaseException] = []

        def run_one(index: int) -> None:
            seat = self.seats[index]
            seat.begin_turn()
            try:
                if self.stopping is None:
                    found[index] = works[index](seat)
            except BaseException as error:
                raised.append(error)
            finally:
                seat.end_turn()
                self.left.remove(seat)
                self.pass_on()

        threads = [threading.Thread(target=run_one, args=(index,)) for index in range(len(works))]
        try:
            with hold_signals():
                self.begin(threads)
            # not for the threads: one whose join is interrupted counts as ended, up to Python 3.12
            while not self.over.wait(AWAKE_SECONDS):
                pass
        except BaseException as error:  # asked to stop: each run gives its epoch up where it waits next
            self.stopping = error
            with hold_signals():
                self.over.wait()
            raise
        if raised:
            raise raised[0]
        return [found[index] for index in range(len(works))]

    def begin(self, threads: Sequence[threading.Thread]) -> None:
        """Let the first run, once all are there. Where the system starts no more threads, none does anything."""
        self.over.clear()
        try:
            for seat, thread in zip(self.seats, threads, strict=True):
                thread.start()
                self.left.append(seat)
        except RuntimeError as error:
            self.stopping = error
            raise HarnessError(
                f"this machine started {len(self.left)} of {len(threads)} threads ({error}): lower `together`"
            ) from None
        finally:
            self.pass_on()

    def pass_on(self) -> None:
        """Let another one run; where all wait for an answer, find answers first."""
        if self.stopping is not None:
            for seat in self.left:
                seat.request = None
        if self.left and all(seat.request is not None for seat in self.left):
            self.answer()
        ready = [seat for seat in self.left if seat.request is None]
        if ready:
            ready[0].turn.release()
        if not self.left:
            self.over.set()

    def answer(self) -> None:
        """Answer the request that is earliest in its step, and those that can be answered with it."""
        first = min((seat.asked for seat in self.left), key=lambda request: request.stage)
        same = [s for s in self.left if s.asked.stage == first.stage and s.asked.key == first.key]
        requests = [seat.asked for seat in same]
        began = read_clocks()
        try:
            for request, value in zip(requests, first.answer(requests), strict=True):
                request.value = value
        except Exception as error:
            for request in requests:
                request.error, request.trace = error, error.__traceback__
        for seat in same:
            seat.request = None
            seat.spend(began, shared_by=len(same))

    def network(self, seats: Sequence[Seat]) -> Any:
        """The networks of these seats as one."""
        key = tuple(id(seat) for seat in seats)
        if key not in self.built:
            self.built[key] = self.together([seat.member for seat in seats])
        return self.built[key]


class Seat:
    """The place of one run in a group."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.turn = threading.Semaphore(0)
        self.request: Request | None = None
        self.stage = 0
        self.spent = (0.0, 0.0)
        self.began: tuple[float, float] | None = None
        """When its turn began."""

    @property
    def asked(self) -> Request:
        assert self.request is not None
        return self.request

    def take(self, search: SupernetSearch) -> None:
        """Let the steps of this search be taken beside the others, and its network be evaluated beside theirs."""
        self.search, self.member, net = search, Member(search.net), search.net
        own = {name: getattr(net, name) for name in ("forward", "frozen", "gradients")}
        beside = {"forward": partial(self.forward, own["forward"]), "frozen": partial(self.frozen, own["frozen"])}
        beside["gradients"] = self.gradients

        def seated(work: Callable[P, T]) -> Callable[P, T]:
            def run(*given: P.args, **options: P.kwargs) -> T:
                self.stage = 0
                for name, function in beside.items():
                    setattr(net, name, function)
                try:
                    return work(*given, **options)
                finally:
                    for name in beside:
                        delattr(net, name)

            return run

        search.replayed = seated
        setattr(search, "evaluate", seated(search.evaluate))  # noqa: B010 - a method is not assigned to

    def ask(self, key: tuple[Any, ...], answer: Answer, given: Any) -> Any:
        """What is asked for, once it is there."""
        request = self.request = Request(self.stage, (*key, torch.is_grad_enabled()), answer, given)
        self.stage += 1
        self.end_turn()
        self.group.pass_on()
        self.begin_turn()
        if self.group.stopping is not None:
            raise self.group.stopping
        if request.error is not None:
            raise request.error.with_traceback(request.trace)  # whoever raised it before added to it
        return request.value

    # -- whose turn it is, and for how long -------------------------------------------------------------------

    def begin_turn(self) -> None:
        """Wait for its turn."""
        self.turn.acquire()
        self.began = read_clocks()

    def end_turn(self) -> None:
        assert self.began is not None
        self.spend(self.began)
        self.began = None

    def spend(self, began: tuple[float, float], shared_by: int = 1) -> None:
        """Count what it took since then, as one of so many."""
        wall, cpu = ((now - then) / shared_by for now, then in zip(read_clocks(), began, strict=True))
        self.spent = self.spent[0] + wall, self.spent[1] + cpu

    def now(self) -> tuple[float, float]:
        """Wall and CPU seconds that its run took so far: its turns, and its share of what is computed for several."""
        assert self.began is not None
        wall, cpu = (now - then for now, then in zip(read_clocks(), self.began, strict=True))
        return self.spent[0] + wall, self.spent[1] + cpu

    # -- what is asked for -----------------------------------------------------------------------------------

    def forward(self, own: Callable[[Tensor, Mix], Tensor], x: Tensor, mix: Mix) -> Tensor:
        """The network's logits."""
        net = self.search.net
        if not (net.training and self.group.together.covers(net, x, mix)):
            return own(x, mix)
        moving = any(w.requires_grad for w in self.search.weights)
        found: Tensor = self.ask(("forward", x.shape, x.dtype, moving), self._pass, (self, x, mix))
        return found

    def _pass(self, requests: list[Request]) -> list[Any]:
        seats, xs, mixes = zip(*(r.given for r in requests), strict=True)
        with torch.set_grad_enabled(requests[0].key[-1]):
            found: list[Any] = self.group.network(seats).forward(xs, mixes)
        return found

    def frozen(self, own: Callable[[Tensor], Callable[[Mix], Tensor]], x: Tensor) -> Callable[[Mix], Tensor]:
        """The frozen network as a function of the mixing weights (see `Supernet.frozen`)."""
        if not self.group.together.freezes(self.search.net, x):
            return own(x)
        place, logits = self.ask(("frozen", x.shape, x.dtype), self._freeze, (self, x))
        answer = partial(evaluate_at_mixes, logits)
        return lambda mix: self.ask(("frozen at", id(logits)), answer, (place, mix))

    def _freeze(self, requests: list[Request]) -> list[Any]:
        seats, xs = zip(*(r.given for r in requests), strict=True)
        with torch.set_grad_enabled(requests[0].key[-1]):
            logits = self.group.network(seats).frozen(xs)
        return [(place, logits) for place in range(len(seats))]

    def gradients(self, loss: Tensor, wanted: Sequence[Tensor], **options: Any) -> Sequence[Tensor]:
        """The gradients of a loss (see `Supernet.gradients`)."""
        key = ("gradients", *sorted(options.items()))
        found: Sequence[Tensor] = self.ask(key, self._differentiate, (loss, list(wanted), options))
        return found

    def _differentiate(self, requests: list[Request]) -> list[Any]:
        losses, wanted, (options, *_) = zip(*(r.given for r in requests), strict=True)
        kept = len(requests) < len(self.group.left)  # whoever is not in this call may be in the same graph
        leaves = [w for own in wanted for w in own]
        found = iter(torch.autograd.grad(losses, leaves, **{"retain_graph": kept, **options}))
        return [[next(found) for _ in own] for own in wanted]


def read_clocks() -> tuple[float, float]:
    """Wall and CPU seconds of the process."""
    return time.perf_counter(), time.process_time()


def evaluate_at_mixes(logits: Callable[[Mapping[int, Mix]], list[Tensor]], requests: list[Request]) -> list[Any]:
    """The frozen networks of a group at the mixing weights of those that ask."""
    places, mixes = zip(*(r.given for r in requests), strict=True)
    with torch.set_grad_enabled(requests[0].key[-1]):
        found = logits(dict(zip(places, mixes, strict=True)))
    return [found[place] for place in places]
