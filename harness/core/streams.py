"""Named random streams: every draw comes from a generator that is named for its purpose.

A stream's state depends on (seed, name) alone, so a method that draws more noise never moves another method's data
order or initial weights: two methods with equal seeds are truly paired. No global random state is read or written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from harness.core.seeds import derive_seed

Make = Callable[[torch.Generator], Tensor]
Source = Callable[[str, Make, torch.device], Tensor]


class Streams:
    """Generators by name, each seeded by (seed, name) at its first use.

    Draws are made on the CPU and moved, so that a seed means the same numbers on every device.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generators: dict[str, torch.Generator] = {}
        self._source: Source = self._drawn

    def __getitem__(self, name: str) -> torch.Generator:
        if name not in self._generators:
            self._generators[name] = torch.Generator().manual_seed(derive_seed(self.seed, name))
        return self._generators[name]

    def draw(self, name: str, make: Make, device: torch.device) -> Tensor:
        """What `make` draws from a stream, on a device."""
        return self._source(name, make, device)

    def uniform(self, name: str, like: Tensor, low: float, high: float) -> Tensor:
        """Independent U(low, high) entries with the shape, type and device of `like`."""
        shape, dtype = like.shape, like.dtype
        return self.draw(name, lambda g: torch.empty(shape, dtype=dtype).uniform_(low, high, generator=g), like.device)

    def _drawn(self, name: str, make: Make, device: torch.device) -> Tensor:
        return sent(make(self[name]), device)

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


def sent(x: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on a device, without the host waiting for it, as it would for pageable memory."""
    return (x.pin_memory() if device.type == "cuda" else x).to(device, non_blocking=True)
