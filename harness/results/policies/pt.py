"""Perturbation-based selection, which logits alone cannot give."""

from __future__ import annotations

from harness.core.errors import HarnessError
from harness.results.policies.base import Policy
from harness.spaces.base import Architecture, Rows, Space


class PT(Policy):
    """By how much the trained network misses an operation: not to be had from logits, and refused with the reason."""

    name = "pt"
    paper = "Wang et al., ICLR 2021 (2108.04392)"

    def derive(self, space: Space, logits: Rows) -> Architecture:
        raise HarnessError(
            "the policy 'pt' takes operations out of the trained network and trains it on, and runs keep logits, not "
            "weights: search with it from the beginning, by a method 'METHOD + darts-pt'"
        )
