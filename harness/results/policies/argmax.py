"""The largest logits."""

from __future__ import annotations

from harness.results.policies.base import Policy
from harness.spaces.base import Architecture, Rows, Space


class Argmax(Policy):
    """The largest entry of every choice, as the space's own papers decode it; what a search records that selects in no
    other way."""

    name = "argmax"
    paper = "Liu et al., ICLR 2019 (1806.09055)"

    def derive(self, space: Space, logits: Rows) -> Architecture:
        return space.derive(logits)
