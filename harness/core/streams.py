"""Named random streams: every draw comes from a generator that is named for its purpose.

A stream's state depends on (seed, name) alone, so a method that draws more noise never moves another method's data
order or initial weights: two methods with equal seeds are truly paired. No global random state is read or written.
Streams are of a few kinds, each of which may have a seed of its own, so that what it draws can be held while all else
varies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.core.lazy import torch
from harness.core.seeds import derive_seed

if TYPE_CHECKING:
    from torch import Tensor

Make = Callable[["torch.Generator"], "Tensor"]
Source = Callable[[str, Make, "torch.device"], "Tensor"]
KINDS = {
    "weights": r"weights",
    "logits": r"alpha-init",
    "order": r".*-order|lengths",
    "augmentation": r"(train|valid|further)-.*",
    "probes": r"probe-.*",
    "draws": r".*",
}
"""The kinds of streams, by what they are drawn for; a stream is of the first one whose pattern is its whole name."""


def classify_stream(name: str) -> str:
    """The kind of the stream with this name; what is of no other kind are draws of the method itself."""
    return next(kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, name))


class Streams:
    """Generators by name, each seeded by (seed, name) at its first use.

    Draws are made on the CPU and moved, so that a seed means the same numbers on every device. own: the seeds of kinds
    that have another one.
    """

    def __init__(self, seed: int, own: Mapping[str, int] | None = None) -> None:
        self.seed, self.own = seed, dict(own or {})
        self._generators: dict[str, torch.Generator] = {}
        self._source: Source = self._drawn

    def __getitem__(self, name: str) -> torch.Generator:
        if name not in self._generators:
            self._generators[name] = torch.Generator().manual_seed(self.derived(name))
        return self._generators[name]

    def derived(self, name: str) -> int:
        """The seed of one stream."""
        return derive_seed(self.own.get(classify_stream(name), self.seed), name)

    def draw(self, name: str, make: Make, device: torch.device) -> Tensor:
        """What `make` draws from a stream, on a device."""
        return self._source(name, make, device)

    def uniform(self, name: str, like: Tensor, low: float, high: float) -> Tensor:
        """Independent U(low, high) entries with the shape, type and device of `like`."""
        shape, dtype = like.shape, like.dtype
        return self.draw(name, lambda g: torch.empty(shape, dtype=dtype).uniform_(low, high, generator=g), like.device)

    def _drawn(self, name: str, make: Make, device: torch.device) -> Tensor:
        return send_to_device(make(self[name]), device)

    @contextmanager
    def drawing_from(self, source: Source) -> Iterator[None]:
        """Ask `source` for every draw while the block runs (see `replay.py`)."""
        self._source = source
        try:
            yield
        finally:
            self._source = self._drawn

    def state_dict(self) -> dict[str, Tensor]:
        return {name: g.get_state() for name, g in self._generators.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._generators.clear()
        for name, value in state.items():
            self[name].set_state(value)


def send_to_device(x: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on a device, without the host waiting for it, as it would for pageable memory."""
    return (x.pin_memory() if device.type == "cuda" else x).to(device, non_blocking=True)
