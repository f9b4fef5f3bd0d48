"""A step that is captured once and then replayed: asking an accelerator for a step's thousands of operations takes the
host longer than the device takes to compute them.

A capture keeps the operations and the places of their tensors, nothing of Python: what changes from step to step has to
be in those places before the replay. That is the two batches, and the numbers that the step draws on the host.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch
from torch import Tensor

from harness.core.streams import Make, Streams, send_to_device
from harness.search.loop import SupernetSearch

Step = Callable[..., Tensor]
ALIGNMENT = 16
"""Bytes at which a draw may begin, whatever its type."""


class Graph(Protocol):
    """Operations on a device, captured while the block of `capture` runs, and only then computed by `replay`."""

    def capture(self) -> AbstractContextManager[object]: ...
    def replay(self) -> None: ...


class CUDAGraph:
    """The graph of a CUDA device."""

    def __init__(self, device: torch.device) -> None:
        self.graph, self.stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    @contextmanager
    def capture(self) -> Iterator[None]:
        # the outer block brings the stream back where a capture that fails does not
        with torch.cuda.stream(self.stream), torch.cuda.graph(self.graph, stream=self.stream):
            yield

    def replay(self) -> None:
        self.graph.replay()


def make_replayable(search: SupernetSearch) -> None:
    """Let a search on a CUDA device replay its steps, captured anew in every epoch."""
    for group in search.alpha_optimizer.param_groups:
        group["capturable"] = True
    search.replayed = lambda step: Replayed(step, search.streams, CUDAGraph(search.device))


class GraphDraws:
    """The draws of a step: noted in one step, then made for each replay and sent to the device in one piece."""

    def __init__(self, streams: Streams) -> None:
        self.streams = streams
        self.noted: list[tuple[str, Make]] = []
        self.places: list[tuple[slice, Tensor]] = []
        """Where a draw lies in the piece, and a tensor like it."""
        self.size = 0

    def note(self, name: str, make: Make, device: torch.device) -> Tensor:
        drawn = make(self.streams[name])
        self.noted.append((name, make))
        self.places.append((slice(self.size, self.size + drawn.nbytes), drawn))
        self.size += -(-drawn.nbytes // ALIGNMENT) * ALIGNMENT
        return send_to_device(drawn, device)

    def place(self, device: torch.device) -> Callable[[str, Make, torch.device], Tensor]:
        """Room for them on the device, from which the step that is captured takes them in the same order."""
        self.room = torch.empty(self.size, dtype=torch.uint8, device=device)
        views = iter([self._view(self.room, *place) for place in self.places])
        return lambda *_: next(views)

    def make(self) -> None:
        """New ones, into that room. Memory is new for each, so that no copy under way is written over."""
        piece = torch.empty(self.size, dtype=torch.uint8, pin_memory=self.room.is_cuda)
        for (name, make), place in zip(self.noted, self.places, strict=True):
            self._view(piece, *place).copy_(make(self.streams[name]))
        self.room.copy_(piece, non_blocking=True)

    @staticmethod
    def _view(piece: Tensor, where: slice, like: Tensor) -> Tensor:
        return piece[where].view(like.dtype).view(like.shape)


class Replayed:
    """A step that is run at the first call (optimizers make their state then), captured at the second, and replayed
    from then on. Settings of the step have to stay as they are; weights have to stay where they are. Where the device
    refuses the capture, which computes nothing, steps are run as at the first call, with a warning."""

    def __init__(self, step: Step, streams: Streams, graph: Graph) -> None:
        self.step, self.streams, self.graph = step, streams, graph
        self.draws: GraphDraws | None = None
        self.inputs: list[Tensor] = []
        self.refused = False

    def __call__(self, *batches: Sequence[Tensor]) -> Tensor:
        if self.draws is None:
            self.draws = GraphDraws(self.streams)
            with self.streams.drawing_from(self.draws.note), warnings.catch_warnings():
                # the first step makes the optimizers' state, and is not captured, which PyTorch would warn of
                warnings.filterwarnings("ignore", message=".*capturable=True.*")
                return self.step(*batches)
        if not self.inputs and not self.refused:
            try:
                self._capture(self.draws, batches)
            except RuntimeError as error:  # what PyTorch raises for errors of CUDA
                self.refused = True
                reason = str(error).splitlines()[0]
                warnings.warn(f"steps cannot be replayed here and are run one by one, slower: {reason}", stacklevel=2)
        if self.refused:
            return self.step(*batches)
        for place, tensor in zip(self.inputs, (t for batch in batches for t in batch), strict=True):
            place.copy_(tensor)
        self.draws.make()
        self.graph.replay()
        return self.result.clone()

    def _capture(self, draws: GraphDraws, batches: Sequence[Sequence[Tensor]]) -> None:
        kept = [tuple(t.clone() for t in batch) for batch in batches]
        with self.streams.drawing_from(draws.place(kept[0][0].device)), self.graph.capture():
            self.result = self.step(*kept)
        self.inputs = [t for batch in kept for t in batch]
