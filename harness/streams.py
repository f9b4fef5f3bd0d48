"""Named random streams: every draw comes from a generator that is named for its purpose.

A stream's state depends on (seed, name) alone, so a method that draws more noise never moves another method's data
order or initial weights: two methods with equal seeds are truly paired. No global random state is read or written.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.seeds import derive_seed


class Streams:
    """Generators by name, each seeded by (seed, name) at its first use.

    Draws are made on the CPU and moved, so that a seed means the same numbers on every device.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generators: dict[str, torch.Generator] = {}

    def __getitem__(self, name: str) -> torch.Generator:
        if name not in self._generators:
            self._generators[name] = torch.Generator().manual_seed(derive_seed(self.seed, name))
        return self._generators[name]

    def uniform(self, name: str, like: Tensor, low: float, high: float) -> Tensor:
        """Independent U(low, high) entries with the shape, type and device of `like`."""
        draw = torch.empty(like.shape, dtype=like.dtype).uniform_(low, high, generator=self[name])
        return draw.to(like.device)

    def state_dict(self) -> dict[str, Tensor]:
        return {name: g.get_state() for name, g in self._generators.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._generators.clear()
        for name, value in state.items():
            self[name].set_state(value)
