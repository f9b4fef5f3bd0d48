"""What a discretisation policy is: how logits become an architecture, without the network that they belong to."""

from __future__ import annotations

from abc import abstractmethod

from harness.core.registry import Plugin, Registry
from harness.spaces.base import Architecture, Rows, Space

POLICIES = Registry("policies", "harness.results.policies")


class Policy(Plugin):
    """A rule that chooses an architecture from logits."""

    @abstractmethod
    def derive(self, space: Space, logits: Rows) -> Architecture:
        """The architecture of an epoch's logits, of the space's shapes.

        Raises:
            HarnessError: the policy needs more than logits, or has no meaning on this space.
        """
